"""The class of each structure, where a set of images has several."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Int64
from torch import Tensor

from generative.data.dataset import Dataset
from latentopt.space.fitting import thinned

__all__ = ["NO_CLASS", "Classes", "checked_classes"]

NO_CLASS = -1  # label of a structure whose class is not known


@dataclass(frozen=True, eq=False)
class Classes:
    """The class of each structure, with the words of `generative.data.Dataset`.

    Parameters
    ----------
    labels
        Row of ``class_names`` for each structure; -1 for one whose class is not known.
    class_names
        Names of the classes, each once.

    Raises
    ------
    ValueError
        For labels that are no int64 tensor of one axis, or leave the names; for a name that is
        empty or comes twice.

    Examples
    --------
    >>> classes = Classes(torch.tensor([1, 0, -1]), ("ferrite", "pearlite"))
    >>> classes.names()
    ('pearlite', 'ferrite', None)
    """

    labels: Int64[Tensor, " m"]
    class_names: tuple[str, ...]

    def __post_init__(self) -> None:
        labels, names = self.labels, self.class_names
        if not isinstance(labels, Tensor) or labels.dtype != torch.int64 or labels.ndim != 1:
            got = f"{labels.dtype} {tuple(labels.shape)}" if isinstance(labels, Tensor) else labels
            raise ValueError(f"labels should be an int64 tensor of shape (m,), got {got!s:.80}.")
        if not all(isinstance(name, str) and name for name in names) or len(set(names)) < len(
            names
        ):
            raise ValueError(f"class names should be texts, each once, got {names!s:.80}.")
        if len(labels) and not (labels.min() >= NO_CLASS and labels.max() < len(names)):
            raise ValueError(
                f"labels should be from {NO_CLASS} to {len(names) - 1}, a row of {len(names)} "
                f"class names or {NO_CLASS} for none, got {int(labels.min())} to "
                f"{int(labels.max())}."
            )

    @classmethod
    def of_data(cls, data: Dataset) -> "Classes | None":
        """Those of a data set; None of one whose images are all of one class."""
        if len(data.class_names) < 2:
            return None
        return cls(torch.from_numpy(data.labels), data.class_names)

    def __len__(self) -> int:
        return len(self.labels)

    def subset(self, rows: Int64[np.ndarray, " k"]) -> "Classes":
        """Those of some rows."""
        return Classes(self.labels[torch.from_numpy(rows)], self.class_names)

    def after(self, n: int) -> "Classes":
        """These after those of `n` structures whose classes are not known."""
        return Classes(
            torch.cat([self.labels.new_full((n,), NO_CLASS), self.labels]), self.class_names
        )

    def thinned(self, most: int) -> "Classes":
        """Those of the rows that `fitting.thinned` chooses."""
        return Classes(thinned(self.labels, most), self.class_names)

    def names(self) -> tuple[str | None, ...]:
        """Name of the class of each structure; None where it is not known."""
        return tuple(
            None if label == NO_CLASS else self.class_names[label] for label in self.labels.tolist()
        )


def checked_classes(
    classes: Classes | None, n: int, what: str = "reference points"
) -> Classes | None:
    """The same, if there is one label for each of `n` structures; else a `ValueError`."""
    if classes is not None and len(classes) != n:
        raise ValueError(f"expected the class of each of {n} {what}, got {len(classes)} labels.")
    return classes

"""The feature spaces in which sets of structures are compared, in units of given structures."""

from collections.abc import Callable, Mapping

import torch
from jaxtyping import Float, Float64
from torch import Tensor

from objectives.fidelity.feature_sets import frechet_distance, precision, recall
from objectives.fidelity.random_features import random_cnn_features
from objectives.fidelity.two_point_features import two_point_features
from objectives.fidelity.two_point_scores import TwoPointScores

NEIGHBOURS = 5
SMALLEST_SPREAD = 1e-6

Features = Callable[[Tensor], Tensor]  # (n, c, *space) -> (n, f), row by row


class Standardized:
    """Features, each over its standard deviation over reference structures.

    Parameters
    ----------
    features
        Images to rows of numbers.
    reference
        Two structures or more. What does not vary over them is left out.

    Raises
    ------
    ValueError
        For structures that are all alike in these features.
    """

    def __init__(self, features: Features, reference: Float[Tensor, "m c *space"]) -> None:
        self.features = features
        rows = features(reference).double()
        spread = rows.std(0, correction=1 if len(rows) > 1 else 0)
        self._varies = spread > SMALLEST_SPREAD
        self._spread = spread[self._varies]
        if not len(self._spread):
            raise ValueError(f"{len(rows)} structures are all alike in these features.")

    def __call__(self, images: Float[Tensor, "n c *space"]) -> Float64[Tensor, "n f"]:
        """Features of structures of the reference's shape, dimensionless."""
        return self.features(images).double()[:, self._varies] / self._spread


class FeatureSpaces:
    """Two-point scores, two-point features and a random network, or those that can be had.

    Parameters
    ----------
    reference
        Structures that fix components and units. A space in which they are too few, or do not
        differ, is left out.
    also
        Other feature spaces, by name.
    """

    def __init__(
        self, reference: Float[Tensor, "m c *space"], also: Mapping[str, Features] | None = None
    ) -> None:
        kinds: dict[str, Callable[[Tensor], Features]] = {
            "two_point": TwoPointScores,
            "two_point_features": lambda images: Standardized(two_point_features, images),
            "random_cnn": lambda images: Standardized(random_cnn_features, images),
        }
        self.spaces: dict[str, Features] = {}
        for name, kind in kinds.items():
            try:
                self.spaces[name] = kind(reference)
            except ValueError:
                continue
        self.spaces |= also or {}

    @torch.no_grad()
    def __call__(self, images: Float[Tensor, "n c *space"]) -> dict[str, Float[Tensor, "n f"]]:
        """A row a structure in each space, by its name."""
        return {name: features(images) for name, features in self.spaces.items()}


def compare_rows(
    ours: Mapping[str, Float[Tensor, "n f"]], reference: Mapping[str, Float[Tensor, "m f"]]
) -> dict[str, float]:
    """``frechet_``, ``precision_`` and ``recall_`` (5 neighbours) of two sets in each space.

    Precision and recall are left out for sets of five structures or fewer.
    """
    figures = {}
    for name, rows in ours.items():
        others = reference[name]
        figures[f"frechet_{name}"] = frechet_distance(rows, others)
        if min(len(rows), len(others)) > NEIGHBOURS:
            figures[f"precision_{name}"] = precision(rows, others, k=NEIGHBOURS)
            figures[f"recall_{name}"] = recall(rows, others, k=NEIGHBOURS)
    return figures

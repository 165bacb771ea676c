"""How far a structure is from those that are known to be makeable."""

from collections.abc import Callable
from functools import cached_property
from importlib import import_module
from typing import Annotated, Any, Literal

import numpy as np
import torch
from jaxtyping import Float64
from pydantic import AfterValidator, BeforeValidator, Field, PlainSerializer, WithJsonSchema
from torch import Tensor

from objectives.errors import EvaluationError
from objectives.grid import takes_grid
from objectives.manufacturability.rule import Measured, Rule
from objectives.manufacturability.structure import Structure


def _plain(scores: Any) -> Any:
    """Arrays as nested lists, which compare and go through JSON."""
    return np.asarray(scores).tolist() if isinstance(scores, np.ndarray | Tensor) else scores


def _imported(score: Any) -> Any:
    if not (isinstance(score, str) and ":" in score):
        return score
    module, _, name = score.partition(":")
    try:
        return getattr(import_module(module), name)
    except (ImportError, AttributeError) as error:
        raise ValueError(f"score cannot be imported ({error}). Give package.module:name.") from None


def _name(score: Callable[[Any], Any]) -> str:
    named = score if hasattr(score, "__qualname__") else type(score)
    return f"{named.__module__}:{named.__qualname__}"


def _enough(scores: list[list[float]]) -> list[list[float]]:
    widths = {len(row) for row in scores}
    if len(widths) != 1 or len(scores) <= min(widths) or 0 in widths:
        raise ValueError(
            f"reference should be rows of one length, more of them than scores in a row, got "
            f"{len(scores)} rows of {sorted(widths)}. Score more structures, or keep fewer scores."
        )
    return scores


# A function; in files its name.
Score = Annotated[
    Callable[[Any], Any],
    BeforeValidator(_imported),
    PlainSerializer(_name),
    WithJsonSchema({"type": "string"}),
]


class TrainingDistance(Rule):
    r"""A structure should look like those the process has made before.

    The value is :math:`\sqrt{(s - \mu)^T C^+ (s - \mu) / d}` of its scores :math:`s` (Mahalanobis'
    distance per score) to mean and covariance of the reference's: about 1 for a structure of the
    reference. No voxel is to blame. Scores are, for one, principal components of two-point
    statistics: ``score=TwoPointPCA(...).fit(images).transform``. What the scores leave out is not
    seen (the first components of smooth textures hardly notice a checkerboard): add the norm of the
    residual as one more score.
    """

    kind: Literal["training_distance"] = "training_distance"
    unit = "1"
    at_least = False
    limit: float = Field(
        default=2.0,
        gt=0,
        description="Largest Mahalanobis distance allowed from the reference, per score. "
        "Structures like the reference have about 1.",
    )
    score: Score = Field(
        description="Function from images (n, c, *space) to scores (n, d), or its name as "
        "package.module:name. If it has a parameter grid, it is given the grid too."
    )
    reference: Annotated[list[list[float]], BeforeValidator(_plain), AfterValidator(_enough)] = (
        Field(
            description="Scores (m, d) of the structures to compare with, one row each. More rows "
            "than columns are needed."
        )
    )

    @property
    def bound(self) -> float:
        """The largest distance allowed."""
        return self.limit

    def measure(self, structure: Structure) -> Measured:
        """The distance, and no voxels.

        Raises
        ------
        EvaluationError
            (A ``ValueError``.) The score has another number of values than the reference.
        """
        given = {"grid": structure.grid} if takes_grid(self.score) else {}
        scores = self.score(torch.from_numpy(structure.image)[None], **given)
        row = np.asarray(torch.as_tensor(scores).detach().cpu(), dtype=np.float64)
        mean, whitening = self._moments
        if row.shape != (1, len(mean)):
            raise EvaluationError(
                f"score should return shape (1, {len(mean)}) as the reference has it, got "
                f"{row.shape}. Score the reference with the same function."
            )
        whitened = whitening @ (row[0] - mean)
        return float(np.sqrt((whitened**2).mean())), structure.nothing()

    @cached_property
    def _moments(self) -> tuple[Float64[np.ndarray, "d"], Float64[np.ndarray, "d d"]]:
        reference = np.asarray(self.reference, dtype=np.float64)
        mean = reference.mean(0)
        _, s, vt = np.linalg.svd(reference - mean, full_matrices=False)
        keep = s > s.max() * 1e-10
        inverse = np.zeros_like(s)
        inverse[keep] = np.sqrt(len(reference) - 1) / s[keep]
        return mean, inverse[:, None] * vt

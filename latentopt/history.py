"""What a strategy is told: everything known so far, and what it is for."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from latentopt.expressions import Goal
from latentopt.space import LatentSpace
from objectives.arrays import as_tensor

__all__ = ["History"]


@dataclass(frozen=True, eq=False)
class History:
    """Evaluations so far, in one space, towards one goal: all a strategy may depend on.

    Rows are in the order of the trials' indices, so that the same trials give the same history in
    whatever order they finished.

    Parameters
    ----------
    space
        Where the points live; a strategy proposes inside its radius.
    goal
        Objectives and constraints in terms of `metrics`.
    seed
        With `next_index`, fixes every random choice of a strategy.
    z
        Evaluated points (n, d), torch, NumPy or lists, such as `space.encode` answers; float64.
    metrics
        Value of each metric at each row of `z`, float64, by name; finite.
    pending
        Points whose evaluation is under way.
    failed
        Points whose evaluation failed because of what they are; a strategy learns to avoid them.
    screened
        Points that a cheap surrogate ruled out before the costly evaluation.
    screened_metrics
        Value of each metric that the surrogate gave, at each row of `screened`.
    next_index
        Index of the next trial; the number of points above unless given.

    Examples
    --------
    A loop of your own needs no campaign::

        history = History(space, Goal.parse("k_xx"), z=z, metrics={"k_xx": k_xx})
        z_next = GPTypical().propose(history, q=5)
    """

    space: LatentSpace
    goal: Goal
    seed: int = 0
    # Torch, NumPy or lists come in; float64 tensors of shape (n, d), and (n,) by name, are kept.
    z: Any = None
    metrics: Mapping[str, Any] = field(default_factory=dict)
    pending: Any = None
    failed: Any = None
    screened: Any = None
    screened_metrics: Mapping[str, Any] = field(default_factory=dict)
    next_index: int | None = None

    def __post_init__(self) -> None:
        d = self.space.latent_dim
        for name in ("z", "pending", "failed", "screened"):
            points = getattr(self, name)
            points = torch.zeros(0, d) if points is None else as_tensor(points, name)
            if points.ndim != 2 or points.shape[1] != d or not torch.isfinite(points).all():
                raise ValueError(
                    f"{name} should be finite points of shape (n, {d}), got {tuple(points.shape)}."
                )
            object.__setattr__(self, name, points.detach().double())
        if self.next_index is None:
            points = sum(len(p) for p in (self.z, self.pending, self.failed, self.screened))
            object.__setattr__(self, "next_index", points)
        for name, of in (("metrics", "z"), ("screened_metrics", "screened")):
            checked = _checked_metrics(getattr(self, name), getattr(self, of), of)
            object.__setattr__(self, name, checked)

    def seed_of(self, index: int) -> int:
        """Seed for the random choices of trial `index`."""
        return int(np.random.SeedSequence((self.seed, index)).generate_state(1)[0])


def _checked_metrics(
    metrics: Mapping[str, Any], points: Float[Tensor, "n d"], of: str
) -> dict[str, Float[Tensor, " n"]]:
    columns = {name: as_tensor(values, f"metric {name}") for name, values in metrics.items()}
    for name, values in columns.items():
        if values.shape != (len(points),) or not torch.isfinite(values).all():
            raise ValueError(
                f"metric {name} should be {len(points)} finite values, one for each row of {of}; "
                "put points without a value into failed."
            )
    return {name: values.detach().double() for name, values in columns.items()}

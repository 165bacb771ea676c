"""What a strategy is told: everything known so far, and what it is for."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from latentopt.expressions import Goal
from latentopt.space import LatentSpace

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
        Evaluated points, float64.
    metrics
        Value of each metric at each row of `z`, float64, by name; finite.
    pending
        Points whose evaluation is under way.
    failed
        Points whose evaluation failed.
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
    z: Float[Tensor, "n d"] | None = None
    metrics: Mapping[str, Float[Tensor, " n"]] = field(default_factory=dict)
    pending: Float[Tensor, "p d"] | None = None
    failed: Float[Tensor, "f d"] | None = None
    next_index: int | None = None

    def __post_init__(self) -> None:
        d = self.space.latent_dim
        for name in ("z", "pending", "failed"):
            points = getattr(self, name)
            points = torch.zeros(0, d, dtype=torch.float64) if points is None else points
            if points.ndim != 2 or points.shape[1] != d or not torch.isfinite(points).all():
                raise ValueError(
                    f"{name} should be finite points of shape (n, {d}), got {tuple(points.shape)}."
                )
            object.__setattr__(self, name, points.detach().double())
        if self.next_index is None:
            points = len(self.z) + len(self.pending) + len(self.failed)
            object.__setattr__(self, "next_index", points)
        for name, values in self.metrics.items():
            if values.shape != (len(self.z),) or not torch.isfinite(values).all():
                raise ValueError(
                    f"metric {name} should be {len(self.z)} finite values, one for each row of z; "
                    "put points without a value into failed."
                )

    def seed_of(self, index: int) -> int:
        """Seed for the random choices of trial `index`."""
        return int(np.random.SeedSequence((self.seed, index)).generate_state(1)[0])

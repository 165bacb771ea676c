"""What a strategy is told: everything known so far, and what it is for."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from latentopt.goal import Goal
from latentopt.space.latent_space import LatentSpace
from objectives.arrays import as_tensor

__all__ = ["History", "parted"]

_COUNTED = -1  # the index of the next trial is the number of points
_ROUNDING = 1e-9  # of its size: values that differ by less do not scatter


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
        Value of each metric at each row of `z`, float64, by name; finite. In place of values
        ``(n,)`` there may be a pair of values and standard errors.
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
    sem
        Standard error of metrics at each row of `z`, float64, by name; nan where it is not known.
        A metric without is taken to be exact, unless it is `noisy`.
    noisy
        Metrics that scatter, whose errors are not all known. Those are among them that differ
        between rows with equal points.
    copied
        Whether the values of each row of `z` were taken over from another row.

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
    next_index: int = _COUNTED
    sem: Mapping[str, Any] = field(default_factory=dict)
    noisy: Collection[str] = ()
    copied: Any = None

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
        if self.next_index == _COUNTED:
            points = sum(len(p) for p in (self.z, self.pending, self.failed, self.screened))
            object.__setattr__(self, "next_index", points)
        values, sem = parted(self.metrics, self.sem)
        checked = {
            "metrics": _checked_metrics(values, self.z, "z"),
            "screened_metrics": _checked_metrics(self.screened_metrics, self.screened, "screened"),
            "sem": _checked_sem(sem, values, len(self.z)),
            "copied": _checked_copied(self.copied, len(self.z)),
        }
        for name, value in checked.items():
            object.__setattr__(self, name, value)
        object.__setattr__(self, "noisy", frozenset(self.noisy) | _scattered(self))

    def seed_of(self, index: int) -> int:
        """Seed for the random choices of trial `index`."""
        return int(np.random.SeedSequence((self.seed, index)).generate_state(1)[0])


def parted(
    metrics: Mapping[str, Any], sem: Mapping[str, Any]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Values and standard errors, of which some may come as tuples of both in `metrics`."""
    values, errors = dict(metrics), dict(sem)
    for name, given in metrics.items():
        pair = isinstance(given, tuple) and len(given) == 2 and all(np.ndim(x) == 1 for x in given)
        if pair and name in sem:
            raise ValueError(f"metric {name} has its standard errors twice: here and in sem.")
        if pair:
            values[name], errors[name] = given
    return values, errors


def _checked_sem(
    sem: Mapping[str, Any], metrics: Mapping[str, Any], n: int
) -> dict[str, Float[Tensor, " n"]]:
    columns = {}
    for name, given in sem.items():
        if name not in metrics:
            raise ValueError(f"sem has {name}, which is not among the metrics {list(metrics)}.")
        errors = as_tensor(given, f"sem of {name}").detach().double()
        known = ~errors.isnan()
        if errors.shape != (n,) or not torch.isfinite(errors[known]).all() or (errors < 0).any():
            raise ValueError(
                f"the sem of {name} should be {n} standard errors of 0 or more, one for each row "
                "of z; nan where one is not known."
            )
        columns[name] = errors
    return columns


def _checked_copied(copied: Any, n: int) -> Bool[Tensor, " n"]:
    if copied is None:
        return torch.zeros(n, dtype=torch.bool)
    copied = torch.as_tensor(copied, dtype=torch.bool)
    if copied.shape != (n,):
        raise ValueError(f"copied should be {n} booleans, one for each row of z.")
    return copied


def _scattered(history: "History") -> frozenset[str]:
    """Metrics that differ where a point was evaluated more than once."""
    if len(history.z) < 2:
        return frozenset()
    points, row = torch.unique(history.z, dim=0, return_inverse=True)
    if len(points) == len(history.z):
        return frozenset()
    found = set()
    for name, values in history.metrics.items():
        low = values.new_full((len(points),), torch.inf).scatter_reduce(0, row, values, "amin")
        high = values.new_full((len(points),), -torch.inf).scatter_reduce(0, row, values, "amax")
        if ((high - low) > _ROUNDING * values.abs().max()).any():
            found.add(name)
    return frozenset(found)


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

"""The evaluated points in the order of their trials, each with its merit: what a state is made of.

Strategies keep nothing between calls. One with a state, such as a step size or a trust region,
replays the history and arrives at the same state every time.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from jaxtyping import Float, Float64, Int
from torch import Tensor

from latentopt.history import History
from latentopt.unit_free import spread

__all__ = ["Replay", "merit_of", "merits", "violation_of"]


@dataclass(frozen=True)
class Replay:
    """Evaluated and failed points, first trial first.

    Parameters
    ----------
    z
        The points.
    merit
        Larger is better, see `merits`; -inf where the trial failed.
    row
        Their rows in the history's `z`; -1 where the trial failed.
    """

    z: Float64[Tensor, "n d"]
    merit: Float64[Tensor, " n"]
    row: Int[Tensor, " n"]

    @classmethod
    def of(cls, history: History) -> "Replay":
        """All that a history can say of what came when.

        It keeps evaluated points in order and failed points in order, but not how the two
        interleave, so the failed ones are spread evenly among the others.
        """
        n, f = len(history.z), len(history.failed)
        when = torch.cat([torch.arange(n) + 0.5, (torch.arange(f) + 1.0) * n / (f + 1)])
        order = torch.argsort(when, stable=True)
        z = torch.cat([history.z, history.failed])
        merit = torch.cat([merits(history), history.z.new_full((f,), -torch.inf)])
        row = torch.cat([torch.arange(n), torch.full((f,), -1)])
        return cls(z[order], merit[order], row[order])


def merits(history: History) -> Float64[Tensor, " n"]:
    """How good each evaluated point is, as one number: the order of Deb (2000).

    Feasible points by their objective, in units of its spread; below them all, the others by how
    much they violate, each constraint in units of its own spread, so that its unit does not matter.
    """
    if len(history.z) == 0:
        return history.z.new_zeros(0)
    (values,) = history.goal.values(history.metrics)
    return merit_of(
        (values / (spread(values) or 1.0)).double(), violation_of(history, history.metrics)
    )


def merit_of(values: Float[Tensor, "*n"], violation: Float[Tensor, "*n"]) -> Float[Tensor, "*n"]:
    """Larger is better: above 0 what is feasible, by its value, and below 0 what violates."""
    lowest = values.amin(-1, keepdim=True)
    return torch.where(violation > 0, -violation, values - lowest)


def violation_of(
    history: History, metrics: Mapping[str, Float[Tensor, "*n"]]
) -> Float64[Tensor, "*n"]:
    """Sum of what each constraint is violated by, in units of the spread seen; 0 if feasible."""
    told = history.goal.margins(history.metrics)
    violation = torch.zeros_like(next(iter(metrics.values())), dtype=torch.float64)
    for text, margin in history.goal.margins(metrics).items():
        violation += (-margin).clamp_min(0) / (spread(told[text]) or 1.0)
    return violation

"""What evaluating some points is expected to gain: over the best value, or in hypervolume."""

import math
from collections.abc import Mapping

import torch
from jaxtyping import Bool, Float64
from torch import Tensor

from latentopt.history import History
from latentopt.strategies.modelled.acquisition import margins_of, values_of
from latentopt.unit_free import spread

_PLACES = 256  # places in the box of each sample at which a volume is measured


def gain_of(
    history: History,
    predicted: Mapping[str, Float64[Tensor, "s q"]],
    succeeds: Bool[Tensor, "s q"],
) -> float:
    """Expected improvement by evaluating `q` points together, in the units of the history.

    Of several objectives it is that of the hypervolume above the worst feasible value of each. No
    objective counts as better than the best value seen by more than lies between the best and the
    worst: data say nothing of what is farther away.

    Parameters
    ----------
    history
        What is known.
    predicted
        Samples of each metric at the points.
    succeeds
        Whether the evaluation succeeds, in each sample.

    Returns
    -------
    Infinite as long as nothing is known that meets the constraints; 0 where an objective has been
    the same everywhere.
    """
    values, feasible = values_of(history), (margins_of(history) >= 0).all(0)
    if not feasible.any():
        return math.inf
    if any(spread(row) == 0 for row in values):
        return 0.0
    found = torch.stack(history.goal.values(predicted), -1)
    found = torch.minimum(found, 2 * values.amax(1) - values.amin(1))
    met = succeeds
    for margin in history.goal.margins(predicted).values():
        met = met & (margin >= 0)
    known = values.T[feasible]
    if len(values) == 1:
        best = found[..., 0].masked_fill(~met, -torch.inf).amax(1)
        return float((best - known.max()).clamp_min(0).mean())
    return _volume_gained(found, met, known, history.seed_of(history.next_index))


def _volume_gained(
    found: Float64[Tensor, "s q o"],
    met: Bool[Tensor, "s q"],
    known: Float64[Tensor, "n o"],
    seed: int,
) -> float:
    """Mean volume that samples dominate and the known points do not, by places drawn in a box."""
    low = known.amin(0)
    found = torch.where(met[..., None], found, low).maximum(low)
    box = found.amax(1) - low
    places = torch.quasirandom.SobolEngine(found.shape[-1], scramble=True, seed=seed)
    u = low + places.draw(_PLACES, dtype=torch.float64)[None] * box[:, None]  # (s, places, o)
    new = torch.zeros(u.shape[:2], dtype=torch.bool)
    for point in found.unbind(1):
        new |= (u <= point[:, None]).all(-1)
    for point in known:
        new &= ~(u <= point).all(-1)
    return float((box.prod(-1) * new.double().mean(1)).mean())

"""Where an acquisition function is highest: ascents in z, from data and from the best points."""

from typing import Protocol, runtime_checkable

import torch
from botorch.acquisition import AcquisitionFunction
from botorch.optim import optimize_acqf
from jaxtyping import Float, Float64
from torch import Tensor

from latentopt.history import History
from latentopt.strategies.apart import apart
from latentopt.strategies.modelled.acquisition import best_points
from latentopt.strategies.modelled.inputs import Inputs

_AT_ONCE = 512  # points whose acquisition is computed together


@runtime_checkable
class Ascents(Protocol):
    """How much is spent on one point."""

    @property
    def restarts(self) -> int:
        """Ascents for each point."""
        ...

    @property
    def raw_samples(self) -> int:
        """Points, about, of which the starts of the ascents are chosen."""
        ...

    @property
    def max_iterations(self) -> int:
        """Largest number of steps of an ascent."""
        ...


def highest(
    acquisition: AcquisitionFunction, inputs: Inputs, history: History, q: int, settings: Ascents
) -> Float64[Tensor, "q d"]:
    """Points chosen one by one, each with the ones before it pending."""
    inside = _OverPoints(acquisition, inputs)
    space = history.space
    taken = torch.cat([history.z, history.failed, history.screened, history.pending])
    points = history.pending
    for i in range(q):
        acquisition.set_X_pending(inputs.exact(points) if len(points) else None)
        starts = _starts(inputs, history, settings, history.seed_of(history.next_index + i))
        ends = torch.cat(_ascend(inside, starts, settings))
        fresh = apart(ends, taken)
        if fresh.any():
            ends = ends[fresh]
            # What counts is the point as it will be evaluated, not softly as in the ascent.
            with torch.no_grad():
                ends = ends[exact_values(acquisition, inputs, ends).argmax()][None]
        else:
            ends = space.sample(1, seed=history.seed_of(history.next_index + i))
        points, taken = torch.cat([points, ends]), torch.cat([taken, ends])
    return points[len(history.pending) :]


def exact_values(
    acquisition: AcquisitionFunction, inputs: Inputs, z: Float64[Tensor, "n d"]
) -> Float64[Tensor, " n"]:
    """Value of the acquisition function at each point alone, as it will be evaluated."""
    x = inputs.exact(z)[:, None]
    return torch.cat([acquisition(part) for part in x.split(_AT_ONCE)])


class _OverPoints(AcquisitionFunction):
    """An acquisition function of the inputs as one of latent points."""

    def __init__(self, acquisition: AcquisitionFunction, inputs: Inputs) -> None:
        super().__init__(acquisition.model)
        self.acquisition, self.inputs = acquisition, inputs

    def forward(self, X: Float[Tensor, "b q d"]) -> Float[Tensor, " b"]:
        return self.acquisition(self.inputs(X))


def _starts(
    inputs: Inputs, history: History, settings: Ascents, seed: int
) -> Float64[Tensor, "m d"]:
    """Points to start from: training structures, draws, and points around the best."""
    space, generator = history.space, torch.Generator().manual_seed(seed)
    n = settings.raw_samples
    pool = inputs.pool()
    data = pool[torch.randperm(len(pool), generator=generator)[: n // 2]]
    draws = space.sample(max(1, n // 8), seed=seed)
    best = best_points(history, 3)
    around = best.repeat(-(-n // 4 // len(best)), 1)
    step = 0.05 + 0.5 * torch.rand(len(around), 1, generator=generator, dtype=torch.float64)
    around = around + step * torch.randn(around.shape, generator=generator, dtype=torch.float64)
    return space.project(torch.cat([draws, data, around]).clamp(*space.bounds))


def _ascend(
    inside: _OverPoints, starts: Float64[Tensor, "m d"], settings: Ascents
) -> tuple[Float64[Tensor, "r d"], Float64[Tensor, "r d"]]:
    """The best starts, and where ascents from them end."""
    space = inside.inputs.space
    with torch.no_grad():
        values = exact_values(inside.acquisition, inside.inputs, starts)
    best = starts[values.topk(min(settings.restarts, len(starts))).indices]
    ends, _ = optimize_acqf(
        inside,
        bounds=space.bounds,
        q=1,
        num_restarts=len(best),
        batch_initial_conditions=best[:, None],
        return_best_only=False,
        options={"maxiter": settings.max_iterations, "batch_limit": len(best)},
    )
    return best, space.project(ends[:, 0].detach())

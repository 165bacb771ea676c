"""Fit, acquisition and ascent of `gp_typical`: the part that needs BoTorch."""

from functools import partial
from typing import TYPE_CHECKING

import torch
from botorch.acquisition import AcquisitionFunction
from botorch.acquisition.logei import (
    qLogExpectedImprovement,
    qLogProbabilityOfFeasibility,
)
from botorch.acquisition.objective import GenericMCObjective
from botorch.fit import fit_gpytorch_mll
from botorch.models import SingleTaskGP
from botorch.models.transforms import Standardize
from botorch.optim import optimize_acqf
from botorch.sampling import SobolQMCNormalSampler
from gpytorch.mlls import ExactMarginalLogLikelihood
from jaxtyping import Float, Float64
from torch import Tensor

from latentopt.history import History
from latentopt.space import LatentSpace

if TYPE_CHECKING:
    from latentopt.strategies.gp_typical import GPTypical

_SAMPLES = 128  # posterior samples behind one acquisition value
_INCUMBENTS = 3  # best points that are perturbed for starts
_SAME = 1e-6  # points nearer than this are one point
_DECADE = 10.0  # a positive metric that spans more is modelled by its logarithm


def most_improving(history: History, q: int, settings: "GPTypical") -> Float64[Tensor, "q d"]:
    """Points chosen one by one, each with the ones before it pending."""
    acquisition = _acquisition(history, _fit(history, settings.max_iterations))
    inside = _InsideRadius(acquisition, history.space)
    taken = torch.cat([history.z, history.failed, history.pending])
    points = history.pending
    for i in range(q):
        acquisition.set_X_pending(_unit(history.space, points) if len(points) else None)
        starts = _starts(history, settings.raw_samples, history.seed_of(history.next_index + i))
        point = history.space.project(_ascend(inside, starts, settings))
        if torch.cdist(point, taken).min() < _SAME:
            point = starts[:1]  # the ascent ended on a known point
        points, taken = torch.cat([points, point]), torch.cat([taken, point])
    return points[len(history.pending) :]


class _InsideRadius(AcquisitionFunction):
    """An acquisition function that sees each point through its projection into the radius."""

    def __init__(self, acquisition: AcquisitionFunction, space: LatentSpace) -> None:
        super().__init__(acquisition.model)
        self.acquisition, self.space = acquisition, space

    def forward(self, X: Float[Tensor, "b q d"]) -> Float[Tensor, " b"]:
        return self.acquisition(_unit(self.space, self.space.project(X)))


def _unit(space: LatentSpace, z: Float[Tensor, "*n d"]) -> Float[Tensor, "*n d"]:
    """Whitened points as the near-unit cube that the lengthscale prior expects: +-3 is 0 to 1."""
    return z / 6 + 0.5


def _is_logged(values: Float64[Tensor, " n"]) -> bool:
    """Whether a Gaussian fits the logarithm better: conductivities of one contrast span decades."""
    return bool((values > 0).all() and values.max() > _DECADE * values.min())


def _fit(history: History, max_iterations: int) -> SingleTaskGP:
    columns = [history.metrics[name] for name in history.goal.metrics]
    y = torch.stack([v.log() if _is_logged(v) else v for v in columns], dim=1)
    x = _unit(history.space, history.z)
    tiny = torch.finfo(y.dtype).tiny  # a permeability in m2 is a metric as good as any other
    model = SingleTaskGP(x, y, outcome_transform=Standardize(y.shape[1], min_stdv=tiny))
    fit_gpytorch_mll(
        ExactMarginalLogLikelihood(model.likelihood, model),
        optimizer_kwargs={"options": {"maxiter": max_iterations}},
    )
    return model


def _acquisition(history: History, model: SingleTaskGP) -> AcquisitionFunction:
    goal, names = history.goal, history.goal.metrics
    logged = [_is_logged(history.metrics[name]) for name in names]

    def metrics(samples: Tensor) -> dict[str, Tensor]:
        columns = samples.unbind(-1)
        return {
            name: column.exp() if log else column
            for name, column, log in zip(names, columns, logged, strict=True)
        }

    # Both acquisition functions smooth their steps by a fixed width: in units of the spread seen,
    # so that a metric in pascals is treated as one in gigapascals. BoTorch's constraints are met
    # where negative.
    values, margins = _values(history), _margins(history)
    scale = _spread(values)
    constraints = [
        partial(lambda c, s, samples: -c.margin(metrics(samples)) / s, constraint, _spread(margin))
        for constraint, margin in zip(goal.constraints, margins, strict=True)
    ]
    feasible = (margins >= 0).all(0)
    sampler = SobolQMCNormalSampler(
        torch.Size([_SAMPLES]), seed=history.seed_of(history.next_index)
    )
    if not feasible.any():
        return qLogProbabilityOfFeasibility(model, constraints, sampler=sampler)
    return qLogExpectedImprovement(
        model,
        best_f=values[feasible].max() / scale,
        sampler=sampler,
        objective=GenericMCObjective(lambda y, X=None: goal.values(metrics(y))[0] / scale),
        constraints=constraints or None,
    )


def _values(history: History) -> Float64[Tensor, " n"]:
    """Objective at each evaluated point."""
    (values,) = history.goal.values(history.metrics)
    return values


def _margins(history: History) -> Float64[Tensor, "c n"]:
    """Signed margin of each constraint at each evaluated point."""
    margins = history.goal.margins(history.metrics).values()
    return torch.stack(list(margins)) if margins else history.z.new_zeros(0, len(history.z))


def _spread(values: Float64[Tensor, " n"]) -> float:
    return float(values.std()) or 1.0


def _best(history: History, n: int) -> Float64[Tensor, "m d"]:
    """The best feasible points, and after them those that violate the least."""
    values, margins = _values(history), _margins(history)
    violation = (-margins).clamp_min(0).sum(0)
    ranked = torch.where(violation > 0, values.min() - violation, values)
    return history.z[ranked.topk(min(n, len(ranked))).indices]


def _starts(history: History, n: int, seed: int) -> Float64[Tensor, "m d"]:
    """Points to start from: half data, a quarter draws, a quarter around the best points."""
    space, generator = history.space, torch.Generator().manual_seed(seed)
    data = space.reference_[torch.randperm(len(space.reference_), generator=generator)[: n // 2]]
    draws = space.sample(n // 4, seed=seed)
    best = _best(history, _INCUMBENTS)
    around = best.repeat(-(-n // 4 // len(best)), 1)
    step = 0.1 + 0.7 * torch.rand(len(around), 1, generator=generator, dtype=torch.float64)
    around = around + step * torch.randn(around.shape, generator=generator, dtype=torch.float64)
    starts = torch.cat([draws, data, around])
    return space.project(starts.clamp(*space.bounds))


def _ascend(
    inside: _InsideRadius, starts: Float64[Tensor, "m d"], settings: "GPTypical"
) -> Float64[Tensor, "1 d"]:
    with torch.no_grad():
        best = inside(starts[:, None]).topk(min(settings.restarts, len(starts))).indices
    point, _ = optimize_acqf(
        inside,
        bounds=inside.space.bounds,
        q=1,
        num_restarts=len(best),
        batch_initial_conditions=starts[best][:, None],
        options={"maxiter": settings.max_iterations, "batch_limit": len(best)},
    )
    return point.detach()

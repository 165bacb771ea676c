"""Fit, candidates and samples of `turbo`: the part that needs BoTorch."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from botorch.fit import fit_gpytorch_mll
from botorch.models import SingleTaskGP
from gpytorch.mlls import ExactMarginalLogLikelihood
from jaxtyping import Float, Float64, Int
from torch import Tensor

from latentopt.history import History
from latentopt.space import LatentSpace
from latentopt.strategies.replay import Replay, merit_of, merits, violation_of

if TYPE_CHECKING:
    from latentopt.strategies.turbo import Region, Turbo

_MOVED = 20  # coordinates that a candidate changes, on average: Regis & Shoemaker 2013
_SAME = 1e-6  # points nearer than this are one point
_DECADE = 10.0  # a positive metric that spans more is modelled by its logarithm


def best_of_samples(
    history: History, q: int, region: "Region", settings: "Turbo"
) -> Float64[Tensor, "q d"]:
    """The best candidate by each of `q` posterior samples, none of them twice."""
    row = Replay.of(history).row[region.begin :]
    row = row[row >= 0]
    scales = [_Scale.of(history.metrics[name][row]) for name in history.goal.metrics]
    model = _fit(history, row, scales, settings.max_iterations)
    best = history.z[row[merits(history)[row].argmax()]]
    half = 0.5 * region.length * _weights(model)
    z = _new_candidates(history, best, half, max(settings.candidates, 2 * q))
    with torch.no_grad():
        samples = model.posterior(_unit(z)).rsample(torch.Size([q]))  # (q, candidates, metrics)
    metrics = {
        name: scale.metric(column)
        for name, scale, column in zip(
            history.goal.metrics, scales, samples.unbind(-1), strict=True
        )
    }
    (values,) = history.goal.values(metrics)
    merit = merit_of(values, violation_of(history, metrics))
    chosen: list[int] = []
    for sample in merit:
        sample[chosen] = -torch.inf
        chosen.append(int(sample.argmax()))
    return z[chosen]


def _new_candidates(
    history: History, best: Float64[Tensor, " d"], half: Float64[Tensor, " d"], n: int
) -> Float64[Tensor, "m d"]:
    """Candidates that are not among the points already evaluated or under way."""
    z = candidates(history.space, best, half, n, seed=history.seed_of(history.next_index))
    known = torch.cat([history.z, history.pending, history.failed])
    return z[torch.cdist(z, known).amin(1) > _SAME]


def candidates(
    space: LatentSpace,
    center: Float64[Tensor, " d"],
    half: Float64[Tensor, " d"],
    n: int,
    *,
    seed: int,
) -> Float64[Tensor, "n d"]:
    """Points of a box around `center` that differ from it in about 20 coordinates.

    Parameters
    ----------
    center
        Inside the radius of `space`.
    half
        Half the side of the box along each axis.

    Returns
    -------
    Points inside both the box and the radius; some of them at the center, if that is at the radius
    and they would have gone straight outwards.
    """
    d = len(center)
    sequence = torch.quasirandom.SobolEngine(d, scramble=True, seed=seed)
    step = half * (2 * sequence.draw(n, dtype=torch.float64) - 1)
    generator = torch.Generator().manual_seed(seed)
    moved = torch.rand(n, d, generator=generator) < min(_MOVED / d, 1.0)
    one = torch.randint(d, (n, 1), generator=generator)  # at least one coordinate moves
    z = center + step * moved.scatter(1, one, True)
    # The nearest point inside the radius may leave the box by a little; back in the box it may be
    # outside the radius by less. The way from there to the center is inside both.
    z = space.project(z).clamp(center - half, center + half)
    return center + _part_inside(center, z - center, space.radius) * (z - center)


def _part_inside(
    start: Float64[Tensor, " d"], way: Float64[Tensor, "n d"], radius: float
) -> Float64[Tensor, "n 1"]:
    """Largest part t <= 1 of each way for which ``start + t * way`` is inside the radius."""
    a = way.square().sum(1, keepdim=True).clamp_min(torch.finfo(way.dtype).tiny)
    b = (way @ start)[:, None]
    c = (radius**2 - start.square().sum()).clamp_min(0)
    return (((b.square() + a * c).sqrt() - b) / a).clamp(0, 1)


@dataclass(frozen=True)
class _Scale:
    """Map of a metric to mean 0 and spread 1 and back, over its logarithm if it spans decades.

    Not BoTorch's `Standardize`: that samples in the metric's own unit, where the jitter of a
    Cholesky factor would bury a permeability in m2.
    """

    logged: bool
    mean: float
    spread: float

    @classmethod
    def of(cls, values: Float[Tensor, " n"]) -> "_Scale":
        logged = bool((values > 0).all() and values.max() > _DECADE * values.min())
        values = values.log() if logged else values
        return cls(logged, float(values.mean()), float(values.std()) or 1.0)

    def standard(self, values: Float[Tensor, " n"]) -> Float64[Tensor, " n"]:
        values = values.double()
        return ((values.log() if self.logged else values) - self.mean) / self.spread

    def metric(self, standard: Float64[Tensor, "*n"]) -> Float64[Tensor, "*n"]:
        values = self.mean + self.spread * standard
        return values.exp() if self.logged else values


def _fit(
    history: History, row: Int[Tensor, " n"], scales: list[_Scale], max_iterations: int
) -> SingleTaskGP:
    names = history.goal.metrics
    y = [s.standard(history.metrics[name][row]) for name, s in zip(names, scales, strict=True)]
    model = SingleTaskGP(_unit(history.z[row]), torch.stack(y, dim=1), outcome_transform=None)
    fit_gpytorch_mll(
        ExactMarginalLogLikelihood(model.likelihood, model),
        optimizer_kwargs={"options": {"maxiter": max_iterations}},
    )
    return model


def _unit(z: Float64[Tensor, "n d"]) -> Float64[Tensor, "n d"]:
    """Whitened points as the near-unit cube that the lengthscale prior expects: +-3 is 0 to 1."""
    return z / 6 + 0.5


def _weights(model: SingleTaskGP) -> Float64[Tensor, " d"]:
    """Side of the box along each axis: longer where metrics change slowly, volume 1."""
    lengths = model.covar_module.lengthscale.detach().reshape(-1, model.train_inputs[0].shape[-1])
    logs = lengths.log().mean(0)
    return (logs - logs.mean()).exp()

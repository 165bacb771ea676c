"""Fit, candidates and samples of `turbo`: the part that needs BoTorch."""

from dataclasses import replace
from typing import Literal

import torch
from gpytorch.kernels import Kernel
from jaxtyping import Float64
from torch import Tensor

from latentopt.history import History
from latentopt.space.latent_space import LatentSpace
from latentopt.strategies.apart import apart
from latentopt.strategies.modelled.inputs import Inputs, PointInputs, StructureInputs
from latentopt.strategies.modelled.processes import SearchModel
from latentopt.strategies.replay import Replay, merit_of, merits, violation_of
from latentopt.strategies.trust_region import Region

_MOVED = 20  # coordinates that a candidate changes, on average: Regis & Shoemaker 2013


def best_of_samples(
    history: History,
    q: int,
    region: Region,
    *,
    inputs: Literal["z", "structure"],
    candidates: int | None,
    max_iterations: int,
) -> Float64[Tensor, "q d"]:
    """The best candidate by each of `q` posterior samples, none of them twice.

    The keyword arguments are settings of `Turbo`.
    """
    local, space = _in_region(history, region), history.space
    seen: Inputs
    if inputs == "z":
        seen, most = PointInputs(space, ball=False), 2000
    else:
        seen, most = StructureInputs(space), 500
    model = SearchModel(local, seen, max_iterations=max_iterations)
    best = local.z[merits(model.believed(local)).argmax()]
    half = 0.5 * region.length * _weights(model, space.latent_dim)
    n = candidates or min(100 * space.latent_dim, most)
    z = _new_candidates(history, best, half, max(n, 2 * q))
    with torch.no_grad():
        samples = model.botorch_model.posterior(seen.exact(z)).rsample(torch.Size([q]))
    metrics = model.values(samples)
    violation = violation_of(local, metrics)
    if model.learns_success:  # the last output: 1 is success, 0 failure
        violation += (0.5 - samples[..., -1]).clamp_min(0)
    (values,) = history.goal.values(metrics)
    merit = merit_of(values, violation)
    chosen: list[int] = []
    for sample in merit:
        sample[chosen] = -torch.inf
        chosen.append(int(sample.argmax()))
    return z[chosen]


def _in_region(history: History, region: Region) -> History:
    """What is known of points that belong to the region."""
    told = Replay.of(history)
    z, row = told.z[region.begin :], told.row[region.begin :]
    known = row >= 0
    return replace(
        history,
        z=z[known],
        metrics={name: values[row[known]] for name, values in history.metrics.items()},
        sem={name: values[row[known]] for name, values in history.sem.items()},
        copied=history.copied[row[known]],
        failed=z[~known],
        screened=None,
        screened_metrics={},
    )


def _new_candidates(
    history: History, best: Float64[Tensor, " d"], half: Float64[Tensor, " d"], n: int
) -> Float64[Tensor, "m d"]:
    """Candidates that are not among the points already evaluated or under way."""
    z = box_points(history.space, best, half, n, seed=history.seed_of(history.next_index))
    known = torch.cat([history.z, history.pending, history.failed])
    return z[apart(z, known)]


def box_points(
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


def _weights(model: SearchModel, d: int) -> Float64[Tensor, " d"]:
    """Side of the box along each axis: longer where metrics change slowly, volume 1.

    Only processes on z say how fast; with others the box is a cube.
    """
    if not isinstance(model.inputs, PointInputs) or not model.processes:
        return torch.ones(d, dtype=torch.float64)
    kernels = [process.covar_module for process in model.processes.values()]
    scales = [kernel.lengthscale.detach()[0] for kernel in kernels if isinstance(kernel, Kernel)]
    logs = torch.stack(scales).log().mean(0)
    return (logs - logs.mean()).exp()

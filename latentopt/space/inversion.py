"""Latent inversion: the point whose decoded structure comes nearest to a given one.

An encoder only guesses: its point decodes to a slightly different structure. A value measured on a
structure belongs to the point that decodes to it, so the guess is improved by gradient descent.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from pydantic import Field
from torch import Tensor

from generative.batching import VOXELS_PER_CHUNK
from generative.losses.two_point import autocorrelation
from latentopt.space.arguments import AnyArray, checked_images
from latentopt.space.decoder import Encoder
from latentopt.space.latent_space import LatentSpace
from objectives.arrays import as_tensor
from objectives.phases import cut_phases
from objectives.settings import Settings

__all__ = ["Inversion", "InversionConfig", "describe_misfits", "invert"]

LOOKS = 20  # moments of a descent at which the structure is cut into phases and compared
DRAWS = 256  # of the prior, from which a decoder without encoder begins


class InversionConfig(Settings):
    """How points are fitted to structures."""

    steps: int = Field(
        100,
        ge=0,
        description="Number of steps of the Adam optimizer. 0 returns the start: the encoder's "
        "estimate, or the nearest sample of the prior.",
    )
    learning_rate: float = Field(
        0.1,
        gt=0,
        description="Learning rate of the Adam optimizer, in standard deviations of z. It falls "
        "to 0 along a cosine.",
    )
    two_point_weight: float = Field(
        0.0,
        ge=0,
        description="Weight of the squared error of the two-point autocorrelation, beside the "
        "squared error of the voxels. 0 leaves the term out.",
    )
    seed: int = Field(
        0,
        ge=0,
        description="Seed of the prior samples from which a model without an encoder starts.",
    )


@dataclass(frozen=True, eq=False)
class Inversion:
    """Points fitted to structures, and how far each remains from its own.

    Parameters
    ----------
    z
        The points, float64 inside the radius of the space.
    voxels_before, voxels_after
        Share of voxels that lie in another phase, at the start and at `z`.
    two_point_before, two_point_after
        Root-mean-square difference of the periodic autocorrelation over all shifts and channels,
        of structures cut into phases.
    """

    z: Float[Tensor, "n d"]
    voxels_before: Float[Tensor, " n"]
    voxels_after: Float[Tensor, " n"]
    two_point_before: Float[Tensor, " n"]
    two_point_after: Float[Tensor, " n"]


def invert(
    space: LatentSpace,
    images: AnyArray,
    config: InversionConfig | None = None,
    *,
    progress: Callable[[int, int], None] | None = None,
) -> Inversion:
    """The point of each structure, by the encoder and then by Adam on z [1]_.

    Each row descends on its own squared error of a voxel, inside the radius by projection. Of its
    start and `LOOKS` moments of the descent it keeps the one whose phases differ in the fewest
    voxels: no row ends further from its structure than it began.

    Parameters
    ----------
    images
        Structures ``(n, c, *space)`` in [0, 1].
    progress
        Called with the rows done and all rows.

    Raises
    ------
    ValueError
        For images of another shape, out of range or not finite.

    References
    ----------
    .. [1] Chu et al. (2024), Inversion-based Latent Bayesian Optimization (NeurIPS).

    Examples
    --------
    >>> space = LatentSpace.default()
    >>> found = invert(space, space.decode(space.sample(1, seed=0)), InversionConfig(steps=20))
    >>> bool(found.voxels_after <= found.voxels_before)
    True
    """
    config = config or InversionConfig()
    targets = checked_images(as_tensor(images), space.image_shape).detach().float()
    rows = max(1, VOXELS_PER_CHUNK // targets[:1].numel()) if len(targets) else 1
    parts = []
    for chunk in targets.split(rows):
        parts.append(_invert_rows(space, chunk, config))
        if progress is not None:
            progress(sum(len(part[0]) for part in parts), len(targets))
    return Inversion(*(torch.cat(column) for column in zip(*parts, strict=True)))


def describe_misfits(
    found: Inversion, tolerance: float, names: Sequence[str] | None = None
) -> list[str]:
    """One line for each row of which more than a share `tolerance` of the voxels differs."""
    return [
        f"{f'row {row}' if names is None else names[row]}: {share:.1%} of its voxels differ from "
        f"the nearest structure of the space, more than {tolerance:.1%}"
        for row, share in enumerate(found.voxels_after.tolist())
        if share > tolerance
    ]


def _invert_rows(
    space: LatentSpace, targets: Float[Tensor, "n c *space"], config: InversionConfig
) -> tuple[Tensor, ...]:
    if len(targets) == 0:
        empty = torch.zeros(0, dtype=torch.float64)
        return (torch.zeros(0, space.latent_dim, dtype=torch.float64), *[empty] * 4)
    phases = cut_phases(targets)
    start = space.project(_start(space, targets, config.seed))
    best, before = start.clone(), _share(space, start, phases)
    least = before.clone()
    moments = {config.steps * (i + 1) // LOOKS for i in range(LOOKS)} - {0}
    z = start.clone().requires_grad_(True)
    optimizer = torch.optim.Adam([z], config.learning_rate)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, max(1, config.steps))
    for step in range(1, config.steps + 1):
        with torch.enable_grad():
            # A sum over rows: each row's gradient, and Adam's step, are its own.
            loss = _row_errors(space.decode(z), targets, config.two_point_weight).sum()
        (z.grad,) = torch.autograd.grad(loss, z)
        optimizer.step()
        schedule.step()
        with torch.no_grad():
            z.copy_(space.project(z.detach()))
        if step in moments:
            share = _share(space, z.detach(), phases)
            better = share < least
            best[better], least[better] = z.detach()[better], share[better]
    return best, before, least, _two_point(space, start, phases), _two_point(space, best, phases)


def _start(space: LatentSpace, targets: Float[Tensor, "n c *space"], seed: int) -> Tensor:
    """What the encoder says; without one, the nearest of `DRAWS` draws of the prior."""
    if isinstance(space.model, Encoder):
        return space.encode(targets)
    draws = space.sample(DRAWS, seed)
    decoded = space.decode(draws).flatten(1)
    return draws[torch.cdist(targets.flatten(1), decoded).argmin(1)]


def _row_errors(
    decoded: Float[Tensor, "n c *space"], targets: Float[Tensor, "n c *space"], two_point: float
) -> Float[Tensor, " n"]:
    errors = (decoded - targets).square().flatten(1).mean(1)
    if two_point:
        difference = autocorrelation(decoded) - autocorrelation(targets)
        errors = errors + two_point * difference.square().flatten(1).mean(1)
    return errors


def _decoded_phases(space: LatentSpace, z: Tensor) -> Float[Tensor, "n c *space"]:
    with torch.no_grad():
        decoded = space.decode(z)
    return cut_phases(decoded)


def _share(
    space: LatentSpace, z: Tensor, phases: Float[Tensor, "n c *space"]
) -> Float[Tensor, " n"]:
    """Share of voxels in another phase."""
    differs = (_decoded_phases(space, z) != phases).any(1)
    return differs.flatten(1).double().mean(1)


def _two_point(
    space: LatentSpace, z: Tensor, phases: Float[Tensor, "n c *space"]
) -> Float[Tensor, " n"]:
    difference = autocorrelation(_decoded_phases(space, z)) - autocorrelation(phases)
    return difference.double().square().flatten(1).mean(1).sqrt()

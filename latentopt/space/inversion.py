"""Latent inversion: the point whose decoded structure comes nearest to a given one.

An encoder only guesses: its point decodes to a slightly different structure. A value measured on a
structure belongs to the point that decodes to it, so the guess is improved by gradient descent.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Float64
from pydantic import Field
from torch import Tensor

from generative.batching import VOXELS_PER_CHUNK
from generative.losses.two_point import autocorrelation
from latentopt.space.arguments import AnyArray, checked_images
from latentopt.space.descent import LEARNING_RATE, descend
from latentopt.space.encoding import first_points
from latentopt.space.latent_space import LatentSpace
from objectives.arrays import as_tensor
from objectives.phases import cut_phases
from objectives.settings import Settings

__all__ = ["Inversion", "InversionConfig", "describe_misfits", "invert"]


class InversionConfig(Settings):
    """How points are fitted to structures."""

    steps: int = Field(
        100,
        ge=0,
        description="Number of steps of the Adam optimizer. 0 returns the start: the encoder's "
        "estimate, or the origin.",
    )
    learning_rate: float = Field(
        LEARNING_RATE,
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
    """The point of each structure, by the encoder and then by descent (`descend`).

    A model without an encoder begins at the origin, which decodes to a structure near all others.
    A random draw decodes to another structure, and few descents find the way from there.

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
    TypeError
        If the model decodes without a gradient.

    Examples
    --------
    >>> space = LatentSpace.default()
    >>> found = invert(space, space.decode(space.sample(1, seed=0)), InversionConfig(steps=20))
    >>> bool(found.voxels_after <= found.voxels_before)
    True
    """
    config = config or InversionConfig()
    targets = checked_images(as_tensor(images), space.image_shape).detach().float()
    start = first_points(space, targets)
    found = descend(
        space.decode,
        space.project,
        start,
        targets,
        **config.model_dump(),
        progress=progress,
    )
    phases = cut_phases(targets)
    before, after = (_compared(space, z, phases) for z in (start, found))
    return Inversion(found, before[0], after[0], before[1], after[1])


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


def _compared(
    space: LatentSpace, z: Tensor, phases: Float[Tensor, "n c *space"]
) -> tuple[Float64[Tensor, " n"], Float64[Tensor, " n"]]:
    """Share of voxels in another phase, and rms difference of the autocorrelation."""

    def of_rows(points: Tensor, rows: Tensor) -> Tensor:
        decoded = cut_phases(space.decode(points))
        share = (decoded != rows).any(1).flatten(1).double().mean(1)
        difference = autocorrelation(decoded) - autocorrelation(rows)
        return torch.stack([share, difference.double().square().flatten(1).mean(1).sqrt()], 1)

    size = max(1, VOXELS_PER_CHUNK // max(1, phases[:1].numel()))
    with torch.no_grad():
        pairs = zip(z.split(size), phases.split(size), strict=True)
        share, two_point = torch.cat([of_rows(*pair) for pair in pairs]).unbind(1)
    return share, two_point

"""What a process of finite resolution leaves of a structure's properties."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import isfinite, log, sqrt

import numpy as np
import torch
from jaxtyping import Float, Float64
from scipy import ndimage
from torch import Tensor

from objectives.errors import EvaluationError
from objectives.grid import Grid, takes_grid
from objectives.images import checked_images
from objectives.phases import cut_phases


@dataclass(frozen=True)
class ProcessDrop:
    """Values of an objective as designed and as made.

    Attributes
    ----------
    designed, made
        Values of the objective on the phases of the images, before and after.
    drop
        ``designed - made``, in the units of the objective.
    changed
        Share of voxels whose phase changed.
    images
        What was made, as images with one phase in each voxel.
    """

    designed: Mapping[str, Float64[Tensor, "n"]]
    made: Mapping[str, Float64[Tensor, "n"]]
    drop: Mapping[str, Float64[Tensor, "n"]]
    changed: Float64[Tensor, "n"]
    images: Float[Tensor, "n c *space"]


def process_drop(
    images: Float[Tensor, "n c *space"],
    objective: Callable[..., Mapping[str, Tensor]],
    *,
    resolution_um: float | int,
    voxel_size_um: float | int | Sequence[float | int] = 1.0,
    periodic: bool = True,
) -> ProcessDrop:
    """How much an objective changes when the process blurs the structure.

    The images are cut into phases, blurred by a Gaussian, cut into phases again and scored: what a
    laser spot or a pixel of light does to small features, as a check and not as a process model.

    Parameters
    ----------
    images
        Shares of phases in [0, 1].
    objective
        Function from images to named values, such as an entry of `objectives.OBJECTIVES`. It is
        given the `Grid`, too, if it takes one.
    resolution_um
        Full width of the blur at half its maximum; 0 changes nothing.
    voxel_size_um
        Edge of a voxel, or one for each axis of the images.
    periodic
        Whether images repeat; else their last voxels go on beyond the faces.

    Raises
    ------
    ValueError
        The resolution is negative, or the voxel size not positive.
    """
    if not (isfinite(resolution_um) and resolution_um >= 0):
        raise EvaluationError(f"resolution_um should be at least 0, got {resolution_um}.")
    try:
        grid = Grid(voxel_size_um, periodic)
    except ValueError:
        raise EvaluationError(
            f"voxel_size_um should be positive, one or one for each axis, got {voxel_size_um}."
        ) from None
    x = checked_images(images).detach()
    x = cut_phases(x).to(x.dtype)
    sigma = resolution_um / sqrt(8 * log(2))
    blurred = ndimage.gaussian_filter(
        x.cpu().numpy().astype(np.float64),
        (0, 0, *[sigma / edge for edge in grid.edges_um(x.ndim - 2)]),
        mode="wrap" if periodic else "nearest",
    )
    made_images = cut_phases(torch.from_numpy(blurred)).to(x)
    given = {"grid": grid} if takes_grid(objective) else {}
    designed, made = dict(objective(x, **given)), dict(objective(made_images, **given))
    changed = (x != made_images).any(1).double().flatten(1).mean(1)
    drop = {name: designed[name] - made[name] for name in designed}
    return ProcessDrop(designed, made, drop, changed, made_images)

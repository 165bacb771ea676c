"""Voxels that stand alone: how a decoder can fake statistics, and what an eye sees at once."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from objectives.errors import EvaluationError
from objectives.images import checked_images
from objectives.phases import to_phases


def lone_voxels(images: Float[Tensor, "n c *space"]) -> float:
    """Share of the voxels inside images whose phase is unlike that of all face neighbours.

    Parameters
    ----------
    images
        ``(n, c, *space)`` in [0, 1], of three voxels or more along each axis. They are cut into
        phases; grey levels have no lone voxels.

    Raises
    ------
    EvaluationError
        (A ``ValueError``.) The images are not images, or too thin to have an inside.

    Examples
    --------
    >>> image = torch.zeros(1, 1, 5, 5)
    >>> image[..., 2, 2] = 1
    >>> round(lone_voxels(image), 4)  # one voxel of 3 x 3 inside
    0.1111
    """
    return _share(torch.stack(_unlike_both(images)).all(0))


def thin_voxels(images: Float[Tensor, "n c *space"]) -> float:
    """Share of the voxels inside images that are unlike both neighbours along some axis.

    They are lines, layers and dots one voxel thick. Parameters and errors as `lone_voxels`.

    >>> image = torch.zeros(1, 1, 5, 5)
    >>> image[..., 2, :] = 1
    >>> lone_voxels(image), round(thin_voxels(image), 4)
    (0.0, 0.3333)
    """
    return _share(torch.stack(_unlike_both(images)).any(0))


def _unlike_both(images: Tensor) -> list[Bool[Tensor, "n *inside"]]:
    """For each axis, whether each voxel inside is unlike both of its neighbours along it."""
    phases = to_phases(checked_images(images))
    if min(phases.shape[1:]) < 3:
        raise EvaluationError(
            f"lone voxels need 3 voxels or more along each axis, got {tuple(phases.shape[1:])}. "
            "Leave thin images out."
        )
    inside, found = slice(1, -1), []
    axes = range(1, phases.ndim)
    middle = phases[:, *[inside] * len(axes)]
    for axis in axes:
        before, after = (
            phases[:, *[side if other == axis else inside for other in axes]]
            for side in (slice(None, -2), slice(2, None))
        )
        found.append((middle != before) & (middle != after))
    return found


def _share(found: Bool[Tensor, "n *inside"]) -> float:
    return float(found.double().mean()) if len(found) else 0.0

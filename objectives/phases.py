"""Images to the phase of every voxel and back: the one cut of metrics, cards, searches, exports."""

from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float, UInt8

from objectives.masks import refuse_masked

if TYPE_CHECKING:
    import torch

    from objectives.arrays import Array
else:
    Array = Any  # that module imports torch, which costs seconds and only tensors need

MOST_CHANNELS = 256  # labels are bytes
SUM_TOLERANCE = 1e-4  # of the phases of a voxel, as data is read


def to_phases(images: Float[Array, "n c *space"]) -> UInt8[Array, "n *space"]:
    """Most likely phase of every voxel.

    Parameters
    ----------
    images
        Torch tensor or numpy array. One channel: the share of phase 1, which wins above one half.
        More channels: one for each phase, of which the largest wins (the first of equals).

    Returns
    -------
    Phase labels, uint8, torch for torch and numpy for numpy.

    Raises
    ------
    ValueError
        For another number of axes, or more than 256 channels.

    Examples
    --------
    The first of three phases is the most likely one, though below one half:

    >>> to_phases(np.array([0.45, 0.275, 0.275]).reshape(1, 3, 1, 1)).tolist()
    [[[0]]]
    """
    _check_axes("images", images, "(n, c, h, w) or (n, c, d, h, w)", axes=(4, 5))
    channels = images.shape[1]
    if not 1 <= channels <= MOST_CHANNELS:
        raise ValueError(f"images should have 1 to {MOST_CHANNELS} channels, got {channels}.")
    winner: Any = images[:, 0] > 0.5 if channels == 1 else images.argmax(1)
    if isinstance(images, np.ndarray):
        return winner.astype(np.uint8)
    import torch

    return winner.to(torch.uint8)


def to_images(phases: UInt8[Array, "n *space"], channels: int) -> Float[Array, "n c *space"]:
    """Images of 0 and 1 that `to_phases` reads back exactly.

    Parameters
    ----------
    phases
        Torch tensor or numpy array of phase labels.
    channels
        1 for two phases in one channel; otherwise one channel for each phase.

    Returns
    -------
    Float32 images, torch for torch and numpy for numpy.

    Raises
    ------
    ValueError
        For another number of axes, or a label that the channels do not have.
    """
    _check_axes("phases", phases, "(n, h, w) or (n, d, h, w)", axes=(3, 4))
    if not 1 <= channels <= MOST_CHANNELS:
        raise ValueError(f"channels should be 1 to {MOST_CHANNELS}, got {channels}.")
    count = max(channels, 2)
    if 0 not in phases.shape and int(phases.max()) >= count:
        raise ValueError(
            f"phases should be labels 0 to {count - 1} for {channels} channel(s), "
            f"got label {int(phases.max())}. Give one channel for each phase."
        )
    labels = np.arange(count, dtype=np.uint8)[1 if channels == 1 else 0 :]
    labels = labels.reshape(-1, *(1,) * (phases.ndim - 1))
    given: Any = phases
    if isinstance(phases, np.ndarray):
        return (given[:, None] == labels).astype(np.float32)
    import torch

    return (given[:, None] == torch.as_tensor(labels, device=given.device)).float()


def cut_phases(images: Float[Array, "n c *space"]) -> Float[Array, "n c *space"]:
    """Images with one phase in each voxel, the most likely one: what an export of them shows.

    Returns
    -------
    Float32 images of 0 and 1, without a gradient; torch for torch and numpy for numpy.
    """
    return to_images(to_phases(images), images.shape[1])


def are_phases(images: Float[Any, "n c *space"]) -> bool:
    """Whether images are phases, and not grey levels or colours, by the rule of the data reader.

    One channel is phases if all of its values are 0 or 1, more if they are in [0, 1] and sum to 1
    in every voxel; each to within 1e-4.

    >>> are_phases(np.ones((1, 1, 2, 2))), are_phases(np.full((1, 1, 2, 2), 0.4))
    (True, False)
    """
    if 0 in images.shape:
        return True
    if images.shape[1] == 1:
        return bool((abs(images - images.round()) <= SUM_TOLERANCE).all())
    sums_to_one = abs(images.sum(1) - 1) <= SUM_TOLERANCE
    return bool((images >= -SUM_TOLERANCE).all()) and bool(sums_to_one.all())


def _check_axes(name: str, array: "np.ndarray | torch.Tensor", shapes: str, axes: tuple) -> None:
    refuse_masked(array, name)
    if array.ndim not in axes:
        raise ValueError(
            f"{name} should have shape {shapes}, got {tuple(array.shape)}. "
            "Add missing axes with [None]."
        )

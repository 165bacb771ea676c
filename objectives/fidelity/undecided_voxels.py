"""Voxels that are of no phase: what a cut hides."""

from jaxtyping import Float
from torch import Tensor

from objectives.images import checked_images
from objectives.phases import cut_phases

FAR = 0.25


def undecided_voxels(images: Float[Tensor, "n c *space"]) -> float:
    """Share of the voxels that are more than a quarter away from their most likely phase.

    All other figures are of structures that are cut into phases. Of a plain grey image the cut
    makes any structure, and its figures may be good.

    Parameters
    ----------
    images
        ``(n, c, *space)`` in [0, 1].

    Raises
    ------
    EvaluationError
        (A ``ValueError``.) The images are not images.

    Examples
    --------
    >>> import torch
    >>> undecided_voxels(torch.tensor([0.0, 0.2, 0.45, 0.9]).reshape(1, 1, 2, 2))
    0.25
    """
    images = checked_images(images)
    if not images.numel():
        return 0.0
    return float(((images - cut_phases(images)).abs().amax(1) > FAR).double().mean())

"""Decoded structures as a cut into phases shows them, with a gradient."""

import torch
from jaxtyping import Float
from torch import Tensor

from objectives.phases import cut_phases


def nearly_cut(
    logits: Float[Tensor, "m c *space"], images: Float[Tensor, "n c *space"], sharpness: float
) -> Float[Tensor, "m c *space"]:
    """What statistics are taken of: of cut images, nearly what a cut of the logits shows.

    Parameters
    ----------
    logits
        What the sigmoid makes images of.
    images
        Tell whether voxels are phases; grey levels are left as they are.
    sharpness
        Factor on the logits of phases.
    """
    if not _are_cut(images):
        return logits.sigmoid()
    sharp = sharpness * logits
    return sharp.sigmoid() if logits.shape[1] == 1 else sharp.softmax(1)


def cut(
    logits: Float[Tensor, "m c *space"], images: Float[Tensor, "n c *space"], sharpness: float
) -> Float[Tensor, "m c *space"]:
    """Of cut images what a cut shows, with the gradient of what is nearly cut."""
    nearly = nearly_cut(logits, images, sharpness)
    return nearly + (cut_phases(nearly) - nearly).detach() if _are_cut(images) else nearly


def _are_cut(images: Float[Tensor, "n c *space"]) -> bool:
    """Whether each voxel is wholly one phase: not of grey levels, nor of blurred phases."""
    return torch.equal(images.float(), cut_phases(images))

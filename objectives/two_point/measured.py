"""Masks: which voxels were measured. What lies elsewhere is not read, whatever it is."""

from typing import Any

import torch
from jaxtyping import Float, Float64
from torch import Tensor

from objectives.arrays import as_tensor


def measured(
    images: Any, mask: Any
) -> tuple[Float[Tensor, "n c *space"], Float64[Tensor, "m 1 *space"]]:
    """The images, 0 where they were not measured, and the weight of each voxel.

    Parameters
    ----------
    images
        Anything of the shape of images; `checked_images` is for what is left of them.
    mask
        How far each voxel was measured: numbers in [0, 1] or booleans, ``(n, 1, *space)``, or
        ``(1, 1, *space)`` for all images.

    Raises
    ------
    ValueError
        The mask has another shape or range.
    TypeError
        One of them is no array of numbers, or a masked one (`objectives.arrays`).

    Examples
    --------
    >>> import numpy as np
    >>> image, mask = np.array([[[[1.0, np.nan]]]]), np.array([[[[True, False]]]])
    >>> measured(image, mask)[0]
    tensor([[[[1., 0.]]]], dtype=torch.float64)
    """
    x, w = as_tensor(images), as_tensor(mask, "mask")
    shapes = ((*x.shape[:1], 1, *x.shape[2:]), (1, 1, *x.shape[2:]))
    if w.shape not in shapes:
        raise ValueError(
            f"mask should have shape {shapes[0]} or {shapes[1]}, got {tuple(w.shape)}. Add the "
            "batch and channel axes with mask[None, None]."
        )
    w = w.detach().to(x.device, torch.float64)
    if not ((w >= 0) & (w <= 1)).all():
        raise ValueError(
            f"mask should be in [0, 1], got values from {w.min():.4g} to {w.max():.4g}. "
            "Use 1 for measured voxels and 0 for the others, such as mask > 0."
        )
    return torch.where(w > 0, x, torch.zeros_like(x)), w

"""What `LatentSpace` is given: torch or numpy, checked before anything is computed."""

import math
from typing import Any

import numpy as np
import torch
from torch import Tensor

from generative.batching import map_rows
from objectives.arrays import Array, as_tensor
from objectives.images import RANGE_TOLERANCE

AnyArray = Tensor | np.ndarray  # of an answer that is not of the kind of this


def like(question: Array, answer: Tensor) -> Array:
    """The answer as the kind of array the question was, on its device."""
    torch_question = isinstance(question, Tensor)
    same: Any = answer.to(question.device) if torch_question else answer.detach().cpu().numpy()
    return same


def checked_points(z: AnyArray, latent_dim: int) -> Tensor:
    """Latent points as float64.

    Raises
    ------
    ValueError
        For another width, or naming the first row that is not finite.
    """
    points = as_tensor(z, "z").double()
    if points.ndim == 0 or points.shape[-1] != latent_dim:
        raise ValueError(f"z should have shape (n, {latent_dim}), got {tuple(points.shape)}.")
    finite = points.isfinite().reshape(-1, latent_dim).all(1)
    if not bool(finite.all()):
        row = int((~finite).nonzero()[0])
        raise ValueError(f"z is not finite in row {row}; remove or replace that row.")
    return points


def checked_images(images: AnyArray, image_shape: tuple[int, ...]) -> Tensor:
    """Images of one shape, in float32 or float64.

    Raises
    ------
    ValueError
        For another shape, or naming the first row that is not finite or leaves [0, 1] by more than
        rounding.
    """
    x = as_tensor(images, integers=torch.float32)
    if tuple(x.shape[1:]) != image_shape:
        raise ValueError(
            f"images should have shape (n, {', '.join(map(str, image_shape))}), got "
            f"{tuple(x.shape)}. {_remedy(tuple(x.shape), image_shape)}"
        )
    if len(x) == 0:
        return x
    inside = map_rows(
        lambda rows: ((rows >= -RANGE_TOLERANCE) & (rows <= 1 + RANGE_TOLERANCE)).flatten(1).all(1),
        x,
        math.prod(image_shape),
    )
    if not bool(inside.all()):
        raise ValueError(
            f"images should be finite and in [0, 1]; row {int((~inside).nonzero()[0])} is not. "
            "Divide 8-bit images by 255, and replace NaN."
        )
    return x


def _remedy(shape: tuple[int, ...], image_shape: tuple[int, ...]) -> str:
    """What turns an array of this shape into images, where that is only an axis."""
    channels, *space = image_shape
    if shape == image_shape:
        return "Add the batch axis with images[None]."
    if channels == 1 and shape == tuple(space):
        return "Add the batch and channel axes with images[None, None]."
    if channels == 1 and shape[1:] == tuple(space):
        return "Add the channel axis with images[:, None]."
    dims = len(space)
    return (
        f"This is a {dims}-D space of one image size; resample the images, or train a space on "
        "them."
    )

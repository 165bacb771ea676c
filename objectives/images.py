"""Images as they come in: refused where they are no images, as a tensor, and one phase of them."""

from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from objectives.arrays import Array, as_tensor
from objectives.errors import EvaluationError

# Values may leave [0, 1] by rounding, or by the step of a finite difference.
RANGE_TOLERANCE = 1e-3


def checked_images(
    images: Float[Tensor, "n c *space"] | Float[np.ndarray, "n c *space"],
) -> Float[Tensor, "n c *space"]:
    """The images as a tensor, on their own device and graph, in float32 or float64.

    Raises
    ------
    TypeError
        They are no array of numbers, or a masked one (`objectives.arrays`).
    EvaluationError
        (A ``ValueError``.) They are not ``(n, c, h, w)`` or ``(n, c, d, h, w)``, an axis is empty,
        or a value is not finite or outside [0, 1]; the message names the row.
    """
    x = as_tensor(images)
    if x.ndim not in (4, 5):
        raise EvaluationError(
            "images should have shape (n, c, height, width) or (n, c, depth, height, width), "
            f"got {tuple(x.shape)}. Add the batch and channel axes with images[None, None]."
        )
    if 0 in x.shape[1:]:
        raise EvaluationError(f"images should have no empty axis, got shape {tuple(x.shape)}.")
    if x.shape[0] == 0:
        return x
    low, high = torch.aminmax(x.detach())  # a NaN anywhere is the answer to both
    if not (low >= -RANGE_TOLERANCE and high <= 1 + RANGE_TOLERANCE):
        raise EvaluationError(_what_is_wrong(x.detach()))
    return x


def _what_is_wrong(x: Float[Tensor, "n c *space"]) -> str:
    rows = x.flatten(1)
    broken = ~torch.isfinite(rows)
    if broken.any():
        row = int(broken.any(1).nonzero()[0, 0])
        return (
            f"images should be finite, got {int(broken[row].sum())} NaN or infinite values in row "
            f"{row}. Leave that row out, or find what produced it."
        )
    outside = (rows < -RANGE_TOLERANCE) | (rows > 1 + RANGE_TOLERANCE)
    row = int(outside.any(1).nonzero()[0, 0])
    low, high = torch.aminmax(rows[row])
    return (
        f"images should be in [0, 1], got values from {float(low):.4g} to {float(high):.4g} in row "
        f"{row}. Divide grey levels by their maximum; give labels a channel each, or segment first."
    )


def require_dim(found: int, dim: int | None) -> None:
    """Refuse images whose axes are not those an objective names its values by, if it says so."""
    if dim is not None and found != dim:
        raise EvaluationError(
            f"images should have {dim} axes of space (dim: {dim}), got {found}. "
            f"Set dim: {found} in the objective, or leave it out."
        )


def phase_indicator(images: Float[Tensor, "n c *space"], phase: int) -> Float[Tensor, "n 1 *space"]:
    """Fraction of `phase` in every voxel: its channel; of one channel the value (1) or rest (0).

    >>> import torch
    >>> phase_indicator(torch.full((1, 1, 2, 2), 0.25), 0)[0, 0, 0, 0].item()
    0.75
    """
    check_phase(images.shape[1], phase)
    if images.shape[1] == 1:
        return images if phase == 1 else 1 - images
    return images[:, phase : phase + 1]


def check_phase(channels: int, phase: int, of: str = "") -> None:
    """Refuse a phase that images of so many channels do not have, in the name of what needs it."""
    phases = max(channels, 2)
    if not 0 <= phase < phases:
        whose = f"{of}: " if of else ""
        raise EvaluationError(
            f"{whose}phase should be one of 0 to {phases - 1} for images of {channels} channels, "
            f"got {phase}."
        )


def in_kind(answer: Tensor, images: Array) -> Array:
    """The answer as torch where the question was torch, else as numpy."""
    same: Any = answer if isinstance(images, Tensor) else answer.detach().cpu().numpy()
    return same

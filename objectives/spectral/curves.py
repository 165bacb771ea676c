"""Numbers of curves on an axis: distance to a target, integral over a band, place of a peak.

Curves are (n, c), one row a structure; the axis (c,) rises. All are differentiable, and refuse what
is no curve or no axis, a NaN among it.
"""

from typing import Any

import numpy as np
import torch
from jaxtyping import Float64
from torch import Tensor

from objectives.errors import EvaluationError
from objectives.masks import refuse_masked

Band = tuple[float | int, float | int]  # from low to high, in the unit of the axis


def checked_axis(values: Any) -> Float64[Tensor, "c"]:
    """The axis of curves, as float64.

    Raises
    ------
    ValueError
        It has fewer than two points, one is not finite, or it does not rise.
    """
    axis = _numbers(values, "axis")
    if len(axis) < 2:
        raise ValueError(f"axis should have two points or more, got {len(axis)}.")
    if not torch.isfinite(axis).all():
        point = int((~torch.isfinite(axis)).nonzero()[0, 0])
        raise ValueError(f"axis should be finite, got {float(axis[point])} at point {point}.")
    if (axis.diff() <= 0).any():
        point = int((axis.diff() <= 0).nonzero()[0, 0])
        raise ValueError(
            f"axis should rise, got {float(axis[point]):g} before {float(axis[point + 1]):g} at "
            f"point {point}. Sort axis and curves together, and keep one of equal points."
        )
    return axis


def checked_curve(
    values: Any, axis: Float64[Tensor, "c"], name: str = "target"
) -> Float64[Tensor, "c"]:
    """One curve on an axis, as float64.

    Raises
    ------
    ValueError
        It has another number of points, or one is not finite.
    """
    curve = _numbers(values, name)
    if len(curve) != len(axis):
        raise ValueError(
            f"{name} has {len(curve)} values and the axis {len(axis)} points. Give one value a "
            "point, or a file with the axis in its first column."
        )
    if not torch.isfinite(curve).all():
        point = int((~torch.isfinite(curve)).nonzero()[0, 0])
        raise ValueError(
            f"{name} should be finite, got {float(curve[point])} at point {point}. Leave that "
            "point out of axis and curve."
        )
    return curve


def distance_to_curve(
    curves: Float64[Tensor, "n c"],
    axis: Float64[Tensor, "points"],
    target: Float64[Tensor, "values"],
) -> Float64[Tensor, "n"]:
    r"""Root mean square distance to a target, over the root mean square of the target.

    Squares are integrated by the trapezoidal rule, so that points need not be evenly spaced. 0 is a
    match, and 1 what a curve of zeros has.

    Raises
    ------
    ValueError
        The target does not fit the axis, or is 0 everywhere.

    Examples
    --------
    >>> axis, target = torch.tensor([0.0, 1.0]).double(), torch.tensor([2.0, 2.0]).double()
    >>> distance_to_curve(torch.tensor([[2.0, 2.0], [3.0, 3.0]]).double(), axis, target)
    tensor([0.0000, 0.5000], dtype=torch.float64)
    """
    axis = _checked(curves, axis)
    target = checked_curve(target, axis)
    weights = trapezoidal(axis).sqrt()
    size = torch.linalg.vector_norm(weights * target)
    if size == 0:
        raise ValueError("target should not be 0 everywhere: distances are relative to it.")
    return torch.linalg.vector_norm(weights * (curves - target), dim=1) / size


def band_integral(
    curves: Float64[Tensor, "n c"], axis: Float64[Tensor, "points"], band: Band
) -> Float64[Tensor, "n"]:
    """Integral of curves, linear between their points, from one place of the axis to another.

    Raises
    ------
    ValueError
        The band is not within the axis, or not from low to high.

    Examples
    --------
    >>> axis = torch.tensor([0.0, 1.0, 2.0]).double()
    >>> band_integral(axis[None], axis, (0.5, 1.5))
    tensor([1.], dtype=torch.float64)
    """
    axis = _checked(curves, axis)
    check_band(axis, band)
    low, high = (axis.new_tensor([end]) for end in band)
    inside = (axis > low) & (axis < high)
    points = torch.cat([low, axis[inside], high])
    values = torch.cat(
        [_between(curves, axis, low), curves[:, inside], _between(curves, axis, high)], 1
    )
    return (trapezoidal(points) * values).sum(1)


def peak(
    curves: Float64[Tensor, "n c"],
    axis: Float64[Tensor, "points"],
    band: Band | None = None,
) -> tuple[Float64[Tensor, "n"], Float64[Tensor, "n"]]:
    """Place and height of the highest point of each curve, within a band or everywhere.

    Both are those of the parabola through the highest point and its neighbours; where that is the
    first or the last point of the band, they are the point's own. The place jumps where another
    peak becomes the highest.

    Raises
    ------
    ValueError
        The band is not within the axis, or holds no point of it.

    Examples
    --------
    >>> axis = torch.tensor([0.0, 1.0, 3.0, 4.0]).double()
    >>> place, height = peak(4 - (axis[None] - 1.5) ** 2, axis)
    >>> place.item(), height.item()
    (1.5, 4.0)
    """
    axis = _checked(curves, axis)
    if band is not None:
        check_band(axis, band)
        inside = (axis >= band[0]) & (axis <= band[1])
        if not inside.any():
            raise ValueError(f"the band {band} holds no point of the axis; make it wider.")
        curves, axis = curves[:, inside], axis[inside]
    top = curves.detach().argmax(1)
    last = len(axis) - 1
    rows = torch.arange(len(curves), device=curves.device)
    centre, height = axis[top], curves[rows, top]
    if last < 2:
        return centre, height
    middle = top.clamp(1, last - 1)
    left, right = axis[middle] - axis[middle - 1], axis[middle + 1] - axis[middle]
    fall = (curves[rows, middle] - curves[rows, middle - 1]) / left
    rise = (curves[rows, middle + 1] - curves[rows, middle]) / right
    bend = (rise - fall) / (left + right)  # half of the second derivative
    slope = (fall * right + rise * left) / (left + right)
    within = (top == middle) & (bend < 0)
    bend = torch.where(within, bend, -1.0)
    place = torch.where(within, axis[middle] - slope / (2 * bend), centre)
    return place, torch.where(within, height - slope**2 / (4 * bend), height)


def check_band(axis: Float64[Tensor, "c"], band: Band) -> None:
    """Refuse a band that is not from low to high within the axis."""
    low, high = band
    if not axis[0] <= low < high <= axis[-1]:
        raise ValueError(
            f"a band should be from low to high within the axis, {float(axis[0]):g} to "
            f"{float(axis[-1]):g}, got {low:g} to {high:g}."
        )


def trapezoidal(axis: Float64[Tensor, "c"]) -> Float64[Tensor, "c"]:
    """Weights of the trapezoidal rule."""
    steps = torch.nn.functional.pad(axis.diff(), (1, 1))
    return (steps[1:] + steps[:-1]) / 2


def _checked(
    curves: Float64[Tensor, "n c"], axis: Float64[Tensor, "points"]
) -> Float64[Tensor, "points"]:
    """The checked axis of curves that fit it and are finite."""
    axis = checked_axis(axis)
    if curves.ndim != 2 or curves.shape[1] != len(axis):
        raise ValueError(
            f"curves should have shape (n, {len(axis)}) for an axis of {len(axis)} points, got "
            f"{tuple(curves.shape)}."
        )
    broken = ~torch.isfinite(curves.detach())
    if broken.any():
        row, point = broken.nonzero()[0].tolist()
        raise EvaluationError(
            f"curves should be finite, got {float(curves[row, point])} at point {point} of row "
            f"{row}. Leave that row out, or find what produced it."
        )
    return axis


def _between(
    curves: Float64[Tensor, "n c"], axis: Float64[Tensor, "c"], place: Float64[Tensor, "k"]
) -> Float64[Tensor, "n k"]:
    right = torch.searchsorted(axis, place).clamp(1, len(axis) - 1)
    share = (place - axis[right - 1]) / (axis[right] - axis[right - 1])
    return curves[:, right - 1] * (1 - share) + curves[:, right] * share


def _numbers(values: Any, name: str) -> Float64[Tensor, "c"]:
    if isinstance(values, Tensor):
        found = values
    else:
        refuse_masked(values, name)
        try:
            found = torch.as_tensor(np.asarray(values, dtype=np.float64))
        except (TypeError, ValueError):
            raise ValueError(f"{name} should be a list of numbers.") from None
    if found.ndim != 1:
        raise ValueError(f"{name} should have shape (c,), got {tuple(found.shape)}.")
    return found.double()

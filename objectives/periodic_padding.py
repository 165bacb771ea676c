"""Periodic padding whose gradient costs as little as itself, in 2-D and 3-D."""

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.autograd import Function

__all__ = ["periodic_padding"]

LAYOUTS = {4: torch.channels_last, 5: torch.channels_last_3d}


def periodic_padding(
    x: Float[Tensor, "n c *space"], widths: tuple[int, ...]
) -> Float[Tensor, "n c *padded"]:
    """Images with as many voxels of the opposite side before and behind each axis.

    It answers what ``torch.nn.functional.pad(mode="circular")`` does. That one's gradient is made
    slice by slice, each in memory of the whole size, and took as long as the gradient of the
    convolution behind it; and channels that are last in memory were so no more.

    Parameters
    ----------
    x
        Any values; of four or five axes.
    widths
        Voxels before and behind the last axis, then the one before it, and so on, as
        ``torch.nn.functional.pad`` takes them. None more than the axis has.

    Raises
    ------
    ValueError
        For more voxels than an axis has.
    """
    sides = x.shape[2:][::-1]
    if any(max(widths[2 * i : 2 * i + 2]) > side for i, side in enumerate(sides)):
        raise ValueError(
            f"periodic padding of {widths} (last axis first) goes around images of "
            f"{tuple(x.shape[2:])} voxels more than once; give it larger images, or a smaller "
            "kernel."
        )
    if torch.jit.is_tracing():  # of copies into margins a trace keeps shapes alone: they stay empty
        return _joined(x, widths)
    padded: Tensor = _Wrapped.apply(x, widths)
    return padded


class _Wrapped(Function):
    """Voxels of the opposite sides are copied to the margins."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, widths: tuple[int, ...]) -> Tensor:
        """Padded images."""
        ctx.widths = widths
        axes = _axes(x, widths)
        shape = list(x.shape)
        for axis, before, behind in axes:
            shape[axis] += before + behind
        out = torch.empty(shape, dtype=x.dtype, device=x.device, memory_format=_layout(x))
        inside = out
        for axis, before, _ in axes:
            inside = inside.narrow(axis, before, x.shape[axis])
        inside.copy_(x)
        for axis, before, behind in axes:
            n = x.shape[axis]
            out.narrow(axis, 0, before).copy_(out.narrow(axis, n, before))
            out.narrow(axis, before + n, behind).copy_(out.narrow(axis, before, behind))
        return out

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        """A voxel gets what reaches it and its copies."""
        return _Folded.apply(gradients[0], ctx.widths), None


class _Folded(Function):
    """What the margins hold is added to the voxels that they are copies of."""

    @staticmethod
    def forward(ctx: Any, padded: Tensor, widths: tuple[int, ...]) -> Tensor:
        """Images without margins."""
        ctx.widths = widths
        layout = _layout(padded)
        for axis, before, behind in _axes(padded, widths):
            n = padded.shape[axis] - before - behind
            inside = padded.narrow(axis, before, n).clone(memory_format=layout)
            inside.narrow(axis, n - before, before).add_(padded.narrow(axis, 0, before))
            inside.narrow(axis, 0, behind).add_(padded.narrow(axis, before + n, behind))
            padded = inside
        return padded

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        """The way back."""
        return _Wrapped.apply(gradients[0], ctx.widths), None


def _joined(x: Tensor, widths: tuple[int, ...]) -> Tensor:
    """The same from parts that are joined, axis by axis; each step is an operation of ONNX."""
    for axis, before, behind in _axes(x, widths):
        n = int(x.shape[axis])
        x = torch.cat([x.narrow(axis, n - before, before), x, x.narrow(axis, 0, behind)], axis)
    return x


def _axes(x: Tensor, widths: tuple[int, ...]) -> list[tuple[int, int, int]]:
    """Each axis that is padded, the last first, with voxels before and behind."""
    pairs = zip(widths[::2], widths[1::2], strict=True)
    return [(x.ndim - 1 - i, *pair) for i, pair in enumerate(pairs) if any(pair)]


def _layout(x: Tensor) -> torch.memory_format:
    """How channels lie in memory."""
    last = LAYOUTS.get(x.ndim, torch.contiguous_format)
    return last if x.is_contiguous(memory_format=last) else torch.contiguous_format

"""How an image becomes an 8x8 or 4x4x4 code: padding, strides and channels of each stage."""

import math
from dataclasses import dataclass

CODE_GRIDS = {2: (8, 8), 3: (4, 4, 4)}  # 64 numbers either way
SIZES = {2: (32, 256), 3: (16, 64)}
# Channels of each stage, by dimension and number of stages.
WIDTHS = {
    2: {2: (64, 128), 3: (32, 64, 128), 4: (16, 32, 64, 128), 5: (16, 24, 48, 96, 128)},
    3: {2: (32, 96), 3: (16, 48, 96), 4: (12, 24, 48, 96)},
}


@dataclass(frozen=True)
class Layout:
    """Strides of each stage, widest first, and the shapes at both ends.

    The padded shape is the code grid times the product of the strides; the image is padded to it
    on the way in and cropped from it on the way out.
    """

    image_shape: tuple[int, ...]  # (c, *space)
    code_grid: tuple[int, ...]
    strides: tuple[tuple[int, ...], ...]  # one a stage, one number an axis
    channels: tuple[int, ...]  # one a stage

    @property
    def spatial_dims(self) -> int:
        """2 or 3."""
        return len(self.code_grid)

    @property
    def padding(self) -> tuple[int, ...]:
        """Voxels added before and after, last axis first, as torch's `pad` takes them."""
        amounts: list[int] = []
        for axis in reversed(range(self.spatial_dims)):
            factor = math.prod(stride[axis] for stride in self.strides)
            extra = self.code_grid[axis] * factor - self.image_shape[1 + axis]
            amounts += [extra // 2, extra - extra // 2]
        return tuple(amounts)

    @property
    def crop(self) -> tuple[slice, ...]:
        """Index that undoes the padding of an (n, c, *space) array."""
        before = self.padding[::2][::-1]
        sides = zip(before, self.image_shape[1:], strict=True)
        return (slice(None), slice(None), *(slice(start, start + size) for start, size in sides))


def plan_layout(image_shape: tuple[int, ...], widths: tuple[int, ...] | None = None) -> Layout:
    """Layout for images of one shape.

    Parameters
    ----------
    image_shape
        ``(c, h, w)`` with sides of 32 to 256, or ``(c, d, h, w)`` with sides of 16 to 64.
    widths
        Channels of each stage, the code's last; ``None`` takes `WIDTHS`.

    Raises
    ------
    ValueError
        For a shape outside these limits, or widths that do not number the stages.

    Examples
    --------
    >>> plan_layout((1, 64, 64)).strides
    ((2, 2), (2, 2), (2, 2))
    >>> plan_layout((1, 21, 21, 21)).strides  # padded to 24
    ((2, 2, 2), (3, 3, 3))
    """
    space = tuple(image_shape[1:])
    dims = len(space)
    if dims not in CODE_GRIDS or image_shape[0] < 1:
        raise ValueError(
            f"images should have shape (c, h, w) or (c, d, h, w), got {tuple(image_shape)}."
        )
    low, high = SIZES[dims]
    if not all(low <= side <= high for side in space):
        raise ValueError(
            f"{dims}-D images should have sides of {low} to {high} voxels, got "
            f"{'x'.join(map(str, space))}. Cut patches or resample them first."
        )
    grid = CODE_GRIDS[dims]
    per_axis = [_factors(side / cells) for side, cells in zip(space, grid, strict=True)]
    stages = max(map(len, per_axis))
    per_axis = [[1] * (stages - len(factors)) + factors for factors in per_axis]
    channels = tuple(WIDTHS[dims][stages] if widths is None else widths)
    if len(channels) != stages:
        raise ValueError(f"images of this size take {stages} widths, got {channels}.")
    return Layout(tuple(image_shape), grid, tuple(zip(*per_axis, strict=True)), channels)


def _factors(ratio: float) -> list[int]:
    """Strides 2, ..., 2 and at most one 3, last, whose product is the least not below ratio."""
    candidates = [[2] * twos + [3] * threes for twos in range(1, 7) for threes in (0, 1)]
    return min((c for c in candidates if math.prod(c) >= ratio), key=math.prod)

"""Pictures seen from other poses: points of a window, and linear interpolation at them."""

from collections.abc import Sequence

import torch
from jaxtyping import Float, Int64
from torch import Tensor
from torch.nn import functional


def points_of(space: tuple[int, ...]) -> Float[Tensor, "*space dims"]:
    """Centres of the voxels, -1 to 1 from face to face, each as x, y(, z): the last axis first.

    >>> points_of((1, 2))[0].tolist()
    [[-0.5, 0.0], [0.5, 0.0]]
    """
    axes = [(torch.arange(side) + 0.5) / side * 2 - 1 for side in space]
    return torch.stack(torch.meshgrid(*axes, indexing="ij")[::-1], -1)


def within_ball(points: Float[Tensor, "*space dims"]) -> Float[Tensor, "*space"]:
    """1 in the disc or ball that every rotation of a window keeps, 0 in its corners."""
    return ((points**2).sum(-1) < 1).float()


def resampled(
    images: Float[Tensor, "n c *space"],
    points: Float[Tensor, "*seen dims"],
    rotation: Float[Tensor, "n k dims dims"],
    shift: Float[Tensor, "n k dims"] | None = None,
    *,
    size: float | Float[Tensor, " dims"] = 1.0,
    outside: str = "border",
) -> Float[Tensor, "n k c *seen"]:
    """What is seen of an image at ``R^T r - m`` for each point ``r`` and each pose ``R, m``.

    Parameters
    ----------
    images
        Values on a grid.
    points
        Where they are asked for, as `points_of` answers.
    rotation, shift
        Poses of each image, in the coordinates of the points.
    size
        Half the extent of that grid, in the same coordinates; a number for all axes, or for each.
    outside
        What lies beyond the image: "border" goes on as it ends, "zeros" is 0.
    """
    n, k, dims = rotation.shape[:3]
    at = points.reshape(1, 1, -1, dims) @ rotation  # rows: (R^T r)^T
    if shift is not None:
        at = at - shift[:, :, None]
    seen = points.shape[:-1]
    grid = (at / size).reshape(n, k * seen[0], *seen[1:], dims)
    found = functional.grid_sample(images, grid, padding_mode=outside, align_corners=False)
    return found.reshape(n, images.shape[1], k, *seen).transpose(1, 2)


def turned_back(
    images: Float[Tensor, "n c *space"],
    points: Float[Tensor, "*seen dims"],
    turns: Float[Tensor, "k dims dims"],
) -> Float[Tensor, "n k c *seen"]:
    """Copies of each image turned back by each turn, zero beyond the image."""
    c, space = images.shape[1], images.shape[2:]
    every = resampled(images.reshape(1, -1, *space), points, turns.mT[None], outside="zeros")
    return every.reshape(len(turns), -1, c, *points.shape[:-1]).transpose(0, 1)


def permutations_of(
    points: Float[Tensor, "*space dims"], turns: Float[Tensor, "k dims dims"]
) -> Int64[Tensor, "k v"]:
    """Voxel of an image that each voxel of a copy is, for turns that map the grid to itself."""
    sides = torch.tensor(points.shape[:-1])
    at = points.reshape(-1, points.shape[-1]) @ turns.mT
    index = ((at.flip(-1) + 1) / 2 * sides - 0.5).round().long()
    steps = torch.tensor([*sides[1:].flip(0).cumprod(0).flip(0).tolist(), 1])
    return (index * steps).sum(-1)


def permuted(
    images: Float[Tensor, "n c *space"], moves: Int64[Tensor, "k v"]
) -> Float[Tensor, "n k c *space"]:
    """`turned_back` by `permutations_of`: without interpolation."""
    c, space = images.shape[1], images.shape[2:]
    return images.flatten(2)[:, :, moves].reshape(-1, c, len(moves), *space).transpose(1, 2)


def cropped(
    images: Float[Tensor, "n c *space"], space: Sequence[int]
) -> Float[Tensor, "n c *seen"]:
    """The middle of images, as `resampled` answers it for no rotation and no shift.

    Where an odd number of voxels is left out, two neighbours are averaged.

    >>> cropped(torch.tensor([[[1.0, 2, 3, 4, 5]]]), [2]).tolist()
    [[[2.5, 3.5]]]
    """
    for axis, side in enumerate(space, start=2):
        extra = images.shape[axis] - side
        before = images.narrow(axis, extra // 2, side)
        images = (before + images.narrow(axis, (extra + 1) // 2, side)) / 2 if extra % 2 else before
    return images

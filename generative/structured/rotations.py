"""Rotations of the plane and of space: the turns that are summed over, and what refines them."""

import itertools
import math

import torch
from jaxtyping import Float
from torch import Tensor

FREE = {2: 1, 3: 3}  # numbers of a small rotation
CUBE_TURNS = 24  # no rotation is further than 62.8 degrees from the nearest of them


def turns_of(dims: int, count: int, fold: int = 1) -> Float[Tensor, "k dims dims"]:
    """Rotation matrices, evenly spread, for axes in the order x, y(, z).

    Parameters
    ----------
    dims
        2, or 3 for the 24 turns of the cube.
    count
        How many in the plane.
    fold
        Rotational symmetry of the structures: the turns of the plane then fill one period,
        ``2 pi / fold``.

    Examples
    --------
    >>> turns_of(2, 4)[1].round().int().tolist()
    [[0, -1], [1, 0]]
    >>> turns_of(3, 24).det().unique().tolist()
    [1.0]
    """
    if dims == 3:
        found = []
        for order in itertools.permutations(range(3)):
            for signs in itertools.product((1.0, -1.0), repeat=3):
                matrix = torch.zeros(3, 3)
                matrix[torch.arange(3), torch.tensor(order)] = torch.tensor(signs)
                found += [matrix] if matrix.det() > 0 else []
        return torch.stack(found)
    angles = torch.arange(count, dtype=torch.float64) * (2 * math.pi / (fold * count))
    return exponential(angles[:, None]).float()


def reach_of(dims: int, count: int, fold: int = 1) -> float:
    """How far a turn is refined in radians: a little further than half way to the next one."""
    return 1.1 if dims == 3 else 1.5 * math.pi / (fold * count)


def log_cell(dims: int, count: int, fold: int = 1) -> float:
    """Logarithm of the volume of rotations that belong to one turn.

    An angle in the plane; in space a rotation vector, of which there are ``8 pi^2`` in all.
    """
    return math.log(8 * math.pi**2 / count if dims == 3 else 2 * math.pi / (fold * count))


def exponential(vector: Float[Tensor, "... free"]) -> Float[Tensor, "... dims dims"]:
    """Rotation matrix of an angle (one number, x to y), or of a rotation vector (three).

    The second by Rodrigues' formula.

    Examples
    --------
    >>> exponential(torch.zeros(3)).tolist()
    [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]
    """
    if vector.shape[-1] == 1:
        cos, sin = vector.cos(), vector.sin()
        return torch.stack([torch.cat([cos, -sin], -1), torch.cat([sin, cos], -1)], -2)
    square = (vector**2).sum(-1)[..., None, None] + 1e-12
    angle = square.sqrt()
    x, y, z = vector.unbind(-1)
    zero = torch.zeros_like(x)
    cross = torch.stack([zero, -z, y, z, zero, -x, -y, x, zero], -1)
    cross = cross.reshape(*vector.shape[:-1], 3, 3)
    one = torch.eye(3, dtype=vector.dtype, device=vector.device)
    return one + angle.sin() / angle * cross + (1 - angle.cos()) / square * (cross @ cross)


def logarithm(matrix: Float[Tensor, "... dims dims"]) -> Float[Tensor, "... free"]:
    """What `exponential` makes these of: an angle in (-pi, pi], or a vector no longer than pi."""
    if matrix.shape[-1] == 2:
        return torch.atan2(matrix[..., 1, :1], matrix[..., 0, :1])
    # By the unit quaternion, whose largest part is divided by: half turns are no exception.
    flat = matrix.double().reshape(*matrix.shape[:-2], 9)
    xx, xy, xz, yx, yy, yz, zx, zy, zz = flat.unbind(-1)
    rows = torch.stack(
        [
            torch.stack([1 + xx + yy + zz, zy - yz, xz - zx, yx - xy], -1),
            torch.stack([zy - yz, 1 + xx - yy - zz, xy + yx, xz + zx], -1),
            torch.stack([xz - zx, xy + yx, 1 - xx + yy - zz, yz + zy], -1),
            torch.stack([yx - xy, xz + zx, yz + zy, 1 - xx - yy + zz], -1),
        ],
        -2,
    )
    largest = (
        rows.diagonal(dim1=-2, dim2=-1).argmax(-1)[..., None, None].expand(*matrix.shape[:-2], 1, 4)
    )
    quaternion = torch.nn.functional.normalize(rows.gather(-2, largest)[..., 0, :], dim=-1)
    quaternion = torch.where(quaternion[..., :1] < 0, -quaternion, quaternion)
    length = quaternion[..., 1:].norm(dim=-1, keepdim=True)
    angle = 2 * torch.atan2(length, quaternion[..., :1])
    scale = torch.where(length > 1e-9, angle / length.clamp_min(1e-9), torch.full_like(length, 2.0))
    return (scale * quaternion[..., 1:]).to(matrix)

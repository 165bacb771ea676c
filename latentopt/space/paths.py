"""Latent points along lines, arcs, axes and grids: ways to look at a latent space."""

from collections.abc import Callable
from typing import Literal, TypeGuard

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor


def line(a: Float[Tensor, "d"], b: Float[Tensor, "d"], n: int) -> Float[Tensor, "n d"]:
    """``n`` equidistant points on the straight line from a to b, both included."""
    t = torch.linspace(0, 1, n, dtype=a.dtype, device=a.device)[:, None]
    return a + t * (b - a)


def arc(a: Float[Tensor, "d"], b: Float[Tensor, "d"], n: int) -> Float[Tensor, "n d"]:
    """``n`` points on the great arc from a to b, both included, the norm changing evenly.

    A straight line between two typical points of 64 dimensions passes through the untypical
    middle; the arc keeps its norm. Spherical interpolation after Shoemake (1985), section 3.3.
    """
    t = torch.linspace(0, 1, n, dtype=a.dtype, device=a.device)[:, None]
    norms = torch.stack([a.norm(), b.norm()])
    if norms.min() == 0:
        return line(a, b, n)
    u, v = a / norms[0], b / norms[1]
    angle = torch.arccos((u @ v).clamp(-1, 1))
    # Parallel: the arc is the line. Opposite: rounding alone would single out an arc.
    if angle.sin() < 1e-6:
        return line(a, b, n)
    direction = (((1 - t) * angle).sin() * u + (t * angle).sin() * v) / angle.sin()
    return direction * (norms[0] + t * (norms[1] - norms[0]))


Way = Literal["linear", "slerp"]
PATHS: dict[Way, Callable[[Tensor, Tensor, int], Tensor]] = {"linear": line, "slerp": arc}


def is_way(name: str) -> TypeGuard[Way]:
    """Whether there is a path of this name in `PATHS`."""
    return name in PATHS


def path(
    a: Float[Tensor, "d"], b: Float[Tensor, "e"], n: int, how: str, *, numbers: int
) -> Float[Tensor, "n d"]:
    """``n`` points from a to b by a way of `PATHS`.

    A ``ValueError`` refuses another way, points of another width than ``numbers``, or n below 2.
    """
    if not is_way(how):
        raise ValueError(f"how should be one of {', '.join(PATHS)}, got {how!r}.")
    if len(a) != numbers or len(b) != numbers or n < 2:
        raise ValueError(
            f"a and b should be one latent point of {numbers} numbers each and n at least 2, got "
            f"{len(a)} and {len(b)} numbers and n={n}."
        )
    return PATHS[how](a, b, n)


def grid(
    at: Float[Tensor, "d"], axes: tuple[int, ...], ticks: Float[Tensor, "n"]
) -> Float[Tensor, "*grid d"]:
    """``at`` with the coordinates ``axes`` set to each combination of ticks.

    A ``ValueError`` refuses axes that it has not, or one that comes twice, and ticks that are not
    finite.
    """
    if not all(_is_axis(axis, len(at)) for axis in axes) or len(set(axes)) != len(axes):
        raise ValueError(f"axes should be different numbers from 0 to {len(at) - 1}, got {axes}.")
    if not bool(ticks.isfinite().all()):
        raise ValueError(f"span should be a finite number, got ticks {ticks.tolist()}.")
    mesh = torch.stack(torch.meshgrid(*[ticks] * len(axes), indexing="ij"), dim=-1)
    points = at.expand(*mesh.shape[:-1], -1).clone()
    points[..., list(axes)] = mesh
    return points


def _is_axis(axis: object, numbers: int) -> bool:
    whole = isinstance(axis, int | np.integer) and not isinstance(axis, bool)
    return whole and 0 <= int(axis) < numbers

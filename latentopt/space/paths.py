"""Latent points along lines, arcs, axes and grids: ways to look at a latent space."""

from collections.abc import Callable
from typing import Literal, TypeGuard

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


def grid(
    at: Float[Tensor, "d"], axes: tuple[int, ...], ticks: Float[Tensor, "n"]
) -> Float[Tensor, "*grid d"]:
    """``at`` with the coordinates ``axes`` set to each combination of ticks."""
    mesh = torch.stack(torch.meshgrid(*[ticks] * len(axes), indexing="ij"), dim=-1)
    points = at.expand(*mesh.shape[:-1], -1).clone()
    points[..., list(axes)] = mesh
    return points

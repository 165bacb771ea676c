"""What lies beyond the faces of an image: copies of it, or its mirror images."""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from objectives.grid import Grid

PERIODIC, MIRRORED = "periodic", "mirrored"


def boundary_of(grid: Grid) -> str:
    """Name of the boundary condition under which images of a grid are solved."""
    return PERIODIC if grid.periodic else MIRRORED


def mirrored(x: Float[Tensor, "n c *space"], axes: Sequence[int]) -> Float[Tensor, "n c *more"]:
    """The image beside its mirror image, along each of these axes of space.

    Repeated periodically, nothing flows through a mirror, and along the mean gradient it holds the
    potential: so an image of which nothing is known beyond its faces is closed at its sides and
    held at its ends. In elasticity faces stay plane and free of friction.

    >>> mirrored(torch.tensor([[[[1.0, 2.0]]]]), [1])
    tensor([[[[1., 2., 2., 1.]]]])
    """
    for axis in axes:
        x = torch.cat([x, x.flip(2 + axis)], 2 + axis)
    return x

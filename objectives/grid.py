"""The grid that images stand on: what a voxel measures, and what lies beyond their faces."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from inspect import signature
from typing import Any

from objectives.errors import EvaluationError

__all__ = ["Grid", "takes_grid"]


@dataclass(frozen=True)
class Grid:
    """Edges of a voxel, and whether images repeat beyond their faces.

    A campaign owns one, and gives it to each objective that has a parameter ``grid``. Unit cubes of
    a periodic image, unless anything else is said.

    Parameters
    ----------
    voxel_size_um
        Edge of a voxel in micrometres: one number for cubes, or one for each axis of the images,
        in their order z, y, x.
    periodic
        Whether images repeat beyond their faces. If not, nothing is known beyond them.

    Examples
    --------
    >>> Grid().edges_um(3)
    (1.0, 1.0, 1.0)
    >>> Grid((5, 1)).is_cubic
    False
    """

    voxel_size_um: float | int | Sequence[float | int] = 1.0
    periodic: bool = True

    def __post_init__(self) -> None:
        given = self.voxel_size_um
        several = isinstance(given, Sequence) and not isinstance(given, str)
        edges = tuple(float(edge) for edge in (given if several else (given,)))
        if not edges or not all(math.isfinite(edge) and edge > 0 for edge in edges):
            raise ValueError(
                f"voxel_size_um should be one positive length, or one for each axis, got {given}."
            )
        object.__setattr__(self, "voxel_size_um", edges if several else edges[0])

    def edges_um(self, dim: int) -> tuple[float, ...]:
        """Edge of a voxel along each of `dim` axes, z, y, x, in micrometres.

        Raises
        ------
        EvaluationError
            (A ``ValueError``.) There is a number for each of more or fewer axes.
        """
        edges = self.voxel_size_um
        if not isinstance(edges, Sequence):
            return (edges,) * dim
        if len(edges) != dim:
            raise EvaluationError(
                f"voxel_size_um should be one length, or {dim} for images of {dim} axes, got "
                f"{edges}."
            )
        return tuple(edges)

    def steps(self, dim: int) -> tuple[float, ...]:
        """Edge of a voxel along each of `dim` axes, over the shortest of them.

        Statistics by length count in steps of the shortest edge: of voxels if they are cubes.
        """
        edges = self.edges_um(dim)
        return tuple(edge / min(edges) for edge in edges)

    @property
    def is_cubic(self) -> bool:
        """Whether voxels are cubes (or squares)."""
        edges = self.voxel_size_um
        return not isinstance(edges, Sequence) or len(set(edges)) == 1

    def cube_edge_um(self, what: str) -> float:
        """Edge of a cubic voxel; others are refused in the name of `what`, which needs cubes.

        Raises
        ------
        EvaluationError
            (A ``ValueError``.) Voxels are no cubes.
        """
        if not self.is_cubic:
            raise EvaluationError(
                f"{what} needs voxels that are cubes, got edges of {self.voxel_size_um} um. "
                "Resample the images to cubes, or leave it out."
            )
        edges = self.voxel_size_um
        return edges[0] if isinstance(edges, Sequence) else edges


def takes_grid(objective: Callable[..., Any]) -> bool:
    """Whether a function of images, or an object called like one, has a parameter ``grid``.

    >>> takes_grid(lambda images, grid: {}), takes_grid(lambda images: {})
    (True, False)
    """
    try:
        return "grid" in signature(objective).parameters
    except (TypeError, ValueError):  # of builtins that tell nothing
        return False

"""What an objective is: a protocol, what it may offer besides, and a plain function as one.

Worker processes import this file: it loads no objective of ours and no settings.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeGuard, runtime_checkable

from jaxtyping import Float
from torch import Tensor

from objectives.grid import Grid, takes_grid

# One float64 value for each image; of one image also a number, or one with its standard error.
Values = Float[Tensor, " n"] | float | tuple[float, float | None]


@runtime_checkable
class Objective(Protocol):
    """Images to named values with units; `GridObjective` where they depend on the grid."""

    @property
    def units(self) -> Mapping[str, str]:
        """Name of each value this objective returns, and its unit ("1" where it has none)."""
        ...

    def __call__(self, images: Float[Tensor, "n c *space"]) -> Mapping[str, Values]:
        """One value a row for every name in `units`, as `Values` says."""
        ...


@runtime_checkable
class GridObjective(Protocol):
    """An objective that is given the grid of its campaign, by a parameter of the name ``grid``."""

    @property
    def units(self) -> Mapping[str, str]:
        """Name of each value this objective returns, and its unit ("1" where it has none)."""
        ...

    def __call__(self, images: Float[Tensor, "n c *space"], *, grid: Grid) -> Mapping[str, Values]:
        """One value a row for every name in `units`; the grid tells what a voxel measures."""
        ...


def is_grid_objective(objective: Objective | GridObjective) -> TypeGuard[GridObjective]:
    """Whether an objective has a parameter ``grid``, which may have a default."""
    return takes_grid(objective)


@runtime_checkable
class FitsImages(Protocol):
    """An objective with settings that depend on the images it is for."""

    def for_images(self, shape: tuple[int, ...]) -> Objective:
        """The objective for images of shape (c, *space); a ``ValueError`` if it fits none such."""
        ...


@runtime_checkable
class SaysBoundary(Protocol):
    """An objective whose values hold under a boundary condition."""

    def boundary(self, grid: Grid) -> str:
        """Name of the condition on a grid: ``periodic``, ``mirrored``, ``open``."""
        ...


@dataclass(frozen=True)
class FunctionObjective:
    """A plain function of images as an objective whose names and units are not known beforehand."""

    function: Callable[..., Mapping[str, Any]]
    units: Mapping[str, str] = field(default_factory=dict)

    def __call__(self, images: Any, grid: Grid | None = None) -> Mapping[str, Any]:
        """What the function returns; it is given the grid where it has such a parameter."""
        return (
            self.function(images, grid=grid) if takes_grid(self.function) else self.function(images)
        )


def wrapped(found: Any) -> Objective:
    """The object if it is an objective, else an objective of the function that it is."""
    return found if isinstance(found, Objective) else FunctionObjective(found)

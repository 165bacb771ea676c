"""Smallest size of the solid."""

from typing import Literal

from pydantic import Field

from objectives.manufacturability.rule import Measured, Rule
from objectives.manufacturability.structure import Structure
from objectives.manufacturability.thickness import out_of_reach, smallest_size


class MinSolid(Rule):
    """Solid walls, struts and grains should be no thinner than a limit.

    The value is `smallest_size` of the solid: the width of a wall. It follows partly filled voxels;
    a round part is measured up to a voxel short, and as its radius grows the value moves by less
    than a voxel at a time. Without solid nothing is too thin: the value is the
    longest edge of the image, as it is of solid throughout.
    """

    kind: Literal["min_solid"] = "min_solid"
    limit_um: float = Field(
        gt=0, description="Smallest size allowed of solid walls, struts and grains, in micrometres."
    )

    @property
    def bound(self) -> float:
        """The limit in micrometres."""
        return self.limit_um

    def measure(self, structure: Structure) -> Measured:
        """Smallest size of the solid, and the solid that is thinner than the limit."""
        return measure_size(structure, self.limit_um, solid=True)


def measure_size(structure: Structure, limit_um: float, *, solid: bool) -> Measured:
    """Smallest size in micrometres of the solid or the void, and the voxels under the limit."""
    inside = structure.solid if solid else ~structure.solid
    depth = structure.solid_depth if solid else structure.void_depth
    options = {"periodic": structure.periodic, "edges": structure.edges_um}
    size, too_large = smallest_size(inside, depth, **options)
    thin = structure.nothing()
    if size < limit_um:
        for diameter in {limit_um, min(limit_um, too_large)}:
            thin |= out_of_reach(inside, depth, diameter, **options)
    return size, thin

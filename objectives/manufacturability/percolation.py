"""Whether a phase leads from face to face, and how wide the way is."""

from typing import Literal

import numpy as np
from pydantic import Field

from objectives.manufacturability.clusters import throat
from objectives.manufacturability.rule import Measured, Rule
from objectives.manufacturability.structure import Structure


class Percolation(Rule):
    """A phase should lead through the image along an axis, by a way of a least width.

    The value is the width of the narrowest place of the widest way, so that it is continuous where
    the way opens: positive if the phase percolates (face-connected voxels), else minus the width of
    what has to be broken through on the best way. In a periodic image the way has to go on in the
    next cell. The phase in all of the image gives its longest edge, an absent one minus that. The
    offending voxels are those of the narrowest place, or, where nothing leads through, the middle
    of what blocks it.
    """

    kind: Literal["percolation"] = "percolation"
    axis: int = Field(
        default=0,
        ge=0,
        le=2,
        description="Axis of the image along which the phase has to percolate; 0 is z in 3-D and "
        "y in 2-D.",
    )
    of: Literal["solid", "void"] = Field(
        default="solid", description="Phase that has to percolate: the solid or the void."
    )
    limit_um: float = Field(
        default=0.0,
        ge=0,
        description="Smallest width allowed of the widest path through the image, in "
        "micrometres. 0 asks only that there is a path.",
    )

    @property
    def bound(self) -> float:
        """The limit in micrometres."""
        return self.limit_um

    def measure(self, structure: Structure) -> Measured:
        """Width of the way, and its narrowest place if that is too narrow."""
        structure.check_axis(self.axis)
        height = structure.solid_depth - structure.void_depth
        if self.of == "void":
            height = -height
        # Places that are equally wide should be so in spite of rounding.
        height = np.round(height / structure.unit_um, 6)
        value, place = throat(height, self.axis, periodic=structure.periodic)
        width = 2 * value * structure.unit_um
        return width, place if width < self.limit_um else structure.nothing()

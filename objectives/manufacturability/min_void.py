"""Smallest size of the void."""

from typing import Literal

from pydantic import Field

from objectives.manufacturability.min_solid import measure_size
from objectives.manufacturability.rule import Measured, Rule
from objectives.manufacturability.structure import Structure


class MinVoid(Rule):
    """Gaps, slots and pores should be no narrower than a limit, or they close.

    The value is `smallest_size` of the void, measured as `MinSolid` measures the solid.
    """

    kind: Literal["min_void"] = "min_void"
    limit_um: float = Field(
        gt=0, description="Smallest size allowed of gaps, slots and pores, in micrometres."
    )

    @property
    def bound(self) -> float:
        """The limit in micrometres."""
        return self.limit_um

    def measure(self, structure: Structure) -> Measured:
        """Smallest size of the void, and the void that is narrower than the limit."""
        return measure_size(structure, self.limit_um, solid=False)

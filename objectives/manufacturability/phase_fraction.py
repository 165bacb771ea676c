"""Whether there is the right amount of a phase."""

from typing import Literal

import numpy as np
from pydantic import Field

from objectives.manufacturability.rule import Measured, Rule
from objectives.manufacturability.structure import Structure


class PhaseFraction(Rule):
    """The solid should fill the share of the volume that the process was set up for.

    The value is the distance of the share from the target. The offending voxels are all of what
    there is too much of.
    """

    kind: Literal["phase_fraction"] = "phase_fraction"
    unit = "1"
    at_least = False
    target: float = Field(ge=0, le=1, description="Volume fraction of the solid that is wanted.")
    tolerance: float = Field(
        default=0.05,
        ge=0,
        le=1,
        description="Largest absolute difference allowed between volume fraction and target.",
    )

    @property
    def bound(self) -> float:
        """The tolerance."""
        return self.tolerance

    def measure(self, structure: Structure) -> Measured:
        """Distance from the target, and the phase in excess."""
        share = float(np.mean(structure.share, dtype=np.float64))
        value = abs(share - self.target)
        if value <= self.tolerance:
            return value, structure.nothing()
        return value, structure.solid if share > self.target else ~structure.solid

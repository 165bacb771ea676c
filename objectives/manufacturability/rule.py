"""What a manufacturability rule is: a measured value against a limit."""

from abc import ABC, abstractmethod
from typing import ClassVar

import numpy as np
from jaxtyping import Bool
from pydantic import Field

from objectives.manufacturability.structure import Structure
from objectives.settings import Settings

Measured = tuple[float, Bool[np.ndarray, "*space"]]


class Rule(Settings, ABC):
    """A limit on one value of a structure.

    A rule is data: its fields are limits and settings, `measure` does the work.
    """

    unit: ClassVar[str] = "um"
    at_least: ClassVar[bool] = True  # else the value should be at most the limit

    kind: str
    label: str | None = Field(
        default=None,
        pattern=r"^[A-Za-z_]\w*$",
        description="Name of the rule in results, which tells two rules of one kind apart. null "
        "takes the kind.",
    )
    phase: int = Field(
        default=1, ge=0, description="Phase that counts as the solid; all other phases are void."
    )

    @property
    def name(self) -> str:
        """What results are called: the label, or the kind."""
        return self.label or self.kind

    @property
    @abstractmethod
    def bound(self) -> float:
        """The limit, in `unit`."""

    @abstractmethod
    def measure(self, structure: Structure) -> Measured:
        """The value in `unit`, and the voxels to blame if it is beyond the limit.

        Raises
        ------
        ValueError
            The rule does not fit images of this shape.
        """

    def margin(self, value: float) -> float:
        """How far the value is on the right side of the limit; negative on the wrong side."""
        return value - self.bound if self.at_least else self.bound - value

r"""Properties of phases along an axis: constants, the axis itself, tables, and laws of dispersion.

Losses are positive imaginary parts (fields in time as :math:`e^{-i \omega t}`). :math:`\omega` is
the value on the axis; frequencies of a law are in its unit.
"""

from typing import Annotated, Literal

import torch
from jaxtyping import Complex128, Float64
from pydantic import Field, model_validator
from torch import Tensor

from objectives.settings import Settings

Axis = Float64[Tensor, "c"]
Curve = Complex128[Tensor, "c"]


class Constant(Settings):
    """The same property everywhere."""

    kind: Literal["constant"] = "constant"
    real: float = Field(description="Real part, in the unit of the property.")
    loss: float = Field(default=0.0, ge=0, description="Imaginary part, in the same unit.")

    def along(self, axis: Axis) -> Curve:
        """The property at every point of the axis."""
        return torch.full_like(axis, 1.0) * complex(self.real, self.loss)


class OnAxis(Settings):
    """The property is the value on the axis: a curve over the contrast of two phases."""

    kind: Literal["axis"] = "axis"
    loss: float = Field(default=0.0, ge=0, description="Imaginary part, in the axis's unit.")

    def along(self, axis: Axis) -> Curve:
        """The property at every point of the axis."""
        return axis + 1j * self.loss


class Table(Settings):
    """A property that was measured at every point of the axis."""

    kind: Literal["table"] = "table"
    real: tuple[float, ...] = Field(description="Real part at every point of the axis.")
    loss: tuple[float, ...] | None = Field(
        default=None, description="Imaginary part at every point. null is no loss."
    )

    @model_validator(mode="after")
    def _is_of_one_length(self) -> "Table":
        if self.loss is not None and len(self.loss) != len(self.real):
            raise ValueError(f"loss has {len(self.loss)} values and real has {len(self.real)}")
        if self.loss is not None and min(self.loss, default=0) < 0:
            raise ValueError("loss should be 0 or more; take the complex conjugate of the table")
        return self

    def along(self, axis: Axis) -> Curve:
        """The property at every point of the axis, which has as many as the table."""
        if len(self.real) != len(axis):
            raise ValueError(
                f"the table of a phase has {len(self.real)} values and the axis {len(axis)} "
                "points; give one value a point."
            )
        loss = self.loss or (0.0,) * len(self.real)
        return torch.complex(axis.new_tensor(self.real), axis.new_tensor(loss))


class Drude(Settings):
    r"""A metal: :math:`\epsilon_\infty - \omega_p^2 / (\omega^2 + i \gamma \omega)`."""

    kind: Literal["drude"] = "drude"
    plasma_frequency: float = Field(gt=0, description="Plasma frequency, in the axis's unit.")
    damping: float = Field(gt=0, description="Rate of collisions, in the axis's unit.")
    background: float = Field(
        default=1.0, gt=0, description="Permittivity far above the plasma frequency."
    )

    def along(self, axis: Axis) -> Curve:
        """The property at every point of the axis, which is above 0."""
        return self.background - self.plasma_frequency**2 / (axis * (axis + 1j * self.damping))


class Lorentz(Settings):
    r"""A resonance: :math:`\epsilon_\infty + S \omega_0^2 / (\omega_0^2 - \omega^2 - i \gamma
    \omega)`.
    """

    kind: Literal["lorentz"] = "lorentz"
    strength: float = Field(gt=0, description="S, what the resonance adds at frequency 0.")
    resonance: float = Field(gt=0, description="Frequency of the resonance, in the axis's unit.")
    damping: float = Field(gt=0, description="Width of the resonance, in the axis's unit.")
    background: float = Field(
        default=1.0, gt=0, description="Permittivity far above the resonance."
    )

    def along(self, axis: Axis) -> Curve:
        """The property at every point of the axis."""
        square = self.resonance**2
        return self.background + self.strength * square / (
            square - axis**2 - 1j * self.damping * axis
        )


class Debye(Settings):
    r"""A relaxation: :math:`\epsilon_\infty + (\epsilon_s - \epsilon_\infty) / (1 - i \omega /
    \omega_r)`.
    """

    kind: Literal["debye"] = "debye"
    static: float = Field(gt=0, description="Permittivity far below the relaxation.")
    relaxation: float = Field(gt=0, description="Frequency of the relaxation, in the axis's unit.")
    background: float = Field(
        default=1.0, gt=0, description="Permittivity far above the relaxation."
    )

    @model_validator(mode="after")
    def _has_no_gain(self) -> "Debye":
        if self.static < self.background:
            raise ValueError("static should not be less than background, which would be a gain")
        return self

    def along(self, axis: Axis) -> Curve:
        """The property at every point of the axis."""
        return self.background + (self.static - self.background) / (1 - 1j * axis / self.relaxation)


Law = Annotated[Constant | OnAxis | Table | Drude | Lorentz | Debye, Field(discriminator="kind")]

"""Effective elasticity as an objective: engineering constants, by name."""

from typing import Annotated, Any, Literal

from jaxtyping import Float, Float64
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    field_validator,
    model_validator,
)
from torch import Tensor

from objectives.homogenize import effective_stiffness, engineering_constants
from objectives.homogenize.phases import contrast_of
from objectives.homogenize.schemes import default_scheme
from objectives.images import checked_images, require_dim

# Axes of space, and planes in the order of Voigt's notation.
AXES = {2: "yx", 3: "zyx"}
PLANES = {2: {"xy": 0}, 3: {"xy": 0, "xz": 1, "yz": 2}}

Modulus = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Ratio = Annotated[float, Field(gt=-1, lt=0.5)]


class EffectiveStiffness(BaseModel):
    """Young's moduli, shear moduli and Poisson's ratios of the periodic image; differentiable.

    ``E_x`` is along the last axis of the images; ``nu_xy`` is the contraction along y under tension
    along x. Of 2-D images in plane strain they are the constants of the plane. Method and errors
    are those of `objectives.homogenize.effective_stiffness`; without a solid path a modulus is 0.

    >>> import torch
    >>> layers = torch.tensor([[[[0.0, 0.0], [1.0, 1.0]]]])
    >>> values = EffectiveStiffness(young=(1, 3), poisson=(0, 0))(layers)
    >>> round(values["E_y"].item(), 6), round(values["E_x"].item(), 6)
    (1.5, 2.0)
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["effective_stiffness"] = "effective_stiffness"
    young: tuple[Modulus, ...] = Field(
        default=(3.0, 70.0),
        min_length=2,
        description="Young's modulus of each phase, by default epoxy and glass; 0 is a pore.",
    )
    poisson: tuple[Ratio, ...] = Field(
        default=(0.35, 0.22), min_length=2, description="Poisson's ratio of each phase."
    )
    dim: Literal[2, 3] = Field(
        default=2, description="Axes of the images: names the constants (3 adds those with z)."
    )
    plane: Literal["strain", "stress"] | None = Field(
        default=None, description="Of 2-D images: strain (also by default) or stress."
    )
    scheme: Literal["q1", "rot"] | None = Field(
        default=None,
        validate_default=True,
        description="Discretization; by default chosen by dimension and contrast.",
    )
    tol: float = Field(
        default=1e-4,
        gt=0,
        lt=1,
        description="Relative residual of the solver, which errs its square.",
    )
    unit: str = Field(default="GPa", description="Unit of `young`, and so of the moduli.")

    @field_validator("scheme")
    @classmethod
    def _is_chosen(cls, scheme: str | None, info: Any) -> str | None:
        """The scheme by name, so that a campaign's journal says which one its values come from."""
        known = info.data
        if scheme is None and {"young", "dim"} <= known.keys():
            return default_scheme(known["dim"], contrast_of(known["young"]))
        return scheme

    @model_validator(mode="after")
    def _is_consistent(self) -> "EffectiveStiffness":
        if len(self.young) != len(self.poisson):
            raise ValueError(
                f"young and poisson should have one number a phase each, got {len(self.young)} and "
                f"{len(self.poisson)}"
            )
        if self.dim == 3 and self.plane is not None:
            raise ValueError(f"plane is for dim: 2, got {self.plane!r} with dim: 3; leave it out")
        return self

    @property
    def units(self) -> dict[str, str]:
        """Moduli in `unit`, ratios in 1."""
        axes, planes = AXES[self.dim], PLANES[self.dim]
        return (
            {f"E_{axis}": self.unit for axis in reversed(axes)}
            | {f"G_{plane}": self.unit for plane in planes}
            | {f"nu_{plane}": "1" for plane in planes}
        )

    def __call__(self, images: Float[Tensor, "n c *space"]) -> dict[str, Float64[Tensor, "n"]]:
        """The constants of every image."""
        x = checked_images(images)
        require_dim(x, self.dim)
        stiffness = effective_stiffness(
            x, self.young, self.poisson, plane=self.plane, scheme=self.scheme, tol=self.tol
        )
        constants = engineering_constants(stiffness)
        axes, planes = AXES[self.dim], PLANES[self.dim]
        values = {f"E_{axis}": constants.young[:, i] for i, axis in enumerate(axes)}
        values |= {f"G_{plane}": constants.shear[:, i] for plane, i in planes.items()}
        values |= {
            f"nu_{first}{second}": constants.poisson[:, axes.index(first), axes.index(second)]
            for first, second in planes
        }
        return {name: values[name] for name in self.units}

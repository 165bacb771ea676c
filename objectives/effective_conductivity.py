"""Effective conductivity as an objective: the components of the tensor, by name."""

from typing import Annotated, Any, Literal

from jaxtyping import Float, Float64
from pydantic import BaseModel, ConfigDict, Field, field_validator
from torch import Tensor

from objectives.homogenize import effective_conductivity
from objectives.homogenize.phases import contrast_of
from objectives.homogenize.schemes import default_scheme
from objectives.images import checked_images, require_dim

# Component: row and column of the tensor, whose axes are z, y, x.
COMPONENTS = {
    2: {"k_yy": (0, 0), "k_xx": (1, 1), "k_xy": (0, 1)},
    3: {
        "k_zz": (0, 0),
        "k_yy": (1, 1),
        "k_xx": (2, 2),
        "k_yz": (0, 1),
        "k_xz": (0, 2),
        "k_xy": (1, 2),
    },
}


class EffectiveConductivity(BaseModel):
    """Components of the effective conductivity tensor of the periodic image; differentiable.

    ``k_xx`` is along the last axis of the images. Method and errors are those of
    `objectives.homogenize.effective_conductivity`.

    >>> import torch
    >>> layers = torch.tensor([[[[0.0, 0.0], [1.0, 1.0]]]])
    >>> values = EffectiveConductivity(conductivity=(1, 3))(layers)
    >>> round(values["k_yy"].item(), 6), round(values["k_xx"].item(), 6)
    (1.5, 2.0)
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["effective_conductivity"] = "effective_conductivity"
    conductivity: tuple[Annotated[float, Field(ge=0, allow_inf_nan=False)], ...] = Field(
        default=(1.0, 50.0), min_length=2, description="Conductivity of each phase; 0 is a pore."
    )
    dim: Literal[2, 3] = Field(
        default=2, description="Axes of the images: names the components (3 adds those with z)."
    )
    scheme: Literal["q1", "rot", "fv"] | None = Field(
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
    unit: str = Field(
        default="W/(m K)", description="Unit of `conductivity`, and so of the components."
    )

    @field_validator("scheme")
    @classmethod
    def _is_chosen(cls, scheme: str | None, info: Any) -> str | None:
        """The scheme by name, so that a campaign's journal says which one its values come from."""
        known = info.data
        if scheme is None and {"conductivity", "dim"} <= known.keys():
            return default_scheme(known["dim"], contrast_of(known["conductivity"]))
        return scheme

    @property
    def units(self) -> dict[str, str]:
        """Every component in `unit`."""
        return dict.fromkeys(COMPONENTS[self.dim], self.unit)

    def __call__(self, images: Float[Tensor, "n c *space"]) -> dict[str, Float64[Tensor, "n"]]:
        """The components of every image."""
        x = checked_images(images)
        require_dim(x, self.dim)
        tensor = effective_conductivity(x, self.conductivity, scheme=self.scheme, tol=self.tol)
        return {name: tensor[:, i, j] for name, (i, j) in COMPONENTS[self.dim].items()}

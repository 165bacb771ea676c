"""Effective elasticity as an objective: engineering constants, by name."""

from typing import Annotated, ClassVar, Literal

from jaxtyping import Float, Float64
from pydantic import (
    Field,
    model_validator,
)
from torch import Tensor

from objectives.grid import Grid
from objectives.homogenize.boundary import boundary_of
from objectives.homogenize.engineering import engineering_constants
from objectives.homogenize.phases import require_phases
from objectives.homogenize.stiffness import homogenize_stiffness
from objectives.images import checked_images, require_dim
from objectives.settings import Settings

# Axes of space, and planes in the order of Voigt's notation.
AXES = {2: "yx", 3: "zyx"}
PLANES = {2: {"xy": 0}, 3: {"xy": 0, "xz": 1, "yz": 2}}

Modulus = Annotated[float, Field(ge=0)]
Ratio = Annotated[float, Field(gt=-1, lt=0.5)]


class EffectiveStiffness(Settings):
    """Young's moduli, shear moduli and Poisson's ratios; differentiable.

    ``E_x`` is along the last axis of the images; ``nu_xy`` is the contraction along y under tension
    along x. Of 2-D images in plane strain they are the constants of the plane. Method, boundary
    condition and errors are those of `objectives.homogenize.effective_stiffness`; without a solid
    path a modulus is 0. ``stiffness_error`` is the largest part by which the solver may have any
    modulus wrong.

    >>> import torch
    >>> layers = torch.tensor([[[[0.0, 0.0], [1.0, 1.0]]]])
    >>> values = EffectiveStiffness(young=(1, 3), poisson=(0, 0))(layers)
    >>> round(values["E_y"].item(), 6), round(values["E_x"].item(), 6)
    (1.5, 2.0)
    """

    errors: ClassVar[tuple[str, ...]] = ("stiffness_error",)  # values that tell of the others

    kind: Literal["effective_stiffness"] = "effective_stiffness"
    young: tuple[Modulus, ...] = Field(
        default=(3.0, 70.0),
        min_length=2,
        description="Young's modulus of each phase, in the order of the phases and in `unit`. 0 "
        "is a pore; the default is epoxy and glass.",
    )
    poisson: tuple[Ratio, ...] = Field(
        default=(0.35, 0.22),
        min_length=2,
        description="Poisson's ratio of each phase, in the order of the phases.",
    )
    dim: Literal[2, 3] | None = Field(
        default=None,
        description="Number of axes of the images, which decides the constants that are "
        "computed. null takes that of the latent space.",
    )
    plane: Literal["strain", "stress"] | None = Field(
        default=None,
        description="Assumption for 2-D images: plane strain or plane stress. null is plane "
        "strain; 3-D images need null.",
    )
    scheme: Literal["q1", "rot"] = Field(
        default="q1",
        description='Discretization of the voxel grid: "q1" is (bi- or tri-)linear finite '
        'elements, "rot" is Willot\'s rotated scheme, which is too soft where features are one '
        "voxel thin.",
    )
    tol: float = Field(
        default=1e-4,
        gt=0,
        lt=1,
        description="Relative error of the fields, in energy, at which the solver stops. The "
        "constants err by about its square; stiffness_error is their bound.",
    )
    unit: str = Field(
        default="GPa",
        description="Name of the unit of `young`, which is also that of the moduli. Nothing is "
        "converted.",
    )

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

    def for_images(self, shape: tuple[int, ...]) -> "EffectiveStiffness":
        """This objective for images of shape (c, *space), with every setting that depends on it.

        Raises
        ------
        ValueError
            It does not fit such images.
        """
        dim = len(shape) - 1
        require_dim(dim, self.dim)
        require_phases("young", self.young, shape[0])
        if dim == 3 and self.plane is not None:
            raise ValueError(f"plane is for 2-D images, got {self.plane!r} with 3-D; leave it out.")
        return self.model_copy(update={"dim": dim})

    @property
    def units(self) -> dict[str, str]:
        """Moduli in `unit`, ratios in 1; without `dim` those of 3-D, which 2-D has some of."""
        return _units(self.dim or 3, self.unit)

    def boundary(self, grid: Grid) -> str:
        """Boundary condition of the values: ``periodic`` or ``mirrored``."""
        return boundary_of(grid)

    def __call__(
        self, images: Float[Tensor, "n c *space"], grid: Grid | None = None
    ) -> dict[str, Float64[Tensor, "n"]]:
        """The constants of every image, in `unit`, on a periodic grid of cubes unless given.

        Raises
        ------
        EvaluationError
            (A ``ValueError``.) The images are not images, or not those of the settings.
        ConvergenceError
            An image did not converge.
        """
        x = checked_images(images)
        dim = x.ndim - 2
        require_dim(dim, self.dim)
        answer = homogenize_stiffness(
            x,
            self.young,
            self.poisson,
            plane=self.plane,
            grid=grid,
            scheme=self.scheme,
            tol=self.tol,
        )
        constants = engineering_constants(answer.tensor)
        axes, planes = AXES[dim], PLANES[dim]
        values = {f"E_{axis}": constants.young[:, i] for i, axis in enumerate(axes)}
        values |= {f"G_{plane}": constants.shear[:, i] for plane, i in planes.items()}
        values |= {
            f"nu_{first}{second}": constants.poisson[:, axes.index(first), axes.index(second)]
            for first, second in planes
        }
        values["stiffness_error"] = answer.error
        return {name: values[name] for name in _units(dim, self.unit)}


def _units(dim: int, unit: str) -> dict[str, str]:
    axes, planes = AXES[dim], PLANES[dim]
    return (
        {f"E_{axis}": unit for axis in reversed(axes)}
        | {f"G_{plane}": unit for plane in planes}
        | {f"nu_{plane}": "1" for plane in planes}
        | {"stiffness_error": "1"}
    )

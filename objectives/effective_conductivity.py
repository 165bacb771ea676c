"""Effective conductivity as an objective: the components of the tensor, by name."""

from typing import Annotated, ClassVar, Literal

from jaxtyping import Float, Float64
from pydantic import Field
from torch import Tensor

from objectives.grid import Grid
from objectives.homogenize.boundary import boundary_of
from objectives.homogenize.conductivity import homogenize_conductivity
from objectives.homogenize.phases import require_phases
from objectives.homogenize.schemes import conduction_scheme
from objectives.images import checked_images, require_dim
from objectives.settings import Settings

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


class EffectiveConductivity(Settings):
    """Components of the effective conductivity tensor; differentiable.

    ``k_xx`` is along the last axis of the images. Method, boundary condition and errors are those
    of `objectives.homogenize.effective_conductivity`. ``conductivity_error`` is the largest part by
    which the solver may have any of them wrong.

    >>> import torch
    >>> layers = torch.tensor([[[[0.0, 0.0], [1.0, 1.0]]]])
    >>> values = EffectiveConductivity(conductivity=(1, 3))(layers)
    >>> round(values["k_yy"].item(), 6), round(values["k_xx"].item(), 6)
    (1.5, 2.0)
    """

    errors: ClassVar[tuple[str, ...]] = ("conductivity_error",)  # values that tell of the others

    kind: Literal["effective_conductivity"] = "effective_conductivity"
    conductivity: tuple[Annotated[float, Field(ge=0)], ...] = Field(
        default=(1.0, 50.0),
        min_length=2,
        description="Conductivity of each phase, in the order of the phases and in `unit`. 0 is "
        "a pore or an insulator.",
    )
    dim: Literal[2, 3] | None = Field(
        default=None,
        description="Number of axes of the images, which decides the components that are "
        "computed. null takes that of the latent space.",
    )
    scheme: Literal["q1", "rot", "fv"] | None = Field(
        default=None,
        description='Discretization of the voxel grid: "q1" is (bi- or tri-)linear finite '
        'elements, "rot" is Willot\'s rotated scheme, "fv" is finite volumes. null takes rot in '
        "2-D and q1 in 3-D.",
    )
    tol: float = Field(
        default=1e-4,
        gt=0,
        lt=1,
        description="Relative error of the fields, in energy, at which the solver stops. The "
        "components err by about its square; conductivity_error is their bound.",
    )
    unit: str = Field(
        default="W/(m K)",
        description="Name of the unit of `conductivity`, which is also that of the components. "
        "Nothing is converted.",
    )

    def for_images(self, shape: tuple[int, ...]) -> "EffectiveConductivity":
        """This objective for images of shape (c, *space), with every setting that depends on it.

        A campaign's journal keeps it, and so says which scheme its values come from.

        Raises
        ------
        ValueError
            It does not fit such images.
        """
        dim = len(shape) - 1
        require_dim(dim, self.dim)
        require_phases("conductivity", self.conductivity, shape[0])
        scheme = self.scheme or conduction_scheme(dim)
        return self.model_copy(update={"dim": dim, "scheme": scheme})

    @property
    def units(self) -> dict[str, str]:
        """Every component in `unit`; without `dim` those of 3-D, which 2-D has some of."""
        components = COMPONENTS[self.dim or 3]
        return dict.fromkeys(components, self.unit) | {"conductivity_error": "1"}

    def boundary(self, grid: Grid) -> str:
        """Boundary condition of the values: ``periodic`` or ``mirrored``."""
        return boundary_of(grid)

    def __call__(
        self, images: Float[Tensor, "n c *space"], grid: Grid | None = None
    ) -> dict[str, Float64[Tensor, "n"]]:
        """The components of every image, in `unit`, on a periodic grid of cubes unless given.

        Raises
        ------
        EvaluationError
            (A ``ValueError``.) The images are not images, or not those of the settings.
        ConvergenceError
            An image did not converge.
        """
        x = checked_images(images)
        require_dim(x.ndim - 2, self.dim)
        answer = homogenize_conductivity(
            x, self.conductivity, grid=grid, scheme=self.scheme, tol=self.tol
        )
        components = COMPONENTS[x.ndim - 2].items()
        values = {name: answer.tensor[:, i, j] for name, (i, j) in components}
        return values | {"conductivity_error": answer.error}

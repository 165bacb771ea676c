"""What a spectral function is of: images of two phases, on a grid, in a scheme."""

from collections.abc import Sequence
from dataclasses import dataclass

from jaxtyping import Float, Float64
from torch import Tensor

from objectives.arrays import Array
from objectives.errors import EvaluationError
from objectives.grid import Grid
from objectives.homogenize.boundary import boundary_of, mirrored
from objectives.homogenize.phases import require_one_a_phase
from objectives.homogenize.schemes import (
    CornerScheme,
    conduction_scheme,
    make_corner_scheme,
    unit_edges,
)
from objectives.images import checked_images

AXES = {2: ("y", "x"), 3: ("z", "y", "x")}


@dataclass(frozen=True)
class Question:
    """Structures, and what is asked of them."""

    chi: Float64[Tensor, "n *space"]  # share of phase 1, in [0, 1], with the graph of the images
    scheme: CornerScheme  # with a load for each axis that is asked for
    axes: tuple[str, ...]
    boundary: str


def question(
    images: Float[Array, "n c *space"],
    axes: Sequence[str] | None,
    grid: Grid | None,
    scheme: str | None,
) -> Question:
    """The checked arguments of the functions of this folder.

    Raises
    ------
    EvaluationError
        (A ``ValueError``.) The images are not images, or not of two phases.
    ValueError
        `axes` or `scheme` is none that there is, or the grid has other axes.
    """
    x = checked_images(images)
    require_two_phases(x.shape[1])
    require_one_a_phase("phases", (0.0, 1.0), x)
    dim, grid = x.ndim - 2, grid or Grid()
    edges = unit_edges(grid.edges_um(dim))
    names = checked_axes(axes, dim)
    loads = tuple(AXES[dim].index(name) for name in names)
    # Beyond [0, 1] by rounding the spectrum would leave [0, 1], too.
    chi = x[:, -1:].double().clamp(0, 1)
    if not grid.periodic:
        chi = mirrored(chi, range(dim))
    corners = make_corner_scheme(checked_scheme(scheme, dim), edges, loads)
    return Question(chi[:, 0], corners, names, boundary_of(grid))


def require_two_phases(channels: int) -> None:
    """Refuse images of three phases and more."""
    if channels > 2:
        raise EvaluationError(
            f"a spectral function is of two phases, got images with {channels} channels, one a "
            "phase. Add up channels to two phases, or use effective_conductivity, one contrast "
            "at a time."
        )


def checked_axes(axes: Sequence[str] | None, dim: int) -> tuple[str, ...]:
    """Names of the axes that are asked for; all of them, in the order of the images, by default."""
    known = AXES[dim]
    names = known if axes is None else tuple(axes)
    if not names or len(set(names)) < len(names) or not set(names) <= set(known):
        raise EvaluationError(
            f"axes should be different ones of {', '.join(known)} for images of {dim} axes, got "
            f"{', '.join(names) or 'none'}."
        )
    return names


def checked_scheme(scheme: str | None, dim: int) -> str:
    """``rot`` or ``q1``, by default what the solver takes."""
    if scheme == "fv":
        raise ValueError(
            "scheme should be rot or q1: faces of fv have the harmonic mean of two phases, which "
            "is a third one, another at each contrast. effective_conductivity takes fv."
        )
    return scheme or conduction_scheme(dim)

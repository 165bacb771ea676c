"""Effective conductivity (or diffusivity, permittivity ...) of periodic images."""

from collections.abc import Sequence

from jaxtyping import Float, Float64
from torch import Tensor

from objectives.arrays import Array
from objectives.grid import Grid
from objectives.homogenize.boundary import boundary_of, mirrored
from objectives.homogenize.phases import checked_properties, phase_mean
from objectives.homogenize.schemes import Scheme, conduction_scheme, make_scheme, unit_edges
from objectives.homogenize.solver import Homogenized, Problem, answer_in_kind, homogenize, scaled
from objectives.images import checked_images


def effective_conductivity(
    images: Float[Array, "n c *space"],
    conductivity: Sequence[float | int],
    *,
    grid: Grid | None = None,
    scheme: str | None = None,
    tol: float = 1e-5,
    max_iterations: int = 5000,
) -> Float64[Array, "n dim dim"]:
    r"""Effective conductivity tensor of each image.

    It is :math:`K` in :math:`\langle q \rangle = -K \langle \nabla T \rangle`, in the unit of
    `conductivity`. Index 0 is the **first** axis of space and -1 the last: in 2-D ``K[:, 0, 0]`` is
    :math:`k_{yy}` and ``K[:, 1, 1]`` is :math:`k_{xx}`; in 3-D the order is z, y, x.

    The image repeats in every direction, or, on a grid that is not periodic, is closed at its sides
    and held at its ends (the image and its mirror images repeat; :math:`k_{xy}` is then 0).

    Solved in float64 and returned so, whatever the images are. Differentiable once in the images: K
    is the minimum of an energy, so the gradient costs one product and no second solve.

    Parameters
    ----------
    images
        In [0, 1]. One channel: the conductivity is ``k0`` at 0, ``k1`` at 1, linear in between.
        More channels: fractions of the phases, which add to 1; the conductivity is their weighted
        mean.
    conductivity
        One non-negative number a phase; 0 is a pore or an insulator. Of those that an image has,
        the largest may be 1e12 times the smallest that is not 0.
    grid
        Edges of the voxels, which may be boxes, and what lies beyond the faces; cubes and a
        periodic image unless given.
    scheme
        ``"q1"`` (bilinear finite elements), ``"rot"`` (Willot's rotated scheme) or ``"fv"`` (finite
        volumes): see `objectives.homogenize.schemes`. By default ``rot`` in 2-D and ``q1`` in 3-D.
    tol
        Relative error of the fields, in energy, at which the iteration stops. The error it leaves
        in K is bounded: each value on the diagonal errs by less than ten times the square of `tol`,
        any other by less than `dim` times that; far below the error of the voxel grid (0.1 to 5 %;
        see docs/decisions).
    max_iterations
        After which a `ConvergenceError` is raised; 10 to 50 are usual at the default `tol`, 200 at
        contrast 1e10.

    Raises
    ------
    EvaluationError
        (A ``ValueError``.) The images are not images, or their channels are not these phases.
    ValueError
        `conductivity`, `scheme` or `tol` is out of range, or the grid has other axes.
    ConvergenceError
        An image did not converge.

    Examples
    --------
    Layers of 1 and 3, half each: in series along the first axis (1.5), in parallel along the second
    (2).

    >>> import torch
    >>> layers = torch.tensor([[[[0.0, 0.0], [1.0, 1.0]]]])
    >>> effective_conductivity(layers, (1, 3)).diagonal(dim1=1, dim2=2).round(decimals=6)
    tensor([[1.5000, 2.0000]], dtype=torch.float64)
    """
    return homogenize_conductivity(
        images, conductivity, grid=grid, scheme=scheme, tol=tol, max_iterations=max_iterations
    ).tensor


def homogenize_conductivity(
    images: Float[Array, "n c *space"],
    conductivity: Sequence[float | int],
    *,
    grid: Grid | None = None,
    scheme: str | None = None,
    tol: float = 1e-5,
    max_iterations: int = 5000,
) -> Homogenized[Array]:
    """`effective_conductivity`, with scheme, boundary condition, iterations and error bound.

    Parameters
    ----------
    images, conductivity, grid, scheme, tol, max_iterations
        As `effective_conductivity` takes them.

    Raises
    ------
    ValueError
        As `effective_conductivity`; an ``EvaluationError`` if the images are not images.
    ConvergenceError
        An image did not converge.
    """
    grid = grid or Grid()
    x = checked_images(images)
    edges = unit_edges(grid.edges_um(x.ndim - 2))
    discretization = make_scheme(scheme or conduction_scheme(len(edges)), edges)
    body = x if grid.periodic else mirrored(x, range(len(edges)))
    problem = conduction_problem(
        body, conductivity, discretization, boundary_of(grid), tol, max_iterations
    )
    answer = homogenize(problem)
    return answer_in_kind(answer, images)


def conduction_problem(
    x: Float[Tensor, "n c *space"],
    conductivity: Sequence[float | int],
    scheme: Scheme,
    boundary: str,
    tol: float,
    max_iterations: int,
) -> Problem:
    """The checked arguments as a problem for the solver."""
    phases = checked_properties("conductivity", conductivity, x)
    # A value of -1e-6 by rounding is no negative conductor.
    k, scale = scaled(phase_mean(x.double(), phases).clamp_min(0), phases)
    return Problem(scheme, boundary, scheme.coefficients(k), scale, tol, max_iterations)

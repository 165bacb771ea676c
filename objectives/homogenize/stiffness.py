"""Effective elastic stiffness of periodic images."""

import math
from collections.abc import Sequence

import torch
from jaxtyping import Float, Float64
from torch import Tensor

from objectives.arrays import Array
from objectives.grid import Grid
from objectives.homogenize.boundary import boundary_of, mirrored
from objectives.homogenize.elasticity import VOIGT, Elasticity
from objectives.homogenize.phases import (
    checked_properties,
    phase_mean,
    require_one_a_phase,
)
from objectives.homogenize.schemes import CornerScheme, make_corner_scheme, unit_edges
from objectives.homogenize.solver import Homogenized, Problem, answer_in_kind, homogenize, scaled
from objectives.images import checked_images


def effective_stiffness(
    images: Float[Array, "n c *space"],
    young: Sequence[float | int],
    poisson: Sequence[float | int],
    *,
    plane: str | None = None,
    grid: Grid | None = None,
    scheme: str | None = None,
    tol: float = 1e-5,
    max_iterations: int = 5000,
) -> Float64[Array, "n v v"]:
    r"""Effective stiffness of each image.

    It is the Voigt matrix :math:`C` in :math:`\langle\sigma\rangle = C\,\langle\varepsilon\rangle`,
    in the unit of `young`, with engineering shear (the angle, twice the tensor component). The axes
    are those of the images, so the order is **zz, yy, xx, xy, xz, yz** in 3-D, ``(n, 6, 6)``, and
    **yy, xx, xy** in 2-D, ``(n, 3, 3)``: ``C[:, 0, 0]`` is along the *first* axis of space.

    The image repeats in every direction, or, on a grid that is not periodic, the image and its
    mirror images do: under tension its faces stay plane and free of friction.

    Solved in float64 and returned so, whatever the images are. Differentiable once in the images,
    at the cost of a few products and no second solve.

    Parameters
    ----------
    images
        In [0, 1]. One channel: fraction of phase 1. More channels: fractions of the phases, which
        add to 1. Phases are isotropic; a voxel of several has the mean of their stiffnesses.
    young
        Young's modulus, one non-negative number a phase; 0 is a pore. Of those that an image has,
        the largest may be 1e12 times the smallest that is not 0.
    poisson
        Poisson's ratio, one number a phase, above -1 and below 0.5.
    plane
        Of 2-D images: ``"strain"`` (the default: a section of a long body) or ``"stress"`` (a thin
        sheet). 3-D images take none.
    grid
        Edges of the voxels, which may be boxes, and what lies beyond the faces; cubes and a
        periodic image unless given.
    scheme
        ``"q1"`` ((tri)linear finite elements) or ``"rot"`` (Willot's rotated scheme): see
        `objectives.homogenize.schemes`. By default ``q1``: ``rot`` is floppy where features are
        one voxel thin, down to no stiffness at all; it is for smooth structures.
    tol
        Relative error of the fields, in energy, at which the iteration stops. The error it leaves
        in C is bounded: each value on the diagonal errs by less than ten times the square of `tol`,
        any other (and any modulus in any direction) by less than 3 times that, or 6 times in 3-D.
    max_iterations
        After which a `ConvergenceError` is raised. Usual at the default `tol`: 20 to 50 up to
        contrast 100, 100 to 400 for pores and at contrast 1e10.

    Raises
    ------
    EvaluationError
        (A ``ValueError``.) The images are not images, or their channels are not these phases.
    ValueError
        `young`, `poisson`, `plane`, `scheme` or `tol` is out of range.
    ConvergenceError
        An image did not converge.

    Notes
    -----
    What does not hang together carries nothing: a stiff island in a void has stiffness 0, and so
    has a structure without any solid path, up to 1e-10 of the solid's times the square of `tol`.

    Examples
    --------
    Layers of modulus 1 and 3 without lateral contraction: in series along the first axis (1.5), in
    parallel along the second (2).

    >>> import torch
    >>> layers = torch.tensor([[[[0.0, 0.0], [1.0, 1.0]]]])
    >>> stiffness = effective_stiffness(layers, (1, 3), (0, 0))
    >>> stiffness.diagonal(dim1=1, dim2=2).round(decimals=6)
    tensor([[1.5000, 2.0000, 0.7500]], dtype=torch.float64)
    """
    return homogenize_stiffness(
        images,
        young,
        poisson,
        plane=plane,
        grid=grid,
        scheme=scheme,
        tol=tol,
        max_iterations=max_iterations,
    ).tensor


def homogenize_stiffness(
    images: Float[Array, "n c *space"],
    young: Sequence[float | int],
    poisson: Sequence[float | int],
    *,
    plane: str | None = None,
    grid: Grid | None = None,
    scheme: str | None = None,
    tol: float = 1e-5,
    max_iterations: int = 5000,
) -> Homogenized[Array]:
    """`effective_stiffness`, with scheme, boundary condition, iterations and error bound.

    Parameters
    ----------
    images, young, poisson, plane, grid, scheme, tol, max_iterations
        As `effective_stiffness` takes them.

    Raises
    ------
    ValueError
        As `effective_stiffness`; an ``EvaluationError`` if the images are not images.
    ConvergenceError
        An image did not converge.
    """
    grid = grid or Grid()
    x = checked_images(images)
    edges = unit_edges(grid.edges_um(x.ndim - 2))
    body = x if grid.periodic else mirrored(x, range(len(edges)))
    problem = elastic_problem(
        body,
        (young, poisson, plane),
        corner_scheme(scheme, edges),
        boundary_of(grid),
        tol,
        max_iterations,
    )
    answer = homogenize(problem)
    return answer_in_kind(answer, images)


def elastic_problem(
    x: Float[Tensor, "n c *space"],
    properties: tuple[Sequence[float | int], Sequence[float | int], str | None],
    scheme: CornerScheme,
    boundary: str,
    tol: float,
    max_iterations: int,
) -> Problem:
    """The checked arguments as a problem for the solver; `properties`: young, poisson and plane."""
    young = checked_properties("young", properties[0], x)
    poisson, plane = _checked_poisson(properties[1], x), properties[2]
    _require_plane(plane, scheme.dim)
    pairs = [lame_parameters(e, ratio, plane) for e, ratio in zip(young, poisson, strict=True)]
    first, second = (phase_mean(x.double(), values) for values in zip(*pairs, strict=True))
    second, scale = scaled(second.clamp_min(0), [shear for _, shear in pairs])
    # By rounding of the fractions a pore may get -1e-6 of its neighbour's modulus.
    first = torch.where(second > 0, first / scale.reshape(-1, *[1] * scheme.dim), 0.0)
    operator = Elasticity(scheme, _reference(pairs))
    return Problem(operator, boundary, torch.stack([first, second], 1), scale, tol, max_iterations)


def corner_scheme(name: str | None, edges: tuple[float, ...]) -> CornerScheme:
    """The scheme of this name for elasticity; ``q1`` whatever the phases are, unless given."""
    if name == "fv":
        raise ValueError(
            "scheme should be q1 or rot for elasticity, got 'fv', which is for conduction."
        )
    return make_corner_scheme(name or "q1", edges)


def _reference(pairs: list[tuple[float, float]]) -> float:
    """Ratio of Lame's parameters of the mean phase, for the preconditioner."""
    first, second = (sum(values) for values in zip(*pairs, strict=True))
    return first / second if second > 0 else 1.0


def lame_parameters(
    young: float | int, poisson: float | int, plane: str | None = None
) -> tuple[float, float]:
    r"""Lame's :math:`\lambda` and :math:`\mu`; for plane stress the :math:`\lambda` of the sheet.

    >>> lame_parameters(2.5, 0.25)
    (1.0, 1.0)
    """
    shear = young / (2 * (1 + poisson))
    if plane == "stress":
        return young * poisson / (1 - poisson**2), shear
    return young * poisson / ((1 + poisson) * (1 - 2 * poisson)), shear


def isotropic_stiffness(
    first: float | int, second: float | int, dim: int
) -> Float64[Tensor, "v v"]:
    r"""Voigt matrix of Lame's :math:`\lambda` and :math:`\mu`, with engineering shear.

    >>> isotropic_stiffness(1.0, 2.0, dim=2)
    tensor([[5., 1., 0.],
            [1., 5., 0.],
            [0., 0., 2.]], dtype=torch.float64)
    """
    size = len(VOIGT[dim])
    stiffness = torch.zeros(size, size, dtype=torch.float64)
    stiffness[:dim, :dim] = first
    stiffness.diagonal()[:dim] += 2 * second
    stiffness.diagonal()[dim:] = second
    return stiffness


def _checked_poisson(values: Sequence[float | int], x: Float[Tensor, "n c *space"]) -> list[float]:
    poisson = [float(value) for value in values]
    if not all(math.isfinite(value) and -1 < value < 0.5 for value in poisson):
        raise ValueError(
            f"poisson should be numbers above -1 and below 0.5, one a phase, got {poisson}. "
            "Nearly incompressible is 0.49."
        )
    require_one_a_phase("poisson", poisson, x)
    return poisson


def _require_plane(plane: str | None, dim: int) -> None:
    if plane not in (None, "strain", "stress"):
        raise ValueError(f"plane should be 'strain', 'stress' or None, got {plane!r}.")
    if dim == 3 and plane is not None:
        raise ValueError(f"plane is for 2-D images, got {plane!r} with 3-D. Leave it out.")

"""Effective elastic stiffness of periodic images."""

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from jaxtyping import Float, Float64
from torch import Tensor

from objectives.homogenize.elasticity import VOIGT, Elasticity
from objectives.homogenize.phases import (
    checked_properties,
    contrast_of,
    phase_mean,
    require_one_a_phase,
)
from objectives.homogenize.schemes import default_scheme, make_scheme
from objectives.homogenize.solver import Homogenized, Problem, homogenize
from objectives.images import checked_images, in_kind


def effective_stiffness(
    images: Float[Tensor, "n c *space"] | Float[np.ndarray, "n c *space"],
    young: Sequence[float | int],
    poisson: Sequence[float | int],
    *,
    plane: str | None = None,
    scheme: str | None = None,
    tol: float = 1e-5,
    max_iterations: int = 1000,
) -> Float64[Tensor, "n v v"] | Float64[np.ndarray, "n v v"]:
    r"""Effective stiffness of each image, repeated periodically in every direction.

    It is the Voigt matrix :math:`C` in :math:`\langle\sigma\rangle = C\,\langle\varepsilon\rangle`,
    in the unit of `young`, with engineering shear (the angle, twice the tensor component). The axes
    are those of the images, so the order is **zz, yy, xx, xy, xz, yz** in 3-D, ``(n, 6, 6)``, and
    **yy, xx, xy** in 2-D, ``(n, 3, 3)``: ``C[:, 0, 0]`` is along the *first* axis of space.

    Solved in float64 and returned so, whatever the images are. Differentiable once in the images,
    at the cost of a few products and no second solve.

    Parameters
    ----------
    images
        In [0, 1]. One channel: fraction of phase 1. More channels: fractions of the phases, which
        add to 1. Phases are isotropic; a voxel of several has the mean of their stiffnesses.
    young
        Young's modulus, one non-negative number a phase; 0 is a pore.
    poisson
        Poisson's ratio, one number a phase, above -1 and below 0.5.
    plane
        Of 2-D images: ``"strain"`` (the default: a section of a long body) or ``"stress"`` (a thin
        sheet). 3-D images take none.
    scheme
        ``"q1"`` ((tri)linear finite elements) or ``"rot"`` (Willot's rotated scheme): see
        `objectives.homogenize.schemes`. By default ``rot``, but ``q1`` if a phase is a pore and in
        3-D from contrast 100 of Young's moduli on.
    tol
        Relative residual at which the iteration stops. The error in C is about its square.
    max_iterations
        After which a `ConvergenceError` is raised. Usual at the default `tol`: 20 to 50 up to
        contrast 100, 100 to 400 for pores.

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
    has a structure without any solid path, up to about the square of `tol`.

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
        scheme=scheme,
        tol=tol,
        max_iterations=max_iterations,
    ).tensor


def homogenize_stiffness(
    images: Float[Tensor, "n c *space"] | Float[np.ndarray, "n c *space"],
    young: Sequence[float | int],
    poisson: Sequence[float | int],
    *,
    plane: str | None = None,
    scheme: str | None = None,
    tol: float = 1e-5,
    max_iterations: int = 1000,
) -> Homogenized:
    """`effective_stiffness`, with scheme, boundary condition, tolerance and iterations."""
    x = checked_images(images)
    problem = elastic_problem(x, (young, poisson), plane, scheme, tol, max_iterations)
    answer = homogenize(problem)
    return replace(answer, tensor=in_kind(answer.tensor, images))


def elastic_problem(
    x: Float[Tensor, "n c *space"],
    properties: tuple[Sequence[float | int], Sequence[float | int]],
    plane: str | None,
    scheme: str | None,
    tol: float,
    max_iterations: int,
) -> Problem:
    """The checked arguments as a problem for the solver; `properties` are young and poisson."""
    dim = x.ndim - 2
    young = checked_properties("young", properties[0], x)
    poisson = _checked_poisson(properties[1], x)
    _require_plane(plane, dim)
    scheme = scheme or default_scheme(dim, contrast_of(young))
    if scheme == "fv":
        raise ValueError(
            "scheme should be q1 or rot for elasticity, got 'fv', which is for conduction."
        )
    scale = max(young) or 1.0  # so that units such as Pa meet no absolute threshold
    pairs = [
        lame_parameters(modulus / scale, ratio, plane)
        for modulus, ratio in zip(young, poisson, strict=True)
    ]
    first, second = (phase_mean(x.double(), values) for values in zip(*pairs, strict=True))
    # By rounding of the fractions a pore may get -1e-6 of its neighbour's modulus.
    empty = second < 0
    first, second = torch.where(empty, 0, first), torch.where(empty, 0, second)
    operator = Elasticity(make_scheme(scheme, dim), _reference(pairs))
    coefficients = torch.stack([first, second], 1)
    return Problem(operator, scheme, coefficients, second.detach(), scale, tol, max_iterations)


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

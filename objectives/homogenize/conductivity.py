"""Effective conductivity (or diffusivity, permittivity ...) of periodic images."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from jaxtyping import Float, Float64
from torch import Tensor

from objectives.homogenize.phases import checked_properties, contrast_of, phase_mean
from objectives.homogenize.schemes import default_scheme, make_scheme
from objectives.homogenize.solver import Homogenized, Problem, homogenize
from objectives.images import checked_images, in_kind


def effective_conductivity(
    images: Float[Tensor, "n c *space"] | Float[np.ndarray, "n c *space"],
    conductivity: Sequence[float | int],
    *,
    scheme: str | None = None,
    tol: float = 1e-5,
    max_iterations: int = 1000,
) -> Float64[Tensor, "n dim dim"] | Float64[np.ndarray, "n dim dim"]:
    r"""Effective conductivity tensor of each image, repeated periodically in every direction.

    It is :math:`K` in :math:`\langle q \rangle = -K \langle \nabla T \rangle`, in the unit of
    `conductivity`. Index 0 is the **first** axis of space and -1 the last: in 2-D ``K[:, 0, 0]`` is
    :math:`k_{yy}` and ``K[:, 1, 1]`` is :math:`k_{xx}`; in 3-D the order is z, y, x.

    Solved in float64 and returned so, whatever the images are. Differentiable once in the images: K
    is the minimum of an energy, so the gradient costs one product and no second solve.

    Parameters
    ----------
    images
        In [0, 1]. One channel: the conductivity is ``k0`` at 0, ``k1`` at 1, linear in between.
        More channels: fractions of the phases, which add to 1; the conductivity is their weighted
        mean.
    conductivity
        One non-negative number a phase; 0 is a pore or an insulator.
    scheme
        ``"q1"`` (bilinear finite elements), ``"rot"`` (Willot's rotated scheme) or ``"fv"`` (finite
        volumes): see `objectives.homogenize.schemes`. By default ``rot``, but ``q1`` if a phase has
        conductivity 0 and in 3-D from contrast 100 on.
    tol
        Relative residual at which the iteration stops. The error it leaves in K is about its
        square, far below the error of the voxel grid (0.1 to 5 %; see docs/decisions).
    max_iterations
        After which a `ConvergenceError` is raised; 10 to 50 are usual at the default `tol`.

    Raises
    ------
    EvaluationError
        (A ``ValueError``.) The images are not images, or their channels are not these phases.
    ValueError
        `conductivity`, `scheme` or `tol` is out of range.
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
        images, conductivity, scheme=scheme, tol=tol, max_iterations=max_iterations
    ).tensor


def homogenize_conductivity(
    images: Float[Tensor, "n c *space"] | Float[np.ndarray, "n c *space"],
    conductivity: Sequence[float | int],
    *,
    scheme: str | None = None,
    tol: float = 1e-5,
    max_iterations: int = 1000,
) -> Homogenized:
    """`effective_conductivity`, with scheme, boundary condition, tolerance and iterations."""
    x = checked_images(images)
    problem = conduction_problem(x, conductivity, scheme, tol, max_iterations)
    answer = homogenize(problem)
    return replace(answer, tensor=in_kind(answer.tensor, images))


def conduction_problem(
    x: Float[Tensor, "n c *space"],
    conductivity: Sequence[float | int],
    scheme: str | None,
    tol: float,
    max_iterations: int,
) -> Problem:
    """The checked arguments as a problem for the solver."""
    phases = checked_properties("conductivity", conductivity, x)
    dim = x.ndim - 2
    scheme = scheme or default_scheme(dim, contrast_of(phases))
    grid = make_scheme(scheme, dim)
    # Scaled to 1, so that units such as 1e-12 m2/s meet no absolute threshold.
    scale = max(phases) or 1.0
    # A value of -1e-6 by rounding is no negative conductor.
    k = phase_mean(x.double(), [value / scale for value in phases]).clamp_min(0)
    return Problem(grid, scheme, grid.coefficients(k), k.detach(), scale, tol, max_iterations)

"""Local fields of a structure under a mean gradient or strain, and their maxima."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Float64
from torch import Tensor

from objectives.grid import Grid
from objectives.homogenize.boundary import boundary_of, mirrored
from objectives.homogenize.conductivity import conduction_problem
from objectives.homogenize.elasticity import VOIGT
from objectives.homogenize.schemes import conduction_scheme, make_scheme, unit_edges
from objectives.homogenize.solver import Problem, local_gradients
from objectives.homogenize.stiffness import corner_scheme, elastic_problem
from objectives.images import checked_images


@dataclass(frozen=True)
class ConductionFields:
    """Means over each voxel; components along the axes of the images."""

    gradient: Float64[Tensor, "n d *space"]
    flux: Float64[Tensor, "n d *space"]  # -k times the gradient, zero in pores
    scheme: str
    boundary: str  # periodic or mirrored
    tol: float

    def largest_flux(self) -> Float64[Tensor, "n"]:
        """Largest magnitude of the flux in any voxel."""
        return torch.linalg.vector_norm(self.flux, dim=1).flatten(1).amax(1)


@dataclass(frozen=True)
class ElasticFields:
    """Means over each voxel; components in Voigt's order of `effective_stiffness`."""

    strain: Float64[Tensor, "n v *space"]  # engineering shear
    stress: Float64[Tensor, "n v *space"]
    stress_across: Float64[Tensor, "n *space"] | None  # of 2-D: normal to the plane
    scheme: str
    boundary: str  # periodic or mirrored
    tol: float

    def von_mises(self) -> Float64[Tensor, "n *space"]:
        """Equivalent stress of von Mises in every voxel."""
        dim = self.stress.ndim - 2
        normal, shear = list(self.stress[:, :dim].unbind(1)), self.stress[:, dim:]
        if self.stress_across is not None:
            normal.append(self.stress_across)
        first, second, third = normal
        square = ((first - second) ** 2 + (second - third) ** 2 + (third - first) ** 2) / 2
        square = square + 3 * (shear**2).sum(1)
        # The root has no derivative at 0, where pores are.
        return torch.where(square > 0, torch.where(square > 0, square, 1).sqrt(), 0)

    def largest_von_mises(self) -> Float64[Tensor, "n"]:
        """Its largest value in any voxel."""
        return self.von_mises().flatten(1).amax(1)


def conduction_fields(
    images: Float[Tensor, "n c *space"],
    conductivity: Sequence[float | int],
    *,
    mean_gradient: Sequence[float | int],
    grid: Grid | None = None,
    scheme: str | None = None,
    tol: float = 1e-5,
    max_iterations: int = 5000,
) -> ConductionFields:
    """Gradient and flux in every voxel of `effective_conductivity`'s problem.

    Differentiable once: the derivative takes one adjoint solve. A voxel of the answer errs with
    `tol`, not with its square as the effective tensor does, and depends more on the grid; a maximum
    at a sharp corner grows with resolution. In pores the gradient is one of many that fit.

    Parameters
    ----------
    images, conductivity, grid, scheme, tol, max_iterations
        As `effective_conductivity` takes them.
    mean_gradient
        Of the potential, one number an axis of the images.

    Returns
    -------
    Gradient and flux, each ``(n, dim, *space)``, in the units of `mean_gradient` and of that times
    `conductivity`.

    Raises
    ------
    ValueError
        As `effective_conductivity`; or the scheme is ``fv``, whose fluxes live on faces.
    ConvergenceError
        An image did not converge.

    Examples
    --------
    >>> layers = torch.tensor([[[[0.0, 0.0], [1.0, 1.0]]]])
    >>> fields = conduction_fields(layers, (1, 3), mean_gradient=(1, 0))
    >>> fields.gradient[0, 0, :, 0].round(decimals=6), fields.largest_flux().round(decimals=6)
    (tensor([1.5000, 0.5000], dtype=torch.float64), tensor([1.5000], dtype=torch.float64))
    """
    if scheme == "fv":
        raise ValueError(
            "scheme should be q1 or rot for local fields, got 'fv', whose fluxes live on faces."
        )
    grid = grid or Grid()
    x = checked_images(images)
    edges = unit_edges(grid.edges_um(x.ndim - 2))
    _require_mean("mean_gradient", mean_gradient, len(edges))
    body = x if grid.periodic else mirrored(x, range(len(edges)))
    corners = make_scheme(scheme or conduction_scheme(len(edges)), edges)
    boundary = boundary_of(grid)
    problem = conduction_problem(body, conductivity, corners, boundary, tol, max_iterations)
    gradient = local_gradients(problem, mean_gradient) + _spread(mean_gradient, problem)
    # Corner schemes have one coefficient, the conductivity.
    flux = -_in_units(problem) * gradient
    gradient, flux = (_of_image(field, x) for field in (gradient, flux))
    return ConductionFields(gradient, flux, corners.name, boundary, tol)


def elastic_fields(
    images: Float[Tensor, "n c *space"],
    young: Sequence[float | int],
    poisson: Sequence[float | int],
    *,
    mean_strain: Sequence[float | int],
    plane: str | None = None,
    grid: Grid | None = None,
    scheme: str | None = None,
    tol: float = 1e-5,
    max_iterations: int = 5000,
) -> ElasticFields:
    """Strain and stress in every voxel of `effective_stiffness`'s problem.

    What `conduction_fields` says of derivatives, errors and pores holds here too.

    Parameters
    ----------
    images, young, poisson, plane, grid, scheme, tol, max_iterations
        As `effective_stiffness` takes them.
    mean_strain
        In Voigt's order of `effective_stiffness`, with engineering shear: 3 numbers or 6.

    Returns
    -------
    Strain and stress, each ``(n, v, *space)``; stress in the unit of `young`.

    Raises
    ------
    ValueError
        As `effective_stiffness`, or `mean_strain` has another length.
    ConvergenceError
        An image did not converge.
    """
    grid = grid or Grid()
    x = checked_images(images)
    dim = x.ndim - 2
    edges = unit_edges(grid.edges_um(dim))
    _require_mean("mean_strain", mean_strain, len(VOIGT[dim]))
    body = x if grid.periodic else mirrored(x, range(dim))
    corners, boundary = corner_scheme(scheme, edges), boundary_of(grid)
    properties = (young, poisson, plane)
    problem = elastic_problem(body, properties, corners, boundary, tol, max_iterations)
    slopes = local_gradients(problem, mean_strain)  # [:, j, i]: of displacement i along axis j
    strain = torch.stack(
        [slopes[:, i, j] if i == j else slopes[:, i, j] + slopes[:, j, i] for i, j in VOIGT[dim]], 1
    )
    strain = strain + _spread(mean_strain, problem)
    first, second = _in_units(problem).unbind(1)
    pressure = first * strain[:, :dim].sum(1)
    stress = torch.cat(
        [
            2 * second[:, None] * strain[:, :dim] + pressure[:, None],
            second[:, None] * strain[:, dim:],
        ],
        1,
    )
    across = None
    if dim == 2:
        across = torch.zeros_like(pressure) if plane == "stress" else pressure
        across = _of_image(across, x)
    strain, stress = (_of_image(field, x) for field in (strain, stress))
    return ElasticFields(strain, stress, across, corners.name, boundary, tol)


def _require_mean(name: str, mean: Sequence[float | int], length: int) -> None:
    if len(mean) != length:
        raise ValueError(f"{name} should have {length} numbers for these images, got {len(mean)}.")


def _spread(mean: Sequence[float | int], problem: Problem) -> Tensor:
    values = problem.scale.new_tensor(mean)
    return values.reshape(1, -1, *[1] * problem.operator.dim)


def _in_units(problem: Problem) -> Tensor:
    return problem.scale.reshape(-1, *[1] * (problem.operator.dim + 1)) * problem.coefficients


def _of_image(field: Tensor, x: Float[Tensor, "n c *space"]) -> Tensor:
    """The part of a field that lies in the image, of which the mirror images are solved too."""
    return field[(..., *(slice(size) for size in x.shape[2:]))]

"""Local fields of a structure under a mean gradient or strain, and their maxima."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Float64
from torch import Tensor

from objectives.homogenize import conductivity as conduction
from objectives.homogenize import stiffness as elasticity
from objectives.homogenize.elasticity import VOIGT
from objectives.homogenize.solver import Problem, local_gradients
from objectives.images import checked_images


@dataclass(frozen=True)
class ConductionFields:
    """Means over each voxel; components along the axes of the images. Boundary: periodic."""

    gradient: Float64[Tensor, "n d *space"]
    flux: Float64[Tensor, "n d *space"]  # -k times the gradient, zero in pores
    scheme: str
    tol: float

    def largest_flux(self) -> Float64[Tensor, "n"]:
        """Largest magnitude of the flux in any voxel."""
        return torch.linalg.vector_norm(self.flux, dim=1).flatten(1).amax(1)


@dataclass(frozen=True)
class ElasticFields:
    """Means over each voxel; components in Voigt's order of `effective_stiffness`, periodic."""

    strain: Float64[Tensor, "n v *space"]  # engineering shear
    stress: Float64[Tensor, "n v *space"]
    stress_across: Float64[Tensor, "n *space"] | None  # of 2-D: normal to the plane
    scheme: str
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
    scheme: str | None = None,
    tol: float = 1e-5,
    max_iterations: int = 1000,
) -> ConductionFields:
    """Gradient and flux in every voxel of `effective_conductivity`'s problem.

    Differentiable once: the derivative takes one adjoint solve. A voxel of the answer errs with
    `tol`, not with its square as the effective tensor does, and depends more on the grid; a maximum
    at a sharp corner grows with resolution. In pores the gradient is one of many that fit.

    Parameters
    ----------
    mean_gradient
        Of the potential, one number an axis of the images.

    Raises
    ------
    ValueError
        As `effective_conductivity`; or the scheme is ``fv``, whose fluxes live on faces.

    Examples
    --------
    >>> layers = torch.tensor([[[[0.0, 0.0], [1.0, 1.0]]]])
    >>> fields = conduction_fields(layers, (1, 3), mean_gradient=(1, 0))
    >>> fields.gradient[0, 0, :, 0].round(decimals=6), fields.largest_flux().round(decimals=6)
    (tensor([1.5000, 0.5000], dtype=torch.float64), tensor([1.5000], dtype=torch.float64))
    """
    x = checked_images(images)
    problem = conduction.conduction_problem(x, conductivity, scheme, tol, max_iterations)
    if problem.scheme == "fv":
        raise ValueError(
            "scheme should be q1 or rot for local fields, got 'fv', whose fluxes live on faces."
        )
    _require_mean("mean_gradient", mean_gradient, x.ndim - 2)
    gradient = local_gradients(problem, mean_gradient) + _spread(mean_gradient, problem)
    # Corner schemes have one coefficient, the conductivity.
    flux = -problem.scale * problem.coefficients * gradient
    return ConductionFields(gradient, flux, problem.scheme, problem.tol)


def elastic_fields(
    images: Float[Tensor, "n c *space"],
    young: Sequence[float | int],
    poisson: Sequence[float | int],
    *,
    mean_strain: Sequence[float | int],
    plane: str | None = None,
    scheme: str | None = None,
    tol: float = 1e-5,
    max_iterations: int = 1000,
) -> ElasticFields:
    """Strain and stress in every voxel of `effective_stiffness`'s problem.

    What `conduction_fields` says of derivatives, errors and pores holds here too.

    Parameters
    ----------
    mean_strain
        In Voigt's order of `effective_stiffness`, with engineering shear: 3 numbers or 6.

    Raises
    ------
    ValueError
        As `effective_stiffness`, or `mean_strain` has another length.
    """
    x = checked_images(images)
    dim = x.ndim - 2
    problem = elasticity.elastic_problem(x, (young, poisson), plane, scheme, tol, max_iterations)
    _require_mean("mean_strain", mean_strain, len(VOIGT[dim]))
    slopes = local_gradients(problem, mean_strain)  # [:, j, i]: of displacement i along axis j
    strain = torch.stack(
        [slopes[:, i, j] if i == j else slopes[:, i, j] + slopes[:, j, i] for i, j in VOIGT[dim]], 1
    )
    strain = strain + _spread(mean_strain, problem)
    first, second = (problem.scale * problem.coefficients).unbind(1)
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
    return ElasticFields(strain, stress, across, problem.scheme, problem.tol)


def _require_mean(name: str, mean: Sequence[float | int], length: int) -> None:
    if len(mean) != length:
        raise ValueError(f"{name} should have {length} numbers for these images, got {len(mean)}.")


def _spread(mean: Sequence[float | int], problem: Problem) -> Tensor:
    values = problem.modulus.new_tensor(mean)
    return values.reshape(1, -1, *[1] * problem.operator.dim)

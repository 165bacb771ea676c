"""Effective conductivity (or diffusivity, permittivity ...) of periodic images."""

import math
from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float, Float64
from torch import Tensor
from torch.autograd.function import once_differentiable

from objectives.errors import ConvergenceError, EvaluationError
from objectives.homogenize.cg import Solution, conjugate_gradients
from objectives.homogenize.preconditioner import Preconditioner
from objectives.homogenize.schemes import Scheme, default_scheme, make_scheme
from objectives.images import checked_images, in_kind

# Voxels solved together: on a CPU what its cache holds (measured: 16 images of 64x64), on a GPU
# what keeps it busy within 2 GB.
VOXELS_AT_ONCE = {"cpu": 2**16, "cuda": 2**21}


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
    x = checked_images(images)
    phases = _checked_conductivity(conductivity, x)
    if not 0 < tol < 1:
        raise ValueError(f"tol should be between 0 and 1, got {tol}.")
    dim, largest = x.ndim - 2, max(phases)
    contrast = largest / min(phases) if min(phases) > 0 else math.inf
    scheme = scheme or default_scheme(dim, contrast)
    grid = make_scheme(scheme, dim)
    # Scaled to 1, so that units such as 1e-12 m2/s meet no absolute threshold.
    k = _field(x.double(), [value / (largest or 1.0) for value in phases])
    solve = Preconditioner(grid, tuple(x.shape[2:]), x.device)
    at_once = max(1, VOXELS_AT_ONCE.get(x.device.type, 2**16) // math.prod(x.shape[2:]))
    tensors = []
    for start in range(0, len(k), at_once):
        chunk = k[start : start + at_once]
        coefficients = grid.coefficients(chunk)
        weighted = grid.weighted(coefficients.detach())
        solution = conjugate_gradients(
            grid.apply, solve, weighted, grid.load(weighted), tol=tol, max_iterations=max_iterations
        )
        _require_convergence(solution, chunk.detach(), start, tol, scheme)
        tensors.append(_energy(coefficients, grid, solution.u))
    tensor = torch.cat(tensors) if tensors else k.new_zeros(0, dim, dim)
    return in_kind(tensor * largest, images)


def _checked_conductivity(conductivity: Sequence[float | int], x: Tensor) -> list[float]:
    phases = [float(value) for value in conductivity]
    if len(phases) < 2 or not all(math.isfinite(k) and k >= 0 for k in phases):
        raise ValueError(
            f"conductivity should be two or more finite numbers >= 0, one a phase, got {phases}."
        )
    channels = x.shape[1]
    if len(phases) != max(channels, 2):
        raise EvaluationError(
            f"images with {channels} channel(s) have {max(channels, 2)} phases, got "
            f"{len(phases)} conductivities. Give one a phase."
        )
    if channels > 1 and len(x):
        low, high = torch.aminmax(x.detach().sum(1))
        if low < 0.99 or high > 1.01:
            raise EvaluationError(
                "images with one channel a phase should add to 1 in every voxel, got sums from "
                f"{float(low):.4g} to {float(high):.4g}. Segment them, or divide by the sum."
            )
    return phases


def _field(x: Float64[Tensor, "n c *space"], phases: list[float]) -> Float64[Tensor, "n *space"]:
    if x.shape[1] == 1:
        k = phases[0] + (phases[1] - phases[0]) * x[:, 0]
    else:
        k = torch.einsum("nc...,c->n...", x, x.new_tensor(phases))
    return k.clamp_min(0)  # a value of -1e-6 by rounding is no negative conductor


def _require_convergence(
    solution: Solution, k: Tensor, start: int, tol: float, scheme: str
) -> None:
    """Raise for the worst sample of a chunk that begins at row `start`."""
    if solution.residual.max() <= tol:
        return
    worst = int(solution.residual.argmax())
    low, high = torch.aminmax(k[worst])
    remedy = "" if scheme == "q1" else "scheme='q1', "
    raise ConvergenceError(
        f"sample {start + worst} did not converge: residual {float(solution.residual[worst]):.1e} "
        f"instead of {tol:.1e} after {int(solution.iterations[worst])} iterations at contrast "
        f"{float(high / low):.3g} with scheme {scheme}. Use {remedy}a larger tol, or more "
        "max_iterations."
    )


def _energy(
    coefficients: Float64[Tensor, "n g *space"], grid: Scheme, u: Float64[Tensor, "n l *space"]
) -> Float64[Tensor, "n dim dim"]:
    """The effective tensor from the fields of the solution."""
    with torch.no_grad():
        density = grid.energy_density(u)
        shared = coefficients.shape[1] == 1
        derivative = sum(density)[:, None] if shared else torch.stack(density, 1)
    return _LinearOnce.apply(coefficients, derivative)


class _LinearOnce(torch.autograd.Function):
    """Coefficients times their derivative, summed; a second derivative would lack that of u."""

    @staticmethod
    def forward(ctx, coefficients: Tensor, derivative: Tensor) -> Tensor:
        ctx.save_for_backward(derivative)
        return torch.einsum("ngv,nglmv->nlm", coefficients.flatten(2), derivative.flatten(4))

    @staticmethod
    @once_differentiable
    def backward(ctx, gradient: Tensor) -> tuple[Tensor, None]:
        (derivative,) = ctx.saved_tensors
        return torch.einsum("nlm,nglm...->ng...", gradient, derivative), None

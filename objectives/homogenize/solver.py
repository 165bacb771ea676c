"""From coefficients to effective tensors and fields: chunks, convergence, derivatives."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float64, Int
from torch import Tensor
from torch.autograd.function import once_differentiable

from objectives.errors import ConvergenceError
from objectives.homogenize.cg import Solution, conjugate_gradients
from objectives.homogenize.operators import Operator
from objectives.homogenize.preconditioner import Preconditioner

# Voxels and axes solved together: on a CPU what its cache holds (measured: 16 images of 64x64, one
# potential an axis), on a GPU what keeps it busy within 2 GB.
VOXELS_AT_ONCE = {"cpu": 2**16, "cuda": 2**21}


@dataclass(frozen=True)
class Homogenized:
    """Effective tensors, and how they were reached."""

    tensor: Float64[Tensor, "n r r"] | Float64[np.ndarray, "n r r"]
    scheme: str  # discretization: q1, rot or fv
    boundary: str  # boundary condition: periodic
    tol: float  # relative residual asked for
    iterations: Int[Tensor, "n"]
    residual: Float64[Tensor, "n"]  # relative residual reached, of the worst load


@dataclass(frozen=True)
class Problem:
    """Structures to be homogenized: an operator, and what each sample puts into it."""

    operator: Operator
    scheme: str
    coefficients: Float64[Tensor, "n g *space"]  # the largest is about 1; may carry a graph
    modulus: Float64[Tensor, "n *space"]  # what contrast is about: conductivity or shear modulus
    scale: float  # what the coefficients were divided by
    tol: float
    max_iterations: int

    def __post_init__(self):
        if not 0 < self.tol < 1:
            raise ValueError(f"tol should be between 0 and 1, got {self.tol}.")

    def chunks(self) -> Iterator["Chunk"]:
        """The samples, as many at once as the cache holds."""
        space, device = tuple(self.coefficients.shape[2:]), self.coefficients.device
        unknowns = self.operator.zeros(1, (1,) * len(space), device).numel()
        voxels = VOXELS_AT_ONCE.get(device.type, 2**16) * len(space) // unknowns
        at_once = max(1, voxels // math.prod(space))
        inverse = Preconditioner(self.operator, space, device)
        for start in range(0, len(self.coefficients), at_once):
            yield Chunk(self, inverse, start, self.coefficients[start : start + at_once])


@dataclass(frozen=True)
class Chunk:
    """Samples that are solved together, from row `start` on."""

    problem: Problem
    inverse: Preconditioner
    start: int
    coefficients: Float64[Tensor, "n g *space"]

    @torch.no_grad()
    def solve(self, b: Tensor | None = None) -> Solution:
        """The unknowns for the mean gradients, or for another right-hand side."""
        problem, operator = self.problem, self.problem.operator
        weighted = operator.weighted(self.coefficients)
        solution = conjugate_gradients(
            operator.apply,
            self.inverse,
            weighted,
            operator.load(weighted) if b is None else b,
            tol=problem.tol,
            max_iterations=problem.max_iterations,
        )
        if not solution.residual.max() <= problem.tol:
            raise ConvergenceError(self._what_did_not_converge(solution))
        return solution

    def _what_did_not_converge(self, solution: Solution) -> str:
        worst = int(solution.residual.argmax())
        low, high = torch.aminmax(self.problem.modulus[self.start + worst])
        scheme = self.problem.scheme
        remedy = "" if scheme == "q1" else "scheme='q1', "
        return (
            f"sample {self.start + worst} did not converge: residual "
            f"{float(solution.residual[worst]):.1e} instead of {self.problem.tol:.1e} after "
            f"{int(solution.iterations[worst])} iterations at contrast {float(high / low):.3g} "
            f"with scheme {scheme}. Use {remedy}a larger tol, or more max_iterations."
        )


def homogenize(problem: Problem) -> Homogenized:
    """Solve every sample; the tensor carries the graph of the coefficients."""
    rows = problem.operator.zeros(1, (1,) * problem.operator.dim, problem.modulus.device).shape[1]
    tensors = [problem.modulus.new_zeros(0, rows, rows)]
    iterations, residuals = [torch.zeros(0, dtype=torch.long)], [problem.modulus.new_zeros(0)]
    for chunk in problem.chunks():
        solution = chunk.solve()
        tensors.append(_Energy.apply(chunk.coefficients, solution.u, problem.operator))
        iterations.append(solution.iterations.cpu())
        residuals.append(solution.residual)
    return Homogenized(
        torch.cat(tensors) * problem.scale,
        problem.scheme,
        "periodic",
        problem.tol,
        torch.cat(iterations),
        torch.cat(residuals),
    )


def local_gradients(
    problem: Problem, mean: Sequence[float | int]
) -> Float64[Tensor, "n d *unknowns"]:
    """Mean gradient in every voxel, by axis, less the mean of the sample.

    `mean` holds the share of each load. The answer carries the graph of the coefficients: its
    derivative takes one more solve of the same system, the adjoint.
    """
    operator = problem.operator
    space = tuple(problem.modulus.shape[1:])
    shares = problem.modulus.new_tensor(mean)
    # Of no samples, for a batch of none.
    parts = [torch.stack([operator.zeros(0, space, shares.device)[:, 0]] * operator.dim, 1)]
    for chunk in problem.chunks():
        u = _Fluctuation.apply(chunk.coefficients, shares, chunk)
        fields = operator.gradient(u)[: operator.dim]
        parts.append(torch.stack([field[:, 0] for field in fields], 1) / operator.unit)
    return torch.cat(parts)


class _Fluctuation(torch.autograd.Function):
    r"""The unknowns u under one mean gradient E, as a function of the coefficients.

    From :math:`G^T C\,(G u + E) = 0`, a change of C moves a function J of u by
    :math:`-G w \cdot dC\,(G u + E)`, where :math:`A w = dJ/du`: the adjoint equation.
    """

    @staticmethod
    def forward(ctx, coefficients: Tensor, shares: Tensor, chunk: Chunk) -> Tensor:
        weighted = chunk.problem.operator.weighted(coefficients)
        b = torch.einsum("l,nl...->n...", shares, chunk.problem.operator.load(weighted))
        u = chunk.solve(b[:, None]).u
        ctx.save_for_backward(u, shares)
        ctx.chunk = chunk
        return u

    @staticmethod
    @once_differentiable
    def backward(ctx, gradient: Tensor) -> tuple[Tensor, None, None]:
        u, shares = ctx.saved_tensors
        operator = ctx.chunk.problem.operator
        # Scaled to 1: the functional may be of any size.
        size = gradient.abs().amax() or 1.0
        fields = operator.gradient(ctx.chunk.solve(gradient / size).u * -size)
        loads = operator.total(operator.zeros(1, tuple(u.shape[-operator.dim :]), u.device))
        means = [torch.einsum("l,nl...->n...", shares, load)[:, None] for load in loads]
        total = [field + mean for field, mean in zip(operator.gradient(u), means, strict=True)]
        return operator.sensitivity(fields, total), None, None


class _Energy(torch.autograd.Function):
    r"""The effective tensor of given unknowns.

    The energy :math:`\langle (E_l + \nabla u_l)\,C\,(E_m + \nabla u_m)\rangle` is stationary in u,
    so its derivative with u held fixed is the whole first derivative: no adjoint solve. A second
    derivative would lack that of u.
    """

    @staticmethod
    def forward(ctx, coefficients: Tensor, u: Tensor, operator: Operator) -> Tensor:
        ctx.save_for_backward(u)
        ctx.operator = operator
        return operator.tensor(operator.weighted(coefficients), u)

    @staticmethod
    @once_differentiable
    def backward(ctx, gradient: Tensor) -> tuple[Tensor, None, None]:
        (u,) = ctx.saved_tensors
        fields = ctx.operator.total(u)
        voxels = math.prod(u.shape[-ctx.operator.dim :])
        mixed = [torch.einsum("nlm,nm...->nl...", gradient / voxels, field) for field in fields]
        return ctx.operator.sensitivity(mixed, fields), None, None

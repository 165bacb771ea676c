"""From coefficients to effective tensors and fields: chunks, convergence, derivatives."""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Generic

import torch
from jaxtyping import Float64, Int
from torch import Tensor
from torch.autograd.function import once_differentiable

from objectives.arrays import Array
from objectives.errors import ConvergenceError, EvaluationError
from objectives.homogenize.cg import TIMES_SQUARE, Solution, conjugate_gradients
from objectives.homogenize.operators import Operator
from objectives.homogenize.preconditioner import Preconditioner
from objectives.images import in_kind

# Voxels and axes solved together: on a CPU what its cache holds (measured: 16 images of 64x64, one
# potential an axis), on a GPU what keeps it busy within 2 GB.
VOXELS_AT_ONCE = {"cpu": 2**16, "cuda": 2**21}


# The softest mode of a structure with pores, over that of its softest solid: what holds on by less
# has no stiffness. A chain of N voxels has about N**-2, which superlinear convergence passes soon.
PORES = 1e-7
# Beyond this contrast the rounding of float64 is no longer small against the softest phase.
LARGEST_CONTRAST = 1e12
SLACK = 4.0  # of combinations of loads, beside the sum of the errors of their loads
ROUNDING = 1e-15  # of the numbers in an effective tensor, relative to its diagonal
# Solves of one sample: the second and later ones go on from what the one before left.
MOST_SOLVES = 4


@dataclass(frozen=True)
class Homogenized(Generic[Array]):
    """Effective tensors, and how they were reached."""

    tensor: Float64[Array, "n r r"]
    scheme: str  # discretization: q1, rot or fv
    boundary: str  # boundary condition: periodic or mirrored
    tol: float  # relative error of fields that was asked for
    iterations: Int[Tensor, "n"]
    error: Float64[Tensor, "n"]  # bound on the relative error of every effective value


@dataclass(frozen=True)
class Problem:
    """Structures to be homogenized: an operator, and what each sample puts into it."""

    operator: Operator
    boundary: str
    coefficients: Float64[Tensor, "n g *space"]  # the largest of each sample is about 1
    scale: Float64[Tensor, "n"]  # what the coefficients of each sample were divided by
    tol: float
    max_iterations: int

    def __post_init__(self):
        if not 0 < self.tol < 1:
            raise ValueError(f"tol should be between 0 and 1, got {self.tol}.")

    @cached_property
    def lowest(self) -> Float64[Tensor, "n"]:
        """Lower bound of what each sample responds with, over the preconditioner's medium."""
        softness = self.operator.softness(self.coefficients.detach()).flatten(1)
        return smallest(softness) * torch.where((softness <= 0).any(1), PORES, 1.0)

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

    @property
    def lowest(self) -> Float64[Tensor, "n"]:
        """That of the problem, for these samples."""
        return self.problem.lowest[self.start : self.start + len(self.coefficients)]

    @cached_property
    def weighted(self) -> Float64[Tensor, "n w *space"]:
        """The coefficients as the operator takes them, without their graph."""
        return self.problem.operator.weighted(self.coefficients.detach())

    @torch.no_grad()
    def solve_loads(self) -> "Solved":
        """Unknowns for the mean gradients, such that every effective value is within tolerance.

        Loads that are solved well one by one may leave their combinations badly known, where a
        structure is stiff along both axes and soft between them: then all are solved on, closer.
        """
        operator, tol = self.problem.operator, self.problem.tol
        u = operator.zeros(len(self.weighted), self.space, self.weighted.device)
        voxels, allowed = math.prod(self.space), SLACK * TIMES_SQUARE * u.shape[1] * tol**2
        energy, iterations = voxels * operator.voigt(self.coefficients.detach()), 0
        for _ in range(MOST_SOLVES):
            solution = self._iterated(operator.remainder(self.weighted, u), energy, tol)
            u, iterations = u + solution.u, iterations + solution.iterations
            tensor = operator.tensor(self.weighted, u)
            error = relative_error(tensor, solution.error / voxels, self.lowest)
            if not (worse := float((error / allowed).max())) > 1:
                break
            energy = voxels * tensor.diagonal(dim1=1, dim2=2)
            tol /= 2 * math.sqrt(worse)
        return Solved(u, tensor, iterations, error)

    @torch.no_grad()
    def solve(self, b: Tensor, energy: Tensor | None = None) -> Tensor:
        """Unknowns u of A u = b; `energy` as `conjugate_gradients` takes it."""
        return self._iterated(b, energy, self.problem.tol).u

    @property
    def space(self) -> tuple[int, ...]:
        """Voxels along each axis."""
        return tuple(self.coefficients.shape[2:])

    def _iterated(self, b: Tensor, energy: Tensor | None, tol: float) -> Solution:
        solution = conjugate_gradients(
            self.problem.operator.apply,
            self.inverse,
            self.weighted,
            b,
            lowest=self.lowest,
            energy=energy,
            tol=tol,
            max_iterations=self.problem.max_iterations,
        )
        if not solution.converged.all():
            raise ConvergenceError(self._what_did_not_converge(solution))
        return solution

    def _what_did_not_converge(self, solution: Solution) -> str:
        worst = int(solution.converged.argmin())
        softness = self.problem.operator.softness(self.coefficients[worst : worst + 1].detach())
        contrast = float(softness.max() / smallest(softness.flatten(1))[0])
        remedy = "" if self.problem.operator.name == "q1" else "scheme='q1', "
        pores = " and pores" if (softness <= 0).any() else ""
        return (
            f"sample {self.start + worst} did not converge to tol {self.problem.tol:.1e} in "
            f"{int(solution.iterations[worst])} iterations at contrast {contrast:.3g}{pores} "
            f"with scheme {self.problem.operator.name}. Use {remedy}a larger tol, or more "
            "max_iterations."
        )


@dataclass(frozen=True)
class Solved:
    """Unknowns for the mean gradients, and what they make."""

    u: Float64[Tensor, "n l *unknowns"]
    tensor: Float64[Tensor, "n l l"]
    iterations: Int[Tensor, "n"]
    error: Float64[Tensor, "n"]


def smallest(x: Float64[Tensor, "n k"]) -> Float64[Tensor, "n"]:
    """Smallest number above 0 of each row; 1 of a row without any."""
    positive = torch.where(x > 0, x, torch.inf).amin(1)
    return torch.where(torch.isfinite(positive), positive, 1.0)


def scaled(values: Float64[Tensor, "n k *space"], phases: Iterable[float]) -> tuple[Tensor, Tensor]:
    """Properties of voxels over the largest of their sample, and that; by sample, so that neither
    units nor a phase that no voxel has meet a threshold.

    What is lost beside the largest is rounding where it is a trace of a solid in a pore, and an
    error where it is half or more of a phase.

    Raises
    ------
    EvaluationError
        (A ``ValueError``.) A sample has a contrast that float64 does not resolve.
    """
    largest = values.detach().flatten(1).abs().amax(1) if len(values) else values.new_zeros(0)
    scale = torch.where(largest > 0, largest, 1.0)
    over = values / scale.reshape(-1, *[1] * (values.ndim - 1))
    lost = (over.detach() > 0) & (over.detach() < 1 / LARGEST_CONTRAST)
    if not lost.any():
        return over, scale
    solid = min((p for p in phases if p > 0), default=math.inf)
    real = lost if min(phases) > 0 else lost & (values.detach() >= solid / 2)
    if real.any():
        row = int(real.flatten(1).any(1).nonzero()[0, 0])
        contrast = float(
            1 / smallest(torch.where(real, over.detach(), 0.0)[row : row + 1].flatten(1))[0]
        )
        raise EvaluationError(
            f"sample {row} has phases of contrast {contrast:.3g}, of which float64 resolves "
            f"{LARGEST_CONTRAST:.0e}. Give the small one as 0, a pore, or bring them closer."
        )
    return torch.where(lost, 0.0, over), scale


def relative_error(
    tensor: Float64[Tensor, "n l l"], bound: Float64[Tensor, "n l"], lowest: Float64[Tensor, "n"]
) -> Float64[Tensor, "n"]:
    r"""Bound of :math:`x^T \Delta x / x^T C x` over all loads x, the relative error of any value.

    :math:`\Delta_{lm} = e_l \cdot A e_m`, whose diagonal is `bound`, so :math:`x^T \Delta x` is at
    most the square of :math:`\sum_l |x_l| \Delta_{ll}^{1/2}`. The tensor's rounding is added. What
    is less than `lowest` counts as no stiffness at all: errors there are relative to `lowest`.
    """
    size = (tensor.diagonal(dim1=1, dim2=2) + lowest[:, None]).sqrt()
    # To a diagonal of ones, since stiffnesses differ by orders of magnitude.
    scaled = tensor / (size[:, :, None] * size[:, None, :])
    scaled.diagonal(dim1=1, dim2=2).fill_(1.0)
    inverse = torch.linalg.inv_ex(scaled).inverse.abs()
    root = bound.clamp_min(0).sqrt() / size
    return (inverse * (root[:, :, None] * root[:, None, :] + ROUNDING)).sum((1, 2))


def homogenize(problem: Problem) -> Homogenized[Tensor]:
    """Solve every sample; the tensor carries the graph of the coefficients."""
    operator, numbers = problem.operator, problem.scale
    tensors = [numbers.new_zeros(0, len(operator.loads), len(operator.loads))]
    iterations, errors = [torch.zeros(0, dtype=torch.long)], [numbers.new_zeros(0)]
    for chunk in problem.chunks():
        solved = chunk.solve_loads()
        tensors.append(_Energy.apply(chunk.coefficients, solved.u, solved.tensor, operator))
        iterations.append(solved.iterations.cpu())
        errors.append(solved.error)
    return Homogenized(
        torch.cat(tensors) * problem.scale[:, None, None],
        problem.operator.name,
        problem.boundary,
        problem.tol,
        torch.cat(iterations),
        torch.cat(errors),
    )


def answer_in_kind(answer: Homogenized[Tensor], images: Array) -> Homogenized[Array]:
    """The same answer with its tensors in the kind of the images: torch or NumPy."""
    tensor = in_kind(answer.tensor, images)
    how = answer.scheme, answer.boundary, answer.tol, answer.iterations, answer.error
    return Homogenized(tensor, *how)


def local_gradients(
    problem: Problem, mean: Sequence[float | int]
) -> Float64[Tensor, "n d *unknowns"]:
    """Mean gradient in every voxel, by axis, less the mean of the sample.

    `mean` holds the share of each load. The answer carries the graph of the coefficients: its
    derivative takes one more solve of the same system, the adjoint.
    """
    operator = problem.operator
    space = tuple(problem.coefficients.shape[2:])
    shares = problem.scale.new_tensor(mean)
    # Of no samples, for a batch of none.
    parts = [torch.stack([operator.zeros(0, space, shares.device)[:, 0]] * operator.dim, 1)]
    for chunk in problem.chunks():
        u = _Fluctuation.apply(chunk.coefficients, shares, chunk)
        fields = operator.gradient(u)[: operator.dim]
        slopes = zip(fields, operator.edges, strict=True)
        parts.append(torch.stack([field[:, 0] / (operator.unit * h) for field, h in slopes], 1))
    return torch.cat(parts)


class _Fluctuation(torch.autograd.Function):
    r"""The unknowns u under one mean gradient E, as a function of the coefficients.

    From :math:`G^T C\,(G u + E) = 0`, a change of C moves a function J of u by
    :math:`-G w \cdot dC\,(G u + E)`, where :math:`A w = dJ/du`: the adjoint equation.
    """

    @staticmethod
    def forward(ctx, coefficients: Tensor, shares: Tensor, chunk: Chunk) -> Tensor:
        operator = chunk.problem.operator
        start = operator.zeros(len(coefficients), chunk.space, coefficients.device)
        b = torch.einsum("l,nl...->n...", shares, operator.remainder(chunk.weighted, start))
        tensor = operator.tensor(chunk.weighted, start)
        energy = torch.einsum("l,nlm,m->n", shares, tensor, shares) * math.prod(chunk.space)
        u = chunk.solve(b[:, None], energy[:, None])
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
        fields = operator.gradient(ctx.chunk.solve(gradient / size) * -size)
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
    def forward(ctx, coefficients: Tensor, u: Tensor, tensor: Tensor, operator: Operator) -> Tensor:
        ctx.save_for_backward(u)
        ctx.operator = operator
        return tensor.clone()

    @staticmethod
    @once_differentiable
    def backward(ctx, gradient: Tensor) -> tuple[Tensor, None, None, None]:
        (u,) = ctx.saved_tensors
        fields = ctx.operator.total(u)
        voxels = math.prod(u.shape[-ctx.operator.dim :])
        mixed = [torch.einsum("nlm,nm...->nl...", gradient / voxels, field) for field in fields]
        return ctx.operator.sensitivity(mixed, fields), None, None, None

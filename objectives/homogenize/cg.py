"""Preconditioned conjugate gradients for a batch of linear systems that converge one by one."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor


@dataclass(frozen=True)
class Solution:
    """Solutions of a batch, and how they were reached."""

    u: Float[Tensor, "n l *unknowns"]
    iterations: Int[Tensor, "n"]
    residual: Float[Tensor, "n"]  # of the worst load, relative; at most `tol` where converged


@torch.no_grad()
def conjugate_gradients(
    apply: Callable[[Tensor, Tensor], Tensor],
    precondition: Callable[[Tensor], Tensor],
    coefficients: Float[Tensor, "n f *space"],
    b: Float[Tensor, "n l *unknowns"],
    *,
    tol: float,
    max_iterations: int,
) -> Solution:
    r"""Solve A(coefficients) u = b for every sample and load, from u = 0.

    A load has converged when :math:`\sqrt{r \cdot M^{-1} r}` is `tol` of what it was at the start;
    a sample leaves the batch when all its loads have, so the others go on without it. The answer
    tells the residual of each sample; whether it is small enough is for the caller to see.

    Parameters
    ----------
    apply
        ``apply(coefficients, u)``, symmetric and positive semidefinite.
    precondition
        :math:`M^{-1}`, likewise.
    coefficients
        What the samples differ in; scaled so that the largest is about 1.
    """
    solution = torch.zeros_like(b)
    iterations = torch.zeros(b.shape[0], dtype=torch.long, device=b.device)
    residual = b.new_zeros(b.shape[0])
    rows = torch.arange(b.shape[0], device=b.device)

    u, r = torch.zeros_like(b), b.clone()
    p = precondition(r)
    rz = _dot(r, p)
    # The second term is rounding: loads of a homogeneous sample start there.
    goal = torch.clamp(tol**2 * rz, min=1e-30 * b[0, 0].numel())
    for iteration in range(max_iterations + 1):
        left = ~(rz <= goal).all(1)  # a NaN never converges
        ended = ~left if iteration < max_iterations else torch.ones_like(left)
        if ended.any():
            solution[rows[ended]] = u[ended]
            iterations[rows[ended]] = iteration
            residual[rows[ended]] = tol * (rz / goal).amax(1)[ended].clamp_min(0).sqrt()
            if ended.all():
                break
            rows, u, r, p, rz, goal, coefficients = (
                x[left] for x in (rows, u, r, p, rz, goal, coefficients)
            )
        ap = apply(coefficients, p)
        # A load well below its goal rests: its steps would be rounding over rounding.
        alpha = torch.where(rz > 0.01 * goal, rz / _dot(p, ap), 0)
        u.addcmul_(_spread(alpha, u), p)
        r.addcmul_(_spread(alpha, r), ap, value=-1)
        z = precondition(r)
        rz, before = _dot(r, z), rz
        beta = torch.where(before > 0, rz / before, 0)
        p = p.mul_(_spread(beta, p)).add_(z)
    return Solution(solution, iterations, residual)


def _dot(
    x: Float[Tensor, "n l *unknowns"], y: Float[Tensor, "n l *unknowns"]
) -> Float[Tensor, "n l"]:
    return torch.linalg.vecdot(x.flatten(2), y.flatten(2))


def _spread(factors: Float[Tensor, "n l"], x: Float[Tensor, "n l *unknowns"]) -> Tensor:
    return factors.reshape(*factors.shape, *[1] * (x.ndim - 2))

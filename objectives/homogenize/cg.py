"""Preconditioned conjugate gradients for a batch of linear systems, stopped by an energy bound."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

# A load has converged when the energy of its error is this much of the square of `tol`.
TIMES_SQUARE = 10.0
# Squares of relative numbers below this are rounding: a smaller `tol` is taken for this one, and a
# residual below it may as well be 0.
ROUNDING = 1e-30


@dataclass(frozen=True)
class Solution:
    """Solutions of a batch, and how far they are from exact."""

    u: Float[Tensor, "n l *unknowns"]
    iterations: Int[Tensor, "n"]
    error: Float[Tensor, "n l"]  # upper bound of the energy of what u errs by
    converged: Float[Tensor, "n"]  # 1 where every load met its goal, else 0


@torch.no_grad()
def conjugate_gradients(
    apply: Callable[[Tensor, Tensor], Tensor],
    precondition: Callable[[Tensor], Tensor],
    coefficients: Float[Tensor, "n f *space"],
    b: Float[Tensor, "n l *unknowns"],
    *,
    lowest: Float[Tensor, "n"],
    energy: Float[Tensor, "n l"] | None = None,
    tol: float,
    max_iterations: int,
) -> Solution:
    r"""Solve A(coefficients) u = b for every sample and load, from u = 0.

    The error e of u is known by a bound of its energy :math:`e \cdot A e`, from Gauss-Radau
    quadrature of the coefficients of the iteration [1]_: no residual, whose relation to the error
    is the contrast. A load has converged when that is ten times the square of `tol` of the energy
    that it is about.
    A sample leaves the batch when all its loads have, so the others go on without it.

    Parameters
    ----------
    apply
        ``apply(coefficients, u)``, symmetric and positive semidefinite.
    precondition
        :math:`M^{-1}`, likewise.
    coefficients
        What the samples differ in; scaled so that the largest is about 1.
    lowest
        Lower bound, above 0, of the eigenvalues of :math:`M^{-1} A` that are not 0.
    energy
        Of each load at u = 0. What is left of it, once u has taken its part, is the energy that a
        load is about: an effective property. Without it, it is the energy of u itself.

    References
    ----------
    .. [1] Meurant & Tichy (2013), On computing quadrature-based bounds for the A-norm of the error
       in conjugate gradients, Numerical Algorithms 62, 163 (the recurrence of section 3).
    """
    n, loads = b.shape[:2]
    solution, error = torch.zeros_like(b), b.new_zeros(n, loads)
    iterations = torch.zeros(n, dtype=torch.long, device=b.device)
    converged = b.new_zeros(n)
    rows = torch.arange(n, device=b.device)

    u, r = torch.zeros_like(b), b.clone()
    p = precondition(r)
    rz = _dot(r, p)
    square = max(TIMES_SQUARE * tol**2, ROUNDING)
    lowest = lowest[:, None].expand(n, loads)
    gap = 1 / lowest  # the bound over rz: at first, all that is left is in the softest mode
    # Energy that a load is about, times `square`; no effective property is less than `lowest`.
    least = b[0, 0].numel() * ROUNDING * gap
    if energy is None:
        about, sign = torch.zeros_like(rz), square
    else:
        about, sign = square * energy, -square
        least = torch.maximum(least, b[0, 0].numel() * square * lowest)
    for iteration in range(max_iterations + 1):
        bound, goal = gap * rz, torch.maximum(about, least)
        met = bound <= goal  # never where it is NaN
        some = bool(met.any())
        if some or iteration == max_iterations:
            ended = met.all(1) | (iteration == max_iterations)
            done = rows[ended]
            solution[done], error[done], iterations[done] = u[ended], bound[ended], iteration
            converged[done] = met[ended].all(1).to(b.dtype)
            if ended.all():
                break
            state = (rows, u, r, p, rz, gap, about, least, lowest, coefficients, bound, goal)
            if ended.any():
                rows, u, r, p, rz, gap, about, least, lowest, coefficients, bound, goal = (
                    x[~ended] for x in state
                )
        ap = apply(coefficients, p)
        pap = _dot(p, ap)
        alpha = rz / pap
        # A load well below its goal rests: its steps would be rounding over rounding.
        goes = (bound > 0.01 * goal) & (pap > 0) if some else None
        if goes is not None:
            alpha = torch.where(goes, alpha, 0)
        u.addcmul_(_spread(alpha, u), p)
        r.addcmul_(_spread(alpha, r), ap, value=-1)
        about.addcmul_(alpha, rz, value=sign)
        z = precondition(r)
        rz, before = _dot(r, z), rz
        beta = rz / before
        # Of the bound, what this step left; never less than its rounding.
        over = torch.maximum(gap - alpha, torch.finfo(gap.dtype).eps * gap)
        if goes is not None:
            beta = torch.where(goes, beta, 0)
            gap = torch.where(goes, over / torch.addcmul(beta, lowest, over), gap)
        else:
            gap = over.div_(torch.addcmul(beta, lowest, over))
        p = p.mul_(_spread(beta, p)).add_(z)
    return Solution(solution, iterations, error, converged)


def _dot(
    x: Float[Tensor, "n l *unknowns"], y: Float[Tensor, "n l *unknowns"]
) -> Float[Tensor, "n l"]:
    return torch.linalg.vecdot(x.flatten(2), y.flatten(2))


def _spread(factors: Float[Tensor, "n l"], x: Float[Tensor, "n l *unknowns"]) -> Tensor:
    return factors.reshape(*factors.shape, *[1] * (x.ndim - 2))

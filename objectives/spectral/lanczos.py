r"""Lanczos on :math:`M^{-1} B`, whose Jacobi matrix holds a two-phase property at all contrasts.

M is the discrete operator of a medium of conductivity 1 and B that of the indicator :math:`\chi` of
phase 1, so that :math:`M + \tau B` is that of the structure at contrast :math:`1 + \tau`. The
vectors span the Krylov space of the conjugate gradients of `objectives.homogenize`, with M for
preconditioner, at every contrast: it does not depend on :math:`\tau`. In fields, which are not
formed, it is the recursion of Haydock for :math:`\Gamma \chi \Gamma` begun at
:math:`\Gamma \chi e`.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import torch
from jaxtyping import Bool, Complex128, Float64, Int
from torch import Tensor

from objectives.homogenize.preconditioner import Preconditioner
from objectives.homogenize.schemes import Scheme
from objectives.homogenize.solver import VOXELS_AT_ONCE
from objectives.spectral.resolvent import Resolvent, Start

# A vector shorter than this, where the operator is at most 1, is rounding: the Krylov space ended.
ENDED = 1e-10
SMALLEST_MOMENT = 1e-28  # of a structure that is homogeneous but for rounding
STEPS_A_LOOK = 4  # a look at the error costs about half a step of 64x64 voxels


class Watch:
    """Values at c contrasts as the steps go on, until each errs by less than `tol`, relative."""

    def __init__(self, start: Start, contrasts: Complex128[Tensor, "c"], tol: float):
        self.tol, self._contrasts = tol, contrasts
        begun = Start(start.fraction.cpu().numpy(), start.moment.cpu().numpy())
        self._resolvent = Resolvent(begun, contrasts.cpu().numpy())
        shape = (*start.moment.shape, len(contrasts))
        self.rows = np.arange(shape[0])  # that are not there yet
        self._values, self._errors = np.zeros(shape, complex), np.zeros(shape)

    def append(self, diagonal: Float64[Tensor, "k l"], off: Float64[Tensor, "k l"]) -> None:
        """One more row of T of the structures that are not there yet."""
        self._resolvent.append(diagonal.cpu().numpy(), off.cpu().numpy())

    def look(self) -> Bool[np.ndarray, "k"]:
        """Note the values of those structures; which of them have to go on."""
        values = self._resolvent.value
        errors = self._resolvent.error / abs(values)
        self._values[self.rows], self._errors[self.rows] = values, errors
        left = ~(errors <= self.tol).all((1, 2))
        if not left.all():
            self.rows = self.rows[left]
            self._resolvent.select(left)
        return left

    @property
    def values(self) -> Complex128[Tensor, "n l c"]:
        """Over the property of phase 0."""
        return torch.from_numpy(self._values).to(self._contrasts.device)

    @property
    def errors(self) -> Float64[Tensor, "n l c"]:
        """Upper bound of what the values err by, relative."""
        return torch.from_numpy(self._errors).to(self._contrasts.device)


@dataclass
class Jacobi:
    """What the steps found: T by row and axis, 0 where a structure needed fewer than others."""

    start: Start
    steps: Int[Tensor, "n"]
    diagonal: Float64[Tensor, "n l m"]
    off: Float64[Tensor, "n l m"]  # the last couples to what is left out
    watch: Watch | None = None
    # The vectors and the structures they belong to, by step.
    basis: list[tuple[Tensor, Tensor]] = field(default_factory=list)

    @property
    def matrix(self) -> Float64[Tensor, "n l m m"]:
        """T in full, without what couples a structure's last row to what was left out."""
        step = torch.arange(self.off.shape[2], device=self.off.device)
        inner = step < self.steps[:, None, None] - 1
        return jacobi_matrix(self.diagonal, torch.where(inner, self.off, 0))


def jacobi_matrix(
    diagonal: Float64[Tensor, "n l m"], off: Float64[Tensor, "n l m"]
) -> Float64[Tensor, "n l m m"]:
    """The symmetric matrix with this diagonal and, but for its last, these numbers beside it."""
    beside = off[..., :-1]
    return torch.diag_embed(diagonal) + torch.diag_embed(beside, 1) + torch.diag_embed(beside, -1)


def chunks(
    chi: Float64[Tensor, "n *space"], scheme: Scheme
) -> Iterator[tuple[Float64[Tensor, "k *space"], Preconditioner]]:
    """Indicators of as many structures at once as the cache holds, and the inverse of M."""
    space = tuple(chi.shape[1:])
    voxels = VOXELS_AT_ONCE.get(chi.device.type, 2**16) * len(space) // len(scheme.loads)
    inverse = Preconditioner(scheme, space, chi.device)
    at_once = max(1, voxels // math.prod(space))
    for begin in range(0, len(chi), at_once):
        yield chi[begin : begin + at_once], inverse


@torch.no_grad()
def lanczos(
    chi: Float64[Tensor, "n *space"],
    scheme: Scheme,
    inverse: Preconditioner,
    *,
    most_steps: int,
    goal: tuple[Complex128[Tensor, "c"], float] | None = None,
    keep: bool = False,
    orthogonal: bool = False,
) -> Jacobi:
    """Run the recursion from the mean gradient of each load of the scheme.

    Parameters
    ----------
    chi
        Share of phase 1 in every voxel, in [0, 1].
    scheme
        ``q1`` or ``rot``, in whose operator the coefficients are linear.
    inverse
        Of M, on this grid.
    most_steps
        At which it ends, if not before.
    goal
        Contrasts, and the relative error of the values there at which a structure leaves the batch.
    keep
        Keep the vectors, which gradients take: an image of float64 by step and axis.
    orthogonal
        Orthogonalize every vector against all before. Without, poles that have converged come
        again as copies; values at contrasts are no worse (docs/results/spectral.md).
    """
    run = _Recursion(chi, scheme, inverse)
    start = run.start
    watch = Watch(start, *goal) if goal else None
    rows = torch.arange(len(chi), device=chi.device)
    steps = torch.zeros_like(rows)
    diagonal = start.moment.new_zeros(*start.moment.shape, most_steps)
    off, basis, duals = torch.zeros_like(diagonal), [], []
    for step in range(1, most_steps + 1):
        if keep or orthogonal:
            basis.append((rows, run.vector))
            duals.append(run.dual)
        against = [(v, dual) for (_, v), dual in zip(basis, duals, strict=True)]
        alpha, beta = run.step(against if orthogonal else [])
        diagonal[rows, :, step - 1], off[rows, :, step - 1] = alpha, beta
        steps[rows] = step
        if watch is not None:
            watch.append(alpha, beta)
            # At the same steps in every batch: values of a row do not depend on others.
            if step % STEPS_A_LOOK == 0 or step == most_steps:
                left = torch.from_numpy(watch.look()).to(rows.device)
                if not left.all():
                    rows = rows[left]
                    run.select(left)
        if len(rows) == 0 or (watch is None and not beta.any()):
            break
        run.advance()
    most = int(steps.max())
    return Jacobi(start, steps, diagonal[..., :most], off[..., :most], watch, basis)


class _Recursion:
    """Vectors v and their duals M v, which are orthogonal to one another: (n, l, *space)."""

    def __init__(self, chi: Float64[Tensor, "n *space"], scheme: Scheme, inverse: Preconditioner):
        self.scheme, self.inverse = scheme, inverse
        space = tuple(chi.shape[1:])
        self.weighted = scheme.weighted(chi[:, None])
        self._next = scheme.remainder(self.weighted, scheme.zeros(len(chi), space, chi.device))
        self._raised = inverse(self._next)
        square = _dot(self._next, self._raised)
        moment = square / math.prod(space)
        moment = torch.where(moment > SMALLEST_MOMENT, moment, 0)
        self.start = Start(chi.flatten(1).mean(1), moment)
        self.beta = torch.where(moment > 0, square, 0).sqrt()
        self.dual = torch.zeros_like(self._next)
        self.advance()
        self.beta = torch.zeros_like(moment)

    def step(self, against: list[tuple[Tensor, Tensor]]) -> tuple[Tensor, Tensor]:
        """The next row of T: its diagonal and its coupling to what is left, both (n, l)."""
        response = self.scheme.apply(self.weighted, self.vector)
        alpha = _dot(response, self.vector)
        response.addcmul_(_spread(alpha, response), self.dual, value=-1)
        response.addcmul_(_spread(self.beta, response), self._before, value=-1)
        for vector, dual in against:
            response.addcmul_(_spread(_dot(response, vector), response), dual, value=-1)
        self._next, self._raised = response, self.inverse(response)
        beta = _dot(response, self._raised).clamp_min(0).sqrt()
        self.beta = torch.where(beta > ENDED, beta, 0)
        return alpha, self.beta

    def advance(self) -> None:
        """Go on to the vectors that the step left, scaled to 1; to zeros where it left none."""
        scale = _spread(torch.where(self.beta > 0, 1 / self.beta, 0), self._next)
        self._before = self.dual
        self.dual, self.vector = self._next.mul_(scale), self._raised.mul_(scale)

    def select(self, rows: Bool[Tensor, "n"]) -> None:
        """Go on with these structures alone."""
        self.weighted, self.beta = self.weighted[rows], self.beta[rows]
        self.dual, self._next, self._raised = (
            x[rows] for x in (self.dual, self._next, self._raised)
        )


def _dot(x: Float64[Tensor, "n l *space"], y: Float64[Tensor, "n l *space"]) -> Tensor:
    return torch.linalg.vecdot(x.flatten(2), y.flatten(2))


def _spread(factors: Float64[Tensor, "n l"], x: Tensor) -> Tensor:
    return factors.reshape(*factors.shape, *[1] * (x.ndim - 2))

"""The derivative of values at contrasts by the voxels, from the vectors of a run of Lanczos."""

import math
from typing import Any

import torch
from jaxtyping import Complex128, Float64
from torch import Tensor
from torch.autograd.function import once_differentiable

from objectives.homogenize.schemes import CornerScheme
from objectives.spectral.lanczos import Jacobi

VOXELS_AT_ONCE = 2**14  # of vectors whose gradients are formed together: what a cache holds
NOTHING = 1e-14  # of the largest part of a slope: rounding


class Curve(torch.autograd.Function):
    r"""Values at contrasts, of which Lanczos found the fields.

    :math:`K = \langle (e + \nabla u) \cdot (1 + \tau \chi)(e + \nabla u) \rangle`, without
    conjugate, is stationary in u. So :math:`\partial K / \partial \chi` in a voxel is
    :math:`\tau (e + \nabla u)^2` at each contrast, no adjoint is solved for, and no step of Lanczos
    is differentiated. As u is a sum of the vectors of the run, the sum over contrasts is one
    quadratic form in e and the gradients of the vectors. A second derivative would lack that of u.
    """

    @staticmethod
    def forward(
        ctx: Any,
        chi: Float64[Tensor, "n *space"],
        found: Jacobi,
        contrasts: Complex128[Tensor, "c"],
        scheme: CornerScheme,
    ) -> Complex128[Tensor, "n l c"]:
        """The values that the run found."""
        if found.watch is None:
            raise ValueError("the run should have had a goal.")
        ctx.found, ctx.contrasts, ctx.scheme = found, contrasts, scheme
        ctx.voxels = math.prod(chi.shape[1:])
        return found.watch.values.clone()

    @staticmethod
    @once_differentiable
    def backward(
        ctx: Any, gradient: Complex128[Tensor, "n l c"]
    ) -> tuple[Float64[Tensor, "n *space"], None, None, None]:
        """The slope of a real function of the values, of which `gradient` is that by K."""
        forms = _forms(ctx.found, ctx.contrasts, gradient, ctx.voxels)
        slopes = [
            _slope(_vectors(ctx.found, row), form, ctx.scheme) for row, form in enumerate(forms)
        ]
        return torch.stack(slopes), None, None, None


def _forms(
    found: Jacobi,
    contrasts: Complex128[Tensor, "c"],
    gradient: Complex128[Tensor, "n l c"],
    voxels: int,
) -> Float64[Tensor, "n l k k"]:
    """Quadratic form in e and the vectors, whose density is the slope, by row and axis."""
    tau = contrasts - 1
    poles, vectors = torch.linalg.eigh(found.matrix)
    # u is a sum of y v, with y = tau |b| (1 + tau T)^-1 e_1 and b the load.
    first = vectors[..., 0, :, None] / (1 + tau * poles[..., None])
    load = (found.start.moment * voxels).sqrt()[..., None, None]
    y = (vectors.to(first.dtype) @ first) * tau * load
    # Of e the share is 1; its energy is one a voxel, and that of a vector one in all.
    y = torch.cat([torch.full_like(y[..., :1, :], math.sqrt(voxels)), y], 2)
    weights = gradient.conj() * tau / voxels
    return ((y * weights[..., None, :]) @ y.mT).real


def _vectors(found: Jacobi, row: int) -> Float64[Tensor, "l m *space"]:
    """Those of one structure."""
    steps = found.basis[: int(found.steps[row])]
    return torch.stack([v[int(torch.searchsorted(rows, row))] for rows, v in steps], 1)


def _slope(
    vectors: Float64[Tensor, "l m *space"], forms: Float64[Tensor, "l k k"], scheme: CornerScheme
) -> Float64[Tensor, "*space"]:
    """Density of the forms, summed over axes."""
    m, *space = vectors.shape[1:]
    slope, voxels = vectors.new_zeros(space), math.prod(space)
    at_once = max(1, VOXELS_AT_ONCE // voxels)
    for axis, basis, form in zip(scheme.loads, vectors, forms[:, : m + 1, : m + 1], strict=True):
        sizes, parts = torch.linalg.eigh(form)
        seen = sizes.abs() > NOTHING * sizes.abs().max()
        for size, part in zip(
            sizes[seen].split(at_once), parts.mT[seen].split(at_once), strict=True
        ):
            u = (part[:, 1:] @ basis.flatten(1)).reshape(1, len(size), *space)
            fields = scheme.gradient(u)
            spread = [1, len(size), *[1] * len(space)]
            mean = scheme.unit * scheme.edges[axis] / math.sqrt(voxels)
            fields[axis] += mean * part[:, 0].reshape(spread)
            others = [field * size.reshape(spread) for field in fields]
            slope += scheme.sensitivity(fields, others)[0, 0]
    return slope

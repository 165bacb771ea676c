"""The inverse of a homogeneous medium, applied by FFT: what makes the conjugate gradients short."""

import torch
from jaxtyping import Float
from torch import Tensor

from objectives.homogenize.operators import Operator


class Preconditioner:
    """Solves A u = r exactly for a homogeneous medium, for residuals of shape (n, l, \\*u).

    The number of iterations it leaves grows with the contrast and not with the grid.
    """

    def __init__(self, operator: Operator, space: tuple[int, ...], device: torch.device):
        # float64: in float32 the symbol is noise near zero frequency, and the iteration diverges.
        symbol = operator.symbol(space).to(device)
        self.has_components = symbol.ndim > len(space)
        if not self.has_components:
            symbol = symbol[None, None]
        matrices = symbol.movedim((0, 1), (-2, -1))
        trace = matrices.diagonal(dim1=-2, dim2=-1).sum(-1)[..., None, None]
        # The mean has no energy, nor has rot's checkerboard on even grids: both stay out.
        seen = trace > 1e-14 * trace.max()
        identity = torch.eye(matrices.shape[-1], dtype=symbol.dtype, device=device)
        inverse = torch.linalg.inv(torch.where(seen, matrices, identity))
        self.inverse = torch.where(seen, inverse, 0).movedim((-2, -1), (0, 1)).contiguous()
        self.space = space
        self.axes = tuple(range(-len(space), 0))

    def __call__(self, residual: Float[Tensor, "n l *unknowns"]) -> Float[Tensor, "n l *unknowns"]:
        """The unknowns that answer the residual in the homogeneous medium."""
        waves = torch.fft.rfftn(residual, dim=self.axes)
        if self.has_components:
            parts = waves.unbind(2)
            waves = torch.stack([_combined(row, parts) for row in self.inverse], 2)
        else:
            waves *= self.inverse[0, 0]
        return torch.fft.irfftn(waves, s=self.space, dim=self.axes)


def _combined(factors: Float[Tensor, "c *frequencies"], parts: tuple[Tensor, ...]) -> Tensor:
    total = factors[0] * parts[0]
    for factor, part in zip(factors[1:], parts[1:], strict=True):
        total.addcmul_(factor.to(part.dtype), part)
    return total

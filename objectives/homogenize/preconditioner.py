"""The inverse of a homogeneous medium, applied by FFT: what makes the conjugate gradients short."""

import torch
from jaxtyping import Float
from torch import Tensor

from objectives.homogenize.schemes import Scheme


class Preconditioner:
    """Solves A u = r exactly where k = 1, for residuals of shape (..., \\*space).

    The number of iterations it leaves grows with the contrast and not with the grid.
    """

    def __init__(self, scheme: Scheme, space: tuple[int, ...], device: torch.device):
        # float64: in float32 the symbol is noise near zero frequency, and the iteration diverges.
        symbol = scheme.symbol(space).to(device)
        # The mean has no energy, nor has rot's checkerboard on even grids: both stay out.
        seen = symbol > 1e-14 * symbol.max()
        self.inverse = torch.where(seen, 1 / torch.where(seen, symbol, 1), 0)
        self.space = space
        self.axes = tuple(range(-len(space), 0))

    def __call__(self, residual: Float[Tensor, "n l *space"]) -> Float[Tensor, "n l *space"]:
        """The potential that answers the residual where k = 1."""
        waves = torch.fft.rfftn(residual, dim=self.axes)
        waves *= self.inverse
        return torch.fft.irfftn(waves, s=self.space, dim=self.axes)

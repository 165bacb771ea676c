"""An invertible network from noise to style: each number of one is found from all of the other."""

import math

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

SLOPE = 0.2  # of the leaky rectifier
LARGEST = 1.0  # logarithm of the largest factor that a condition puts on a number
HIDDEN = 64  # numbers in which a condition is told


class Mapping(nn.Module):
    r"""Noise to style by orthogonal matrices with leaky rectifiers between them, and back.

    .. math:: w = Q_L\,a(\dots a(Q_1 z))

    Both directions are exact. It starts with every :math:`Q` the identity. The last layer has no
    rectifier, so that a style is distributed nearly as a Gaussian. Where there are conditions, each
    layer scales and shifts its numbers by them.

    Parameters
    ----------
    numbers
        In noise and style alike.
    layers
        How many; at least 1.
    conditions
        Numbers in a condition, see `Conditions`. All zeros, or none given, ask for nothing.

    References
    ----------
    .. [1] Karras et al. (2019), A style-based generator architecture for generative adversarial
       networks (the mapping).
    .. [2] Zhu et al. (2019), LIA: Latently invertible autoencoder with adversarial learning.
    """

    def __init__(self, numbers: int, layers: int, conditions: int = 0) -> None:
        super().__init__()
        self.numbers, self.conditions = numbers, conditions
        self.skew = nn.Parameter(torch.zeros(layers, numbers, numbers))
        self.offset = nn.Parameter(torch.zeros(layers, numbers))
        self.told = None
        if conditions:
            # Without offsets: of nothing asked nothing comes, as of a mapping without conditions.
            first = nn.Linear(conditions, HIDDEN, bias=False)
            change = nn.Linear(HIDDEN, 2 * layers * numbers, bias=False)
            nn.init.zeros_(change.weight)
            self.told = nn.Sequential(first, nn.LeakyReLU(SLOPE), change)

    def forward(
        self, noise: Float[Tensor, "n d"], condition: Float[Tensor, "n f"] | None = None
    ) -> Float[Tensor, "n d"]:
        """Style of noise; differentiable."""
        x, turns = noise, self._turns()
        factors, shifts = self._changes(len(noise), condition)
        last = len(turns) - 1
        for i, turn in enumerate(turns):
            x = (x @ turn) * factors[i].exp() + shifts[i]
            if i < last:
                x = functional.leaky_relu(x, SLOPE)
        return x

    def inverse(
        self, style: Float[Tensor, "n d"], condition: Float[Tensor, "n f"] | None = None
    ) -> Float[Tensor, "n d"]:
        """Noise that is mapped to a style; differentiable."""
        x, turns = style, self._turns()
        factors, shifts = self._changes(len(style), condition)
        last = len(turns) - 1
        for i in range(last, -1, -1):
            if i < last:
                x = functional.leaky_relu(x, 1 / SLOPE)
            x = ((x - shifts[i]) * (-factors[i]).exp()) @ turns[i].T
        return x

    def _turns(self) -> Float[Tensor, "layers d d"]:
        """Orthogonal matrices: exponentials of skew-symmetric ones."""
        with torch.autocast(self.skew.device.type, enabled=False):
            return torch.linalg.matrix_exp((self.skew - self.skew.mT) / math.sqrt(2))

    def _changes(self, n: int, condition: Tensor | None) -> tuple[Tensor, Tensor]:
        """Logarithms of factors, and shifts, of each layer and row."""
        layers, d = self.offset.shape
        if self.told is None:
            return self.offset.new_zeros(layers, 1, 1), self.offset[:, None]
        if condition is None:
            condition = self.offset.new_zeros(n, self.conditions)
        told = self.told(condition).to(self.offset).reshape(n, layers, 2, d).permute(2, 1, 0, 3)
        return LARGEST * torch.tanh(told[0]), told[1] + self.offset[:, None]

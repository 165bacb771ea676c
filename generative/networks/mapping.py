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

    Both directions are exact. It starts with every :math:`Q` the identity, or a random rotation.
    The last layer has no rectifier, so that a style is distributed nearly as a Gaussian. Where
    there are conditions, each layer scales and shifts its numbers by them.

    Parameters
    ----------
    numbers
        In noise and style alike.
    layers
        How many; at least 1.
    conditions
        Numbers in a condition, see `Conditions`. All zeros, or none given, ask for nothing.
    slope
        Of the rectifiers below 0. Layers of .2 one after the other stretch some directions 100
        times as much as others, which nothing that is found through the inverse survives.
    rotated
        Whether each layer starts as a random rotation, and the rectifiers keep the variance. Equal
        directions of several layers would shrink the same numbers again and again.
    rate
        Factor on the learning rate: parameters are kept divided by it, which for an optimizer whose
        steps have a length of their own is the same (section 4.1 of [3]_).

    References
    ----------
    .. [1] Karras et al. (2019), A style-based generator architecture for generative adversarial
       networks (the mapping).
    .. [2] Zhu et al. (2019), LIA: Latently invertible autoencoder with adversarial learning.
    .. [3] Karras et al. (2018), Progressive growing of GANs, section 4.1 (weights kept scaled).
    """

    def __init__(
        self,
        numbers: int,
        layers: int,
        conditions: int = 0,
        *,
        slope: float = SLOPE,
        rotated: bool = False,
        rate: float = 1.0,
    ) -> None:
        super().__init__()
        self.numbers, self.conditions = numbers, conditions
        self.slope, self.rate = slope, rate
        self.gain = math.sqrt(2 / (1 + slope**2)) if rotated else 1.0
        self.skew = nn.Parameter(torch.zeros(layers, numbers, numbers))
        self.offset = nn.Parameter(torch.zeros(layers, numbers))
        if rotated:  # eigenvalues of a skew-symmetric matrix of this spread reach from -pi to pi
            nn.init.normal_(self.skew, 0, math.pi / 2 / math.sqrt(numbers) / rate)
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
        factors, shifts = self._changes(noise, condition)
        last = len(turns) - 1
        for i, turn in enumerate(turns):
            x = (x @ turn) * factors[i].exp() + shifts[i]
            if i < last:
                x = self.gain * functional.leaky_relu(x, self.slope)
        return x

    def inverse(
        self, style: Float[Tensor, "n d"], condition: Float[Tensor, "n f"] | None = None
    ) -> Float[Tensor, "n d"]:
        """Noise that is mapped to a style; differentiable."""
        x, turns = style, self._turns()
        factors, shifts = self._changes(style, condition)
        last = len(turns) - 1
        for i in range(last, -1, -1):
            if i < last:
                x = functional.leaky_relu(x / self.gain, 1 / self.slope)
            x = ((x - shifts[i]) * (-factors[i]).exp()) @ turns[i].T
        return x

    def _turns(self) -> Float[Tensor, "layers d d"]:
        """Orthogonal matrices: exponentials of skew-symmetric ones."""
        with torch.autocast(self.skew.device.type, enabled=False):
            skew = self.rate * self.skew
            return torch.linalg.matrix_exp((skew - skew.mT) / math.sqrt(2))

    def _changes(self, rows: Tensor, condition: Tensor | None) -> tuple[Tensor, Tensor]:
        """Logarithms of factors, and shifts, of each layer and row."""
        offset = self.rate * self.offset
        layers, d = offset.shape
        if self.told is None:
            return offset.new_zeros(layers, 1, 1), offset[:, None]
        if condition is None:
            condition = offset.new_zeros(rows.shape[0], self.conditions)
        told = (
            self.told(condition).to(offset).reshape(rows.shape[0], layers, 2, d).permute(2, 1, 0, 3)
        )
        return LARGEST * torch.tanh(told[0]), told[1] + offset[:, None]

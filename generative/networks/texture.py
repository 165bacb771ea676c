"""Noise inside a decoder: fine texture that a code is too short to describe."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

FIRST_STRENGTH = 0.1  # not 0: a texture to either side of none is the same, so nothing would pull


class TextureNoise(nn.Module):
    """Adds one field of white noise to all channels, each with a strength that is learned.

    In training the noise is drawn anew for every image, so the layers after it learn to make
    texture of it. Otherwise it is a fixed field, the same for every code, and decoding is a
    function of the code.

    Parameters
    ----------
    channels
        Of the features.
    shape
        Their shape in space.

    References
    ----------
    .. [1] Karras et al. (2019), A style-based generator architecture for generative adversarial
       networks, section 3.2 (stochastic variation).
    """

    field: Tensor

    def __init__(self, channels: int, shape: tuple[int, ...]) -> None:
        super().__init__()
        ones = [1] * len(shape)
        self.strength = nn.Parameter(torch.full((channels, *ones), FIRST_STRENGTH))
        self.register_buffer("field", torch.empty(shape))

    def reseed(self, generator: torch.Generator) -> None:
        """Draw another fixed field."""
        self.field.copy_(torch.randn(self.field.shape, generator=generator))

    def forward(
        self, x: Float[Tensor, "n c *space"], noise: Float[Tensor, "n k"] | None = None
    ) -> Float[Tensor, "n c *space"]:
        """Features with noise: the fixed field, or the numbers given for each row."""
        field = self.field if noise is None else noise.reshape(-1, 1, *self.field.shape)
        return x + self.strength * field

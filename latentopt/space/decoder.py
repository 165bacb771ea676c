"""What a latent space needs of a model, matched by shape: no base class to inherit.

Shapes: ``n`` rows, ``d`` latent numbers, ``c`` channels, ``*space`` is ``h w`` or ``d h w``.
"""

from typing import Protocol, runtime_checkable

from jaxtyping import Float
from torch import Tensor

__all__ = ["Decoder", "Encoder"]


@runtime_checkable
class Decoder(Protocol):
    """Latent code to images. Row i of the answer depends on row i of the code alone."""

    latent_dim: int
    image_shape: tuple[int, ...]  # (c, *space)

    def decode(self, code: Float[Tensor, "n d"]) -> Float[Tensor, "n c *space"]:
        """Images in [0, 1] for float32 codes; differentiable where the decoder is."""
        ...


@runtime_checkable
class Encoder(Protocol):
    """Images to latent code; a decoder that also encodes can be fitted to data."""

    def encode(self, images: Float[Tensor, "n c *space"]) -> Float[Tensor, "n d"]:
        """Float32 code of each image, without randomness."""
        ...

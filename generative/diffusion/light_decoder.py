"""A decoder of few channels that does what a larger one does, at a part of the cost."""

from jaxtyping import Float
from torch import Tensor, nn

from generative.autoencoders.vae import ConvVAE, decoded, decoder
from generative.networks.layout import plan_layout


class LightDecoder(nn.Module):
    """Codes to logits of images by the decoder of a `ConvVAE` with half of its channels.

    Parameters
    ----------
    like
        The autoencoder whose decoder it is to stand for.
    """

    def __init__(self, like: ConvVAE) -> None:
        super().__init__()
        half = tuple(max(2, width // 2) for width in like.layout.channels)
        self.layout = plan_layout(like.image_shape, half)
        self.layers = decoder(self.layout, like.config.padding, texture_noise=False)

    def forward(self, code: Float[Tensor, "n d"]) -> Float[Tensor, "n c *space"]:
        """Logits of the image of each code."""
        return decoded(self.layers, code, self.layout)

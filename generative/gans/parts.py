"""The two networks that a generative adversarial network keeps."""

from jaxtyping import Float
from torch import Tensor, nn


class GeneratorAndEncoder(nn.Module):
    """Codes to logits of images, and images to codes.

    Parameters
    ----------
    generator
        Codes (n, d) to logits (n, c, \\*space).
    encoder
        Images of values from -1 to 1 to codes.
    """

    def __init__(self, generator: nn.Module, encoder: nn.Module) -> None:
        super().__init__()
        self.generator, self.encoder = generator, encoder

    def logits(self, code: Float[Tensor, "n d"]) -> Float[Tensor, "n c *space"]:
        """What the sigmoid makes images of."""
        return self.generator(code)

    def encode(self, images: Float[Tensor, "n c *space"]) -> Float[Tensor, "n d"]:
        """Code of each image, of values in [0, 1]."""
        return self.encoder(centred(images))


def centred(images: Float[Tensor, "n c *space"]) -> Float[Tensor, "n c *space"]:
    """Values in [0, 1] as values from -1 to 1, which critics and encoders are given."""
    return 2 * images - 1

"""The networks that a generative adversarial network keeps."""

import warnings

from jaxtyping import Float
from torch import Tensor, nn

from generative.networks.blocks import weight_of
from generative.networks.mapping import Mapping
from generative.networks.residual import PlainBlock

SEEN = "num_batches_tracked"  # of batch norms


class GeneratorAndEncoder(nn.Module):
    """Noise to styles, styles to logits of images, and images to styles.

    Parameters
    ----------
    generator
        Styles (n, d) to logits (n, c, \\*space).
    encoder
        Images of values from -1 to 1 to styles.
    mapping
        Noise to styles and back. Without one the style is the noise.
    """

    def __init__(
        self, generator: nn.Module, encoder: nn.Module, mapping: Mapping | None = None
    ) -> None:
        super().__init__()
        self.generator, self.encoder, self.mapping = generator, encoder, mapping

    def style(
        self, noise: Float[Tensor, "n d"], condition: Float[Tensor, "n f"] | None = None
    ) -> Float[Tensor, "n d"]:
        """What the generator is given for standard normal numbers."""
        return noise if self.mapping is None else self.mapping(noise, condition)

    def noise(
        self, style: Float[Tensor, "n d"], condition: Float[Tensor, "n f"] | None = None
    ) -> Float[Tensor, "n d"]:
        """The way back."""
        return style if self.mapping is None else self.mapping.inverse(style, condition)

    def logits(self, style: Float[Tensor, "n d"]) -> Float[Tensor, "n c *space"]:
        """What the sigmoid makes images of."""
        return self.generator(style)

    def encode(self, images: Float[Tensor, "n c *space"]) -> Float[Tensor, "n d"]:
        """Style of each image, of values in [0, 1]."""
        return self.encoder(centred(images))

    def guess(self, images: Float[Tensor, "n c *space"]) -> Float[Tensor, "n d"]:
        """Style of each image, as `encode`, for people.

        Warns
        -----
        UserWarning
            If the encoder has not been trained, where its weights show that.
        """
        if is_fresh(self.encoder):
            warnings.warn(
                "the encoder has not been trained, so its points say nothing of the images. Train "
                "the model first, or load a trained one.",
                stacklevel=3,
            )
        return self.encode(images)

    def code_error(
        self, guess: Float[Tensor, "n d"], style: Float[Tensor, "n d"]
    ) -> Float[Tensor, ""]:
        """How wrong the encoder is about styles of made images: mean squared error."""
        return (guess - style).square().mean()


def is_fresh(network: nn.Module) -> bool:
    """Whether no training has moved a network: its blocks are the identity, its norms saw nothing.

    False for a network that has neither.
    """
    blocks = [module for module in network.modules() if isinstance(module, PlainBlock)]
    if blocks:
        return not any(bool(weight_of(block.leave).any()) for block in blocks)
    seen = [value for name, value in network.named_buffers() if name.endswith(SEEN)]
    return bool(seen) and not any(map(bool, seen))


def centred(images: Float[Tensor, "n c *space"]) -> Float[Tensor, "n c *space"]:
    """Values in [0, 1] as values from -1 to 1, which critics and encoders are given."""
    return 2 * images - 1

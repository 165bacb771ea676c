"""A small modern generative adversarial network, with an encoder, in 2-D and 3-D."""

from collections.abc import Sequence
from typing import Any

from torch import nn

from generative.gans.conditional_model import ConditionalModel
from generative.gans.parts import GeneratorAndEncoder
from generative.gans.settings import GANConfig
from generative.networks.projection import ProjectionCritic
from generative.networks.residual import (
    ResidualGenerator,
    ResidualReader,
    residual_encoder,
    residual_layout,
)


class GAN(ConditionalModel[GANConfig]):
    """Standard normal numbers to images and back, trained against a critic.

    Generator and critic are residual networks without norms. The critic says which image of a pair
    is real, and its slope is penalized in units of the images' own distances, so that one weight
    serves every size. An encoder is trained beside the generator, and once more at the end. With
    conditions, its space is that of the styles of all classes and properties.

    Parameters
    ----------
    image_shape
        ``(c, h, w)`` with sides of 32 to 256, or ``(c, d, h, w)`` with sides of 16 to 64.
    **options
        Fields of `GANConfig`.

    Raises
    ------
    ValueError
        For a shape outside these limits or an option out of range.

    Examples
    --------
    >>> import torch
    >>> model = GAN((1, 21, 21, 21))
    >>> model.decode(torch.zeros(2, model.latent_dim)).shape
    torch.Size([2, 1, 21, 21, 21])

    References
    ----------
    .. [1] Huang et al. (2024), The GAN is dead; long live the GAN! A modern GAN baseline (pairs,
       both penalties, no norms).
    .. [2] Mescheder et al. (2018), Which training methods for GANs do actually converge?
    .. [3] Miyato and Koyama (2018), cGANs with projection discriminator.
    """

    kind = "gan"
    options_class = GANConfig

    def __init__(self, image_shape: Sequence[int], **options: Any) -> None:
        super().__init__()
        self.config = GANConfig(image_shape=tuple(image_shape), **options)
        self.image_shape, self.latent_dim = self.config.image_shape, self.config.latent_dim
        generator = ResidualGenerator(
            residual_layout(self.image_shape, self.config.widths),
            self.latent_dim,
            self.config.padding,
        )
        encoder = residual_encoder(
            self.image_shape, self.config.encoder.widths, self.latent_dim, self.config.padding
        )
        self.parts = GeneratorAndEncoder(generator, encoder, self.new_mapping())
        self.eval()

    def critic(self) -> nn.Module:
        """A residual network without norms, which is told the conditions if there are any."""
        layout, told = residual_layout(self.image_shape, self.config.widths), self.conditions.size
        reader = ResidualReader(layout, 1, self.config.padding, code=False)
        return ProjectionCritic(reader, told) if told else reader

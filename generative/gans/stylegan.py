"""A style-based generative adversarial network for small data, with an encoder, in 2-D and 3-D."""

from collections.abc import Sequence
from typing import Any

from torch import nn

from generative.gans.critic_augmentation import CriticAugmentation
from generative.gans.encoder_stage import EncoderStage
from generative.gans.mapped_model import MappedModel
from generative.gans.parts import GeneratorAndEncoder
from generative.gans.settings import StyleGANConfig
from generative.gans.style_stage import StyleSetsStage, StyleStage
from generative.networks.mapping import Mapping
from generative.networks.residual import ResidualReader, residual_encoder, residual_layout
from generative.networks.style import StyleGenerator
from generative.stages.stage import Stages

RATE, SLOPE = 0.01, 0.5  # of the mapping: factor on its learning rate, and slope of its rectifiers


class StyleGAN(MappedModel[StyleGANConfig]):
    """Noise to styles, and styles to images by convolutions that they modulate, and back.

    Adaptive augmentation keeps the critic from knowing few images by heart. Noise inputs are fixed
    in decoding, so that an image is a function of its code.

    Parameters
    ----------
    image_shape
        ``(c, h, w)`` with sides of 32 to 256, or ``(c, d, h, w)`` with sides of 16 to 64.
    **options
        Fields of `StyleGANConfig`.

    Raises
    ------
    ValueError
        For a shape outside these limits or an option out of range.

    Examples
    --------
    >>> import torch
    >>> model = StyleGAN((1, 21, 21, 21))
    >>> model.decode(torch.zeros(2, model.latent_dim)).shape
    torch.Size([2, 1, 21, 21, 21])

    References
    ----------
    .. [1] Karras et al. (2019), A style-based generator architecture for generative adversarial
       networks.
    .. [2] Karras et al. (2020), Analyzing and improving the image quality of StyleGAN.
    .. [3] Karras et al. (2020), Training generative adversarial networks with limited data.
    """

    kind = "stylegan"
    options_class = StyleGANConfig

    def __init__(self, image_shape: Sequence[int], **options: Any) -> None:
        super().__init__()
        self.config = StyleGANConfig(image_shape=tuple(image_shape), **options)
        self.image_shape, self.latent_dim = self.config.image_shape, self.config.latent_dim
        padding = self.config.padding
        generator = StyleGenerator(
            residual_layout(self.image_shape, self.config.widths),
            self.latent_dim,
            padding,
            self.config.first,
        )
        encoder = residual_encoder(
            self.image_shape, self.config.encoder.widths, self.latent_dim, padding
        )
        self.parts = GeneratorAndEncoder(generator, encoder, self.new_mapping())
        self.eval()

    def new_mapping(self) -> Mapping | None:
        """A mapping that begins with random rotations and learns slowly, if there is one."""
        layers = self.config.mapping_layers
        if not layers:
            return None
        return Mapping(self.latent_dim, layers, slope=SLOPE, rotated=True, rate=RATE)

    def critic(self) -> nn.Module:
        """A residual network without norms."""
        return ResidualReader(
            residual_layout(self.image_shape, self.config.widths),
            1,
            self.config.padding,
            code=False,
        )

    def stages(self) -> Stages:
        """The game, the distances of sets if they are asked for, and the encoder alone."""
        config, critic = self.config, self.critic()
        augmentation = None
        if config.augment is not None:
            augmentation = CriticAugmentation(
                config.augment,
                self.image_shape,
                periodic=config.padding == "circular",
                pairs=config.game == "relativistic",
            )
        return (
            StyleStage(self, critic, augmentation),
            *([StyleSetsStage(self, critic, augmentation, config.sets)] if config.sets else []),
            EncoderStage(self),
        )

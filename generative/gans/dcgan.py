"""Deep convolutional generative adversarial network, as published, with an encoder."""

from collections.abc import Sequence
from typing import Any

from torch import nn

from generative.gans.adversarial_model import AdversarialModel
from generative.gans.parts import GeneratorAndEncoder
from generative.gans.settings import DCGANConfig
from generative.networks.dcgan import DCGANGenerator, DCGANReader
from generative.networks.layout import plan_layout


class DCGAN(AdversarialModel[DCGANConfig]):
    """Standard normal numbers to images and back: the baseline of its family.

    Its recipe is that of the paper, which often collapses. `game`, `penalty` and `sets` are what
    rescues it; `GAN` has them from the start.

    Parameters
    ----------
    image_shape
        ``(c, h, w)`` with sides of 32 to 256, or ``(c, d, h, w)`` with sides of 16 to 64.
    **options
        Fields of `DCGANConfig`.

    Raises
    ------
    ValueError
        For a shape outside these limits or an option out of range.

    Examples
    --------
    >>> import torch
    >>> model = DCGAN((1, 64, 64), latent_dim=100)
    >>> model.decode(torch.zeros(2, 100)).shape
    torch.Size([2, 1, 64, 64])

    References
    ----------
    .. [1] Radford et al. (2016), Unsupervised representation learning with deep convolutional
       generative adversarial networks.
    """

    kind = "dcgan"
    options_class = DCGANConfig

    def __init__(self, image_shape: Sequence[int], **options: Any) -> None:
        super().__init__()
        self.config = DCGANConfig(image_shape=tuple(image_shape), **options)
        self.image_shape, self.latent_dim = self.config.image_shape, self.config.latent_dim
        plan_layout(self.image_shape)  # refuses shapes outside the limits
        width = self.config.width
        self.parts = GeneratorAndEncoder(
            DCGANGenerator(self.image_shape, self.latent_dim, width),
            DCGANReader(self.image_shape, self.latent_dim, width),
        )
        self.eval()

    def critic(self) -> nn.Module:
        """The mirror of the generator."""
        return DCGANReader(self.image_shape, 1, self.config.width)

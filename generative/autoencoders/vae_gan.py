"""Adversarial variational autoencoder: one of ours, its training ended by a discriminator."""

from collections.abc import Sequence
from typing import Any, Literal

from jaxtyping import Float
from pydantic import Field
from torch import Tensor

from generative.autoencoders.detail import DetailConfig, DetailStage
from generative.autoencoders.resnet_vae import ResNetVAE
from generative.autoencoders.vae import ConvVAE
from generative.autoencoders.variational import AutoencoderStage, VariationalAutoencoder
from generative.model import Model, check_code, check_images_shape
from generative.stages.stage import Stages
from objectives.settings import Settings

AUTOENCODERS = {"vae": ConvVAE, "resnet_vae": ResNetVAE}


class VAEGANConfig(Settings):
    """Autoencoder and discriminator of a `VAEGAN`."""

    image_shape: tuple[int, ...] = Field(
        description="Shape of one image in voxels: (channels, height, width), or (channels, "
        "depth, height, width) in 3-D."
    )
    autoencoder: Literal["vae", "resnet_vae"] = Field(
        "vae",
        description="Kind of autoencoder: vae encodes an image to a grid of numbers, the other "
        "kind to a plain vector.",
    )
    options: dict[str, Any] = Field(
        default_factory=dict, description="Options of the chosen autoencoder, by name."
    )
    detail: DetailConfig = Field(
        DetailConfig(variogram_weight=0.0, fraction_weight=0.0),
        description="Settings of the adversarial stage: its discriminator and the weights of its "
        "losses.",
    )


class VAEGAN(Model):
    """Images to a code and back, sharp rather than the mean of what they may be.

    Parameters
    ----------
    image_shape
        ``(c, h, w)`` with sides of 32 to 256, or ``(c, d, h, w)`` with sides of 16 to 64.
    **options
        Fields of `VAEGANConfig`.

    Raises
    ------
    ValueError
        For a shape outside these limits or an option out of range.

    References
    ----------
    .. [1] Larsen et al. (2016), Autoencoding beyond pixels using a learned similarity metric.
    """

    kind = "vae_gan"
    options_class = VAEGANConfig

    def __init__(self, image_shape: Sequence[int], **options: Any) -> None:
        super().__init__()
        self.config = VAEGANConfig(image_shape=tuple(image_shape), **options)
        self.image_shape = self.config.image_shape
        chosen = AUTOENCODERS[self.config.autoencoder]
        self.autoencoder: VariationalAutoencoder = chosen(self.image_shape, **self.config.options)
        self.latent_dim = self.autoencoder.latent_dim
        self.eval()

    def options(self) -> dict[str, Any]:
        """What `VAEGAN(**options)` needs to build this network again."""
        return self.config.model_dump(mode="json")

    def stages(self) -> Stages:
        """The autoencoder by itself, then with the discriminator."""
        return (
            AutoencoderStage(self.autoencoder),
            DetailStage(self.autoencoder, self.config.detail),
        )

    def encode(self, images: Float[Tensor, "n c *space"]) -> Float[Tensor, "n d"]:
        """Mean of the code's posterior: no randomness, row by row."""
        check_images_shape(images, self.image_shape)
        return self.autoencoder.encode(images)

    def decode(self, code: Float[Tensor, "n d"]) -> Float[Tensor, "n c *space"]:
        """Images in [0, 1]; differentiable."""
        check_code(code, self.latent_dim)
        return self.autoencoder.decode(code)

"""Variational autoencoder with a ResNet encoder and a vector code, in 2-D and 3-D."""

import math
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any, Literal

import torch
from jaxtyping import Float
from pydantic import Field, PositiveInt
from torch import Tensor, nn

from generative.autoencoders.backbone_weights import (
    IMAGENET_MEAN,
    IMAGENET_STD,
    read_backbone_weights,
)
from generative.autoencoders.variational import VariationalAutoencoder
from generative.errors import ModelFileError
from generative.model import Model
from generative.networks.blocks import BATCH_NORM
from generative.networks.layout import plan_layout
from objectives.convolutions import sound
from objectives.settings import Settings

HIDDEN = 1024  # of the dense layers on either side of the code
EXPANSION = {"resnet18": 1, "resnet50": 4, "resnet152": 4}  # channels of a block over its width
CHANNELS = (64, 32, 8)  # before each transposed convolution; the last makes the image's
TRANSPOSED = {2: nn.ConvTranspose2d, 3: nn.ConvTranspose3d}
# What a ResNet does to an image, in order. Its own `forward` cannot take a batch of no images.
STAGES = ("conv1", "bn1", "act", "maxpool", "layer1", "layer2", "layer3", "layer4", "avgpool")


class ResNetVAEConfig(Settings):
    """Network and loss of a `ResNetVAE`."""

    image_shape: tuple[int, ...] = Field(
        description="Shape of one image in voxels: (channels, height, width), or (channels, "
        "depth, height, width) in 3-D."
    )
    backbone: Literal["resnet18", "resnet50", "resnet152"] = Field(
        "resnet18",
        description="ResNet that encodes the images. resnet152 has the most layers and costs the "
        "most.",
    )
    width: PositiveInt = Field(
        64,
        description="Number of channels of the first ResNet stage. Published ImageNet weights "
        "need 64.",
    )
    latent_dim: PositiveInt = Field(
        256, description="Number of latent dimensions, which is the length of the code vector."
    )
    reconstruction: Literal["mse", "bce"] = Field(
        "mse",
        description='Reconstruction loss. "mse" is the squared error, a Gaussian likelihood of '
        'standard deviation sigma; "bce" is the binary cross-entropy.',
    )
    sigma: float = Field(
        0.25,
        gt=0,
        description="Standard deviation of a voxel about its reconstruction, on the scale of "
        "image values (0 to 1). Smaller values weigh the reconstruction more against the "
        'Kullback-Leibler term. Only "mse" uses it.',
    )
    beta: float = Field(
        1.0,
        ge=0,
        description="Weight of the Kullback-Leibler divergence. 1 is the evidence lower bound; "
        "smaller values reconstruct better, and 0 leaves the term out.",
    )


class ResNetVAE(VariationalAutoencoder[ResNetVAEConfig]):
    """Images to a vector of numbers, and back: the baseline with a pretrained encoder.

    A ResNet and two dense layers encode; two dense layers and three transposed convolutions
    decode. The vector knows nothing of places in the image, so reconstructions are blurrier than
    those of `ConvVAE` at the same number of numbers.

    Parameters
    ----------
    image_shape
        ``(c, h, w)`` with sides of 32 to 256, or ``(c, d, h, w)`` with sides of 16 to 64. A grey
        image in 2-D is repeated to the three channels that a published ResNet takes.
    **options
        Fields of `ResNetVAEConfig`.

    Raises
    ------
    ValueError
        For a shape outside these limits or an option out of range.

    Examples
    --------
    >>> model = ResNetVAE((1, 50, 40), width=8, latent_dim=16)
    >>> model.decode(torch.zeros(2, 16)).shape
    torch.Size([2, 1, 50, 40])

    References
    ----------
    .. [1] Kingma and Welling (2014), Auto-Encoding Variational Bayes.
    .. [2] He et al. (2016), Deep residual learning for image recognition.
    """

    kind = "resnet_vae"
    options_class = ResNetVAEConfig

    pixel_mean: Tensor
    pixel_std: Tensor

    def __init__(self, image_shape: Sequence[int], **options: Any) -> None:
        super().__init__()
        self.config = ResNetVAEConfig(image_shape=tuple(image_shape), **options)
        self.image_shape = self.config.image_shape
        self.latent_dim = self.config.latent_dim
        dims = plan_layout(self.image_shape).spatial_dims  # refuses shapes outside the limits
        grey = dims == 2 and self.image_shape[0] == 1
        inputs = 3 if grey else self.image_shape[0]
        # Kept with the weights they belong to: `load_backbone` sets them.
        self.register_buffer("pixel_mean", torch.zeros(inputs))
        self.register_buffer("pixel_std", torch.ones(inputs))
        self.backbone = _resnet(self.config.backbone, dims, inputs, self.config.width)
        features = 8 * self.config.width * EXPANSION[self.config.backbone]
        self.head = nn.Sequential(
            *_dense(features, HIDDEN),
            *_dense(HIDDEN, HIDDEN),
            nn.Linear(HIDDEN, 2 * self.latent_dim),  # mean and log-variance
        )
        self.decoder = _decoder(self.latent_dim, self.image_shape)
        self.eval()

    def begin(self, source: Model | Path) -> None:
        """`load_backbone` of a file."""
        if not isinstance(source, Path):
            raise ValueError(
                f"expected a safetensors file with the weights of a {self.config.backbone}, got a "
                f"{source.kind}."
            )
        self.load_backbone(source)

    def load_backbone(self, path: Path | str) -> "ResNetVAE":
        """Begin from a ResNet trained on ImageNet; from here on its normalization is applied.

        Parameters
        ----------
        path
            torchvision's state dict of this backbone, as a ``.safetensors`` file. Its classifier
            is ignored; files from before batch norms counted their batches will do.

        Returns
        -------
        This model, changed in place.

        Raises
        ------
        ModelFileError
            For a file that is missing, damaged, of another format or of another network, or where
            images are volumes or have neither 1 nor 3 channels. The model is then as it was.
        """
        if len(self.image_shape) != 3 or len(self.pixel_mean) != 3:
            raise ModelFileError(
                f"{path}: weights from a file are for 2-D images of 1 or 3 channels, got images "
                f"of shape {self.image_shape}. Train this model without them."
            )
        weights = read_backbone_weights(path, self.backbone.state_dict(), self.config.backbone)
        self.backbone.load_state_dict(weights)
        self.pixel_mean.copy_(torch.tensor(IMAGENET_MEAN))
        self.pixel_std.copy_(torch.tensor(IMAGENET_STD))
        return self

    def posterior(
        self, images: Float[Tensor, "n c *space"]
    ) -> tuple[Float[Tensor, "n d"], Float[Tensor, "n d"]]:
        """Mean and log-variance of the code, from what the backbone sees."""
        mean, log_variance = self.head(self._features(images)).float().chunk(2, dim=1)
        return mean, log_variance

    def _features(self, images: Tensor) -> Tensor:
        """What the backbone sees, averaged over the image: (n, features)."""
        per_channel = (-1, *[1] * (images.ndim - 2))
        mean, std = self.pixel_mean.reshape(per_channel), self.pixel_std.reshape(per_channel)
        x = (images - mean) / std  # makes three channels of a grey one
        # Of a deep ResNet's gradients on volumes a few voxels small, bfloat16's rounding leaves a
        # half: `sound` keeps garbage away, and not that.
        with nullcontext() if images.ndim == 4 else torch.autocast("cpu", enabled=False):
            for stage in STAGES:
                x = getattr(self.backbone, stage)(x)
        return x.flatten(1)

    def logits(
        self, code: Float[Tensor, "n d"], texture: Float[Tensor, "n k"] | None = None
    ) -> Float[Tensor, "n c *space"]:
        """Decoded codes before the sigmoid; its decoder takes no texture."""
        return self.decoder(code)[(..., *(slice(side) for side in self.image_shape[1:]))]


def _resnet(name: str, spatial_dims: int, inputs: int, width: int) -> nn.Module:
    """MONAI's ResNet with the keys and shapes of torchvision's, without the classifier."""
    from monai.networks.nets.resnet import resnet18, resnet50, resnet152  # takes 1.5 s

    make = {"resnet18": resnet18, "resnet50": resnet50, "resnet152": resnet152}[name]
    network = make(
        spatial_dims=spatial_dims,
        n_input_channels=inputs,
        conv1_t_size=7,
        conv1_t_stride=2,
        shortcut_type="B",
        bias_downsample=False,
        widen_factor=width / 64,
        feed_forward=False,
    )
    return sound(network)  # its shortcuts are strided convolutions of one voxel


def _decoder(latent_dim: int, image_shape: tuple[int, ...]) -> nn.Sequential:
    """Code to logits on the image's grid, rounded up to a multiple of 8."""
    image_channels, *space = image_shape
    dims, channels = len(space), (*CHANNELS, image_channels)
    grid = tuple(math.ceil(side / 2 ** len(CHANNELS)) for side in space)
    layers = [
        *_dense(latent_dim, HIDDEN),
        *_dense(HIDDEN, HIDDEN),
        nn.Linear(HIDDEN, channels[0] * math.prod(grid)),
        nn.Unflatten(1, (channels[0], *grid)),
    ]
    for i, before in enumerate(CHANNELS):
        layers += [
            BATCH_NORM[dims](before),
            nn.ReLU(),
            TRANSPOSED[dims](before, channels[i + 1], 3, stride=2, padding=1, output_padding=1),
        ]
    return nn.Sequential(*layers)


def _dense(inputs: int, outputs: int) -> tuple[nn.Module, ...]:
    return nn.Linear(inputs, outputs), nn.BatchNorm1d(outputs), nn.ReLU()

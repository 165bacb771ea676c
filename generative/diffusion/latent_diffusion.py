"""Latent diffusion: an autoencoder to 64 numbers, and a diffusion prior over them."""

from pathlib import Path

from pydantic import Field

from generative.autoencoders.detail import DetailConfig, DetailStage
from generative.autoencoders.vae import ConvVAE
from generative.autoencoders.variational import AutoencoderStage
from generative.conditions import Conditions
from generative.diffusion.calibration import CalibrationConfig, CalibrationStage
from generative.diffusion.draws import DrawsConfig, DrawsStage
from generative.diffusion.prior_over_codes import PriorOverCodes, PriorOverCodesConfig
from generative.diffusion.prior_stage import PriorStage
from generative.model import Model, copy_of
from generative.stages.stage import Stages


class LatentDiffusionConfig(PriorOverCodesConfig):
    """Networks, coordinates and training of a `LatentDiffusion`."""

    pretrained: bool = Field(
        False,
        description="Whether the autoencoder is trained already. If true, training skips the "
        "autoencoder stage.",
    )
    detail: DetailConfig | None = Field(
        DetailConfig(),
        description="Settings of the detail stage, which restores interfaces that the "
        "autoencoder blurs. null skips the stage.",
    )
    draws: DrawsConfig | None = Field(
        None,
        description="Settings of the stage that trains the decoder on structures sampled from "
        "the prior, until their texture is distributed as that of the training images. null "
        "skips the stage.",
    )
    calibration: CalibrationConfig | None = Field(
        None,
        description="Settings of the calibration stage, which trains the prior until sampled "
        "structures have the statistics of the training images. null skips the stage.",
    )
    conditions: Conditions = Field(
        Conditions(),
        description="Classes and properties that samples can be asked for. Without any, the "
        "model is unconditional.",
    )


class LatentDiffusion(PriorOverCodes[LatentDiffusionConfig]):
    """A `PriorOverCodes` whose autoencoder is trained first, and its prior on the codes after that.

    Parameters
    ----------
    image_shape
        ``(c, h, w)`` with sides of 32 to 256, or ``(c, d, h, w)`` with sides of 16 to 64.
    **options
        Fields of `LatentDiffusionConfig`.

    Raises
    ------
    ValueError
        For a shape outside these limits or an option out of range.

    Examples
    --------
    >>> import torch
    >>> model = LatentDiffusion((1, 64, 64))
    >>> noise = torch.randn(2, 64, generator=torch.Generator().manual_seed(0))
    >>> model.decode(noise).shape
    torch.Size([2, 1, 64, 64])

    References
    ----------
    .. [1] Rombach et al. (2022), High-resolution image synthesis with latent diffusion models.
    .. [2] Song et al. (2021), Score-based generative modeling through stochastic differential
       equations, section 4.3 (the flow that makes the noise a code).
    """

    kind = "ldm"
    options_class = LatentDiffusionConfig

    @property
    def conditions(self) -> Conditions:
        """Classes and properties it can be asked for."""
        return self.config.conditions

    def unconditional(self) -> "LatentDiffusion":
        """A copy that is told no conditions, as this one is when asked for nothing."""
        return copy_of(self, conditions={})

    def stages(self) -> Stages:
        """The parts of its training, in their order."""
        trained, detail, draws = self.config.pretrained, self.config.detail, self.config.draws
        calibration = self.config.calibration
        return (
            *([] if trained else [AutoencoderStage(self.autoencoder)]),
            *([DetailStage(self.autoencoder, detail)] if detail else []),
            PriorStage(self),
            *([DrawsStage(self, draws)] if draws else []),
            *([CalibrationStage(self, calibration, detail)] if calibration else []),
        )

    def begin(self, source: Model | Path) -> None:
        """Take the autoencoder of another model, a `ConvVAE`, in place of training one.

        Raises
        ------
        ValueError
            For another kind of model, or one for images of another shape.
        """
        if not isinstance(source, ConvVAE) or source.image_shape != self.image_shape:
            found = (
                f"{source.kind} for {source.image_shape}"
                if isinstance(source, Model)
                else f"the file {source}"
            )
            raise ValueError(
                f"expected the space of a vae for images of shape {self.image_shape}, got {found}."
            )
        given = {name: value for name, value in source.options().items() if name != "image_shape"}
        if not self.config.pretrained or self.config.autoencoder != given:
            changes = {"autoencoder": given, "pretrained": True}
            self._build(self.config.model_copy(update=changes))
        self.autoencoder.load_state_dict(source.state_dict())

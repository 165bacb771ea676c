"""Latent diffusion: an autoencoder to 64 numbers, and a diffusion prior over them."""

from pathlib import Path
from typing import Any

from jaxtyping import Float
from pydantic import Field, model_validator
from torch import Tensor

from generative.autoencoders.detail import DetailConfig, DetailStage
from generative.autoencoders.vae import ConvVAE
from generative.autoencoders.variational import AutoencoderStage
from generative.conditions import Conditions
from generative.diffusion.calibration import CalibrationConfig, CalibrationStage
from generative.diffusion.conditioned import ConditionedPrior
from generative.diffusion.draws import DrawsConfig, DrawsStage
from generative.diffusion.light_decoder import LightDecoder
from generative.diffusion.light_decoder_stage import LightDecoderStage
from generative.diffusion.one_step import OneStepConfig, as_settings
from generative.diffusion.one_step_stage import OneStepStage
from generative.diffusion.prior_over_codes import PriorOverCodes, PriorOverCodesConfig
from generative.diffusion.prior_stage import PriorStage
from generative.diffusion.student import Student
from generative.model import Model, check_code, copy_of, view_of
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
    one_step: OneStepConfig | None = Field(
        None,
        description="Settings of the one-step stage, which teaches a network called once what the "
        "probability-flow ODE maps noise to. Noise is then decoded by that network. true takes "
        "the default settings; null skips the stage.",
    )
    conditions: Conditions = Field(
        Conditions(),
        description="Classes and properties that samples can be asked for. Without any, the "
        "model is unconditional.",
    )

    @model_validator(mode="before")
    @classmethod
    def _true_is_short_for_the_defaults(cls, data: Any) -> Any:
        if isinstance(data, dict) and "one_step" in data:
            return data | {"one_step": as_settings(data["one_step"])}
        return data


class LatentDiffusion(PriorOverCodes[LatentDiffusionConfig]):
    """A `PriorOverCodes` whose autoencoder is trained first, and its prior on the codes after that.

    With ``one_step``, a last stage teaches a student the code at the end of the flow, and `decode`
    calls that once where the flow calls the prior twenty times. The noise and its encoder are those
    of the flow: `encode` and `to_noise` follow it as before, and `sample` draws by it. What the
    student approximates is `to_code`, so that ``encode(decode(z))`` is `z` but for the student's
    error, and for that of the light decoder where one is trained; `by_flow` answers the model
    without either, which follows the flow both ways.

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

    student: Student | None
    light: LightDecoder | None

    def _build(self, config: LatentDiffusionConfig) -> None:
        super()._build(config)
        self._begun_trained = False
        asked, grid = config.one_step, self.autoencoder.layout.code_grid
        self.student = self.light = None
        if asked:
            size, evaluations = config.conditions.size, asked.evaluations
            self.student = Student(grid, size, config.prior, evaluations)
        if asked and asked.decoder:
            self.light = LightDecoder(self.autoencoder)
        self.eval()

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
        calibration, one_step = self.config.calibration, self.config.one_step
        taught = []
        if one_step and self.student:
            taught.append(OneStepStage(self, self.student, one_step))
            if self.light:
                taught.append(LightDecoderStage(self, self.student, self.light, one_step))
        if self._begun_trained:
            return tuple(taught)
        return (
            *([] if trained else [AutoencoderStage(self.autoencoder)]),
            *([DetailStage(self.autoencoder, detail)] if detail else []),
            PriorStage(self),
            *([DrawsStage(self, draws)] if draws else []),
            *([CalibrationStage(self, calibration, detail)] if calibration else []),
            *taught,
        )

    # -- there and back in one step --------------------------------------------------------------

    def by_flow(self) -> "LatentDiffusion":
        """The same model, its weights shared, which decodes noise by the flow alone."""
        return view_of(self, one_step=None)

    def to_code(self, noise: Float[Tensor, "n d"]) -> Float[Tensor, "n d"]:
        """Codes of noise: what the student answers, or the end of the flow without one."""
        if self.student is None:
            return super().to_code(noise)
        return self.prior.scaled(self.student(noise))

    def decode(self, code: Float[Tensor, "n d"]) -> Float[Tensor, "n c *space"]:
        """Images in [0, 1] of noise, or of codes; differentiable.

        Noise goes through the student where there is one, and any code through the light decoder
        where that was trained.
        """
        check_code(code, self.latent_dim)
        found = self.to_code(code) if self.standard_normal else code
        return self.autoencoder.decode(found) if self.light is None else self.light(found).sigmoid()

    def at(self, condition: Float[Tensor, " f"]) -> ConditionedPrior:
        """The same model, its weights shared, of structures under one condition.

        Decodes in one step where this one does; see `PriorOverCodes.at`.
        """
        view = super().at(condition)
        view.student, view.light = self.student, self.light
        return view

    # -- first weights ---------------------------------------------------------------------------

    def begin(self, source: Model | Path) -> None:
        """Take the autoencoder of another model in place of training one; or all but the student.

        Parameters
        ----------
        source
            A `ConvVAE`; or, for a model with ``one_step``, a trained `LatentDiffusion`, with all of
            its settings: then the stages of ``one_step`` are the training.

        Raises
        ------
        ValueError
            For another kind of model, or one for images of another shape.
        """
        if isinstance(source, LatentDiffusion) and source.image_shape == self.image_shape:
            self._begin_trained(source)
            return
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

    def _begin_trained(self, source: "LatentDiffusion") -> None:
        """Take everything but the student from a trained model; only that is trained then."""
        if self.config.one_step is None:
            raise ValueError(
                "an ldm is all trained already: set the option one_step to train a student of it, "
                "or begin from a vae."
            )
        own = {"one_step": self.config.one_step, "coordinates": self.config.coordinates}
        there = source.config.model_copy(update=own)
        asked = self.config.model_fields_set
        other = [n for n in sorted(asked) if getattr(self.config, n) != getattr(there, n)]
        if other or self.conditions != source.conditions:
            names = ", ".join(other or ["conditions"])
            raise ValueError(
                f"the ldm has other settings of {names}; leave them out, or give those that it has."
            )
        if self.config != there:
            self._build(there)
        self.autoencoder.load_state_dict(source.autoencoder.state_dict())
        self.prior.load_state_dict(source.prior.state_dict())
        self._begun_trained = True

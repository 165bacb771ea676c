"""A generative adversarial network with control variables that it gives a meaning by itself."""

import math
from collections.abc import Sequence
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from generative.gans.adversarial_model import AdversarialModel
from generative.gans.controls import Controls, InfoGANConfig
from generative.gans.encoder_stage import EncoderStage
from generative.gans.information_stage import (
    GuessingCritic,
    InformationSetsStage,
    InformationStage,
)
from generative.gans.parts import GeneratorAndEncoder
from generative.model import Control
from generative.networks.blocks import weight_of
from generative.networks.residual import (
    ResidualGenerator,
    ResidualReader,
    residual_encoder,
    residual_layout,
)
from generative.stages.stage import Stages


class InfoGAN(AdversarialModel[InfoGANConfig]):
    """A `GAN` of which some normal numbers are control variables, found without labels.

    A categorical control is the place of the largest of its numbers, a continuous one a uniform
    variable made of one number. All codes are standard normal, as of any `GAN`. Critic and
    generator raise a bound of the mutual information of controls and structures: what a control
    comes to mean is up to them. A space of it measures that (`LatentSpace.controls`).

    Parameters
    ----------
    image_shape
        ``(c, h, w)`` with sides of 32 to 256, or ``(c, d, h, w)`` with sides of 16 to 64.
    **options
        Fields of `InfoGANConfig`.

    Raises
    ------
    ValueError
        For a shape outside these limits or an option out of range.

    Examples
    --------
    >>> model = InfoGAN((1, 32, 32), controls={"categories": [3], "continuous": 1})
    >>> [control.name for control in model.controls]
    ['category 1', 'continuous 1']

    References
    ----------
    .. [1] Chen et al. (2016), InfoGAN: Interpretable representation learning by information
       maximizing generative adversarial nets.
    """

    kind = "infogan"
    options_class = InfoGANConfig

    def __init__(self, image_shape: Sequence[int], **options: Any) -> None:
        super().__init__()
        self.config = InfoGANConfig(image_shape=tuple(image_shape), **options)
        self.image_shape, self.latent_dim = self.config.image_shape, self.config.latent_dim
        self._controls = Controls(self.config.controls)
        padding = self.config.padding
        generator = ControlledGenerator(
            ResidualGenerator(
                residual_layout(self.image_shape, self.config.widths), self.latent_dim, padding
            ),
            self._controls,
        )
        encoder = residual_encoder(
            self.image_shape, self.config.encoder.widths, self.latent_dim, padding
        )
        self.parts = ControlledParts(generator, encoder, self._controls)
        self.eval()

    @property
    def controls(self) -> tuple[Control, ...]:
        """Its control variables: categories first, each with the numbers it is made of."""
        return self._controls.all

    def critic(self) -> GuessingCritic:
        """A residual network without norms that also guesses the controls."""
        layout = residual_layout(self.image_shape, self.config.widths)
        reader = ResidualReader(layout, 1, self.config.padding, code=False)
        return GuessingCritic(reader, self._controls.guessed)

    def stages(self) -> Stages:
        """Those of a `GAN`, where structures tell their controls, too."""
        config, critic, controls = self.config, self.critic(), self._controls
        game = InformationStage(self, critic, controls)
        if config.sets is None:
            return game, EncoderStage(self)
        return game, InformationSetsStage(self, critic, controls, config.sets), EncoderStage(self)


class ControlledParts(GeneratorAndEncoder):
    """Its encoder is also asked for the categories, which are few of the numbers and matter most.

    Parameters
    ----------
    generator, encoder
        As of `GeneratorAndEncoder`.
    controls
        What the first numbers are read as.
    """

    def __init__(self, generator: nn.Module, encoder: nn.Module, controls: Controls) -> None:
        super().__init__(generator, encoder)
        self.controls = controls

    def code_error(
        self, guess: Float[Tensor, "n d"], style: Float[Tensor, "n d"]
    ) -> Float[Tensor, ""]:
        """Mean squared error, and cross entropy of each category."""
        return super().code_error(guess, style) + self.controls.confusion(guess, style)


class ControlledGenerator(nn.Module):
    """Codes to logits of images by a generator that is told the controls, not their numbers.

    A control is heard in the whole image from the start: what belongs to one place alone, a set of
    shifted images would not keep.

    Parameters
    ----------
    generator
        As many numbers to logits of images.
    controls
        What the first numbers are read as.
    """

    def __init__(self, generator: ResidualGenerator, controls: Controls) -> None:
        super().__init__()
        self.generator, self.controls = generator, controls
        told, weight = controls.config.numbers, generator.first.weight
        with torch.no_grad():
            by_cell = weight.view(generator.layout.channels[-1], -1, weight.shape[1])
            everywhere = torch.randn(len(by_cell), 1, told) / math.sqrt(told)
            by_cell[:, :, :told] = everywhere
            # As much of the style of the whole image as all the noise together, at first.
            style = weight_of(generator.style[0])
            style[:, :told] *= math.sqrt(max(1, style.shape[1] - told) / told)

    def forward(self, code: Float[Tensor, "n d"]) -> Float[Tensor, "n c *space"]:
        """Logits of an image for each code."""
        return self.generator(self.controls.told(code))

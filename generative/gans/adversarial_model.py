"""What all generative adversarial networks share: standard normal codes, and an encoder."""

from typing import Any, Generic, TypeVar

import torch
from jaxtyping import Float
from torch import Tensor, nn

from generative.conditions import Conditions
from generative.gans.adversarial_stage import AdversarialStage
from generative.gans.encoder_stage import EncoderStage
from generative.gans.parts import GeneratorAndEncoder
from generative.gans.sets_stage import SetsStage
from generative.gans.settings import AdversarialConfig
from generative.model import Model, check_code, check_images_shape
from generative.stages.stage import Stages

Config = TypeVar("Config", bound=AdversarialConfig)


class AdversarialModel(Model, Generic[Config]):
    """Standard normal numbers to images by a generator, and back by an encoder.

    A class of this kind sets ``config``, ``image_shape``, ``latent_dim`` and ``parts``, and makes
    the critic that its training needs.
    """

    config: Config
    parts: GeneratorAndEncoder
    standard_normal = True

    @property
    def conditions(self) -> Conditions:
        """Classes and properties it can be asked for; none where it is trained on images alone."""
        return Conditions()

    def critic(self) -> nn.Module:
        """A new critic: images, of values from -1 to 1, to scores (n, 1).

        If the model has conditions, what the images are asked for (n, f) comes after them.
        """
        raise NotImplementedError

    def options(self) -> dict[str, Any]:
        """What builds this network again, as its keyword arguments."""
        return self.config.model_dump(mode="json")

    def stages(self) -> Stages:
        """The game, the distances of sets if they are asked for, and the encoder alone."""
        config, critic = self.config, self.critic()
        return (
            AdversarialStage(self, critic),
            *([SetsStage(self, critic, config.sets)] if config.sets else []),
            EncoderStage(self),
        )

    def draw_codes(self, n: int, seed: int) -> Float[Tensor, "{n} d"]:
        """Codes of draws of its prior, the same for the same seed."""
        return torch.randn(n, self.latent_dim, generator=torch.Generator().manual_seed(seed))

    def encode(self, images: Float[Tensor, "n c *space"]) -> Float[Tensor, "n d"]:
        """The encoder's guess of the numbers an image is made of: no randomness, row by row."""
        check_images_shape(images, self.image_shape)
        return self.parts.guess(images)

    def decode(self, code: Float[Tensor, "n d"]) -> Float[Tensor, "n c *space"]:
        """Images in [0, 1]; differentiable."""
        check_code(code, self.latent_dim)
        return self.parts.logits(code).sigmoid()

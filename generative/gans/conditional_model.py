"""A generative adversarial network that can be asked for classes and properties."""

from collections.abc import Mapping
from typing import Any, TypeVar

import torch
from jaxtyping import Float
from torch import Tensor

from generative.conditions import Conditions
from generative.gans.mapped_model import MappedModel
from generative.gans.parts import GeneratorAndEncoder
from generative.gans.settings import ConditionalConfig
from generative.model import Model, check_code, check_images_shape, copy_of
from generative.stages.stage import Stages
from objectives.settings import Settings

Config = TypeVar("Config", bound=ConditionalConfig)


class ConditionalModel(MappedModel[Config]):
    """Its mapping is told what is asked for; the generator and the encoder know styles alone.

    So structures of all classes and properties are points of one space.
    """

    @property
    def conditions(self) -> Conditions:
        """Classes and properties it can be asked for."""
        return self.config.conditions

    def at(self, condition: Float[Tensor, " f"]) -> "ConditionedGAN":
        """The same model, its weights shared, of structures under one condition.

        Parameters
        ----------
        condition
            As ``conditions.ask`` answers. Its coordinates are noise.

        Raises
        ------
        ValueError
            For a condition of another width.
        """
        self.conditions.check(condition)
        return ConditionedGAN(self.parts, condition, self.image_shape, self.latent_dim)

    def unconditional(self) -> "ConditionalModel[Config]":
        """A copy that is told no conditions, as this one is when asked for nothing."""
        return copy_of(self, conditions={})

    def sample(
        self,
        n: int,
        *,
        seed: int = 0,
        class_name: str | None = None,
        properties: Mapping[str, float] | None = None,
        guidance: float = 1.0,
    ) -> Float[Tensor, "{n} d"]:
        """Points that decode to new structures, of a class and with properties if asked for.

        Parameters
        ----------
        n, seed
            How many, and what fixes them.
        class_name, properties
            What they should be; what is not named is left open.
        guidance
            1: a generative adversarial network has no other.

        Returns
        -------
        Points in the coordinates of the model, for `decode`.

        Raises
        ------
        ValueError
            For a class or property it was not trained on, or another guidance.

        Warns
        -----
        UserWarning
            For a property outside the range of the training images.
        """
        if guidance != 1.0:
            raise ValueError(
                f"a {self.kind} has no guidance, got {guidance:g}; leave it out, or train one with "
                "model: ldm."
            )
        asked = self.conditions.ask(class_name, properties)
        weight = next(self.parts.parameters())
        noise = torch.randn(n, self.latent_dim, generator=torch.Generator().manual_seed(seed))
        with torch.no_grad():
            style = self.parts.style(noise.to(weight), asked.to(weight).expand(n, -1))
            return self.to_noise(style) if self.standard_normal else style


class ConditionedGAN(Model):
    """Standard normal noise to structures of one class, or with some properties, and back.

    A view that shares the weights of a model: it is not trained and not a row of `MODELS`.

    Parameters
    ----------
    parts
        Of the model.
    condition
        What is asked for, see `Conditions.ask`.
    image_shape, latent_dim
        Of the model.
    """

    kind = "conditioned_gan"
    options_class = Settings
    condition: Tensor

    def __init__(
        self,
        parts: GeneratorAndEncoder,
        condition: Float[Tensor, " f"],
        image_shape: tuple[int, ...],
        latent_dim: int,
    ) -> None:
        super().__init__()
        self.parts, self.image_shape, self.latent_dim = parts, image_shape, latent_dim
        self.register_buffer("condition", condition.to(next(parts.parameters())))
        self.eval()

    @property
    def standard_normal(self) -> bool:
        """Its codes are noise."""
        return True

    def options(self) -> dict[str, Any]:
        """None: it is made by `ConditionalModel.at`."""
        return {}

    def stages(self) -> Stages:
        """None: the model is trained under all conditions at once."""
        return ()

    def draw_codes(self, n: int, seed: int) -> Float[Tensor, "{n} d"]:
        """Codes of draws of its prior, the same for the same seed."""
        return torch.randn(n, self.latent_dim, generator=torch.Generator().manual_seed(seed))

    def encode(self, images: Float[Tensor, "n c *space"]) -> Float[Tensor, "n d"]:
        """The encoder's guess of the noise of each image, were it one that has what is asked."""
        check_images_shape(images, self.image_shape)
        style = self.parts.guess(images)
        return self.parts.noise(style, self.condition.expand(len(style), -1))

    def decode(self, code: Float[Tensor, "n d"]) -> Float[Tensor, "n c *space"]:
        """Images in [0, 1] of noise; differentiable."""
        check_code(code, self.latent_dim)
        style = self.parts.style(code, self.condition.expand(len(code), -1))
        return self.parts.logits(style).sigmoid()

"""A generative adversarial network with a mapping from noise to style."""

from typing import Literal, TypeVar

import torch
from jaxtyping import Float
from torch import Tensor

from generative.gans.adversarial_model import AdversarialModel
from generative.gans.settings import MappedConfig
from generative.model import CoordinateName, check_code, check_images_shape, view_of
from generative.networks.mapping import Mapping

SLOPE = 0.7  # of the rectifiers: encoders are asked through the inverse, which divides by it
Config = TypeVar("Config", bound=MappedConfig)


class MappedModel(AdversarialModel[Config]):
    """Its codes are noise, or the styles that an invertible mapping makes of noise.

    A class of this kind sets what `AdversarialModel` asks for, with `new_mapping` among its
    ``parts``.
    """

    @property
    def coordinate_names(self) -> tuple[CoordinateName, ...]:
        """The coordinates that it can be seen in: noise, and style if it has a mapping."""
        return ("noise", "style") if self.config.mapping_layers else ("noise",)

    @property
    def standard_normal(self) -> bool:
        """Whether its codes are noise."""
        return self.config.coordinates == "noise"

    def new_mapping(self) -> Mapping | None:
        """A mapping of its settings, if they ask for one."""
        layers, told = self.config.mapping_layers, self.conditions.size
        if not layers:
            return None
        return Mapping(self.latent_dim, layers, told, slope=SLOPE, rotated=True)

    def in_coordinates(self, coordinates: Literal["noise", "style"]) -> "MappedModel[Config]":
        """The same model, its weights shared, seen in other coordinates.

        Raises
        ------
        ValueError
            For styles of a model without a mapping.
        """
        return view_of(self, coordinates=coordinates)

    def to_code(self, noise: Float[Tensor, "n d"]) -> Float[Tensor, "n d"]:
        """Styles of noise."""
        return self.parts.style(noise)

    def to_noise(self, code: Float[Tensor, "n d"]) -> Float[Tensor, "n d"]:
        """Noise of styles, the way back."""
        return self.parts.noise(code)

    def draw_codes(self, n: int, seed: int) -> Float[Tensor, "{n} d"]:
        """Codes of draws of its prior, the same for the same seed."""
        noise = super().draw_codes(n, seed)
        with torch.no_grad():
            weight = next(self.parts.parameters())
            return noise if self.standard_normal else self.to_code(noise.to(weight))

    def encode(self, images: Float[Tensor, "n c *space"]) -> Float[Tensor, "n d"]:
        """The encoder's guess of the noise, or style, of an image: no randomness, row by row."""
        check_images_shape(images, self.image_shape)
        style = self.parts.guess(images)
        return self.to_noise(style) if self.standard_normal else style

    def decode(self, code: Float[Tensor, "n d"]) -> Float[Tensor, "n c *space"]:
        """Images in [0, 1]; differentiable."""
        check_code(code, self.latent_dim)
        style = self.to_code(code) if self.standard_normal else code
        return self.parts.logits(style).sigmoid()

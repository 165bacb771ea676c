"""What a generative adversarial network is made of, and how it is trained."""

import math
from collections.abc import Mapping
from typing import Any, Literal

from pydantic import Field, PositiveInt, model_validator

from generative.conditions import Conditions
from generative.losses.structure_distances import StructureDistancesConfig
from objectives.settings import Settings

LAYERS = 4  # of the mapping of a model with conditions


class PenaltyConfig(Settings):
    """Penalty on the slope of the critic, at real and at made images."""

    weight: float = Field(
        0.0024,
        ge=0,
        description="Weight of the critic's mean squared slope at the first step, in units of the "
        "mean squared distance of two training images. 0 applies no penalty.",
    )
    last_weight: float | None = Field(
        None,
        ge=0,
        description="Weight of the critic's mean squared slope at the last step, in the same "
        "units. It falls from the first value to this one along a cosine. null takes a fifth of "
        "the first.",
    )
    every: int = Field(
        4,
        ge=1,
        description="Steps from one penalty to the next. The weight is multiplied by this number "
        "to make up for the steps without.",
    )
    exact: bool = Field(
        True,
        description="Whether the slope is computed by a second derivative. Otherwise it is "
        "estimated by a small random change of the images, which is cheaper.",
    )

    @model_validator(mode="after")
    def _falls(self) -> "PenaltyConfig":
        if self.last_weight is not None and self.last_weight > self.weight:
            raise ValueError(
                f"last_weight should be at most weight ({self.weight:g}), got "
                f"{self.last_weight:g}: the penalty falls."
            )
        return self

    @model_validator(mode="after")
    def _there_is_one(self) -> "PenaltyConfig":
        for name in ("every", "exact"):
            default = type(self).model_fields[name].default
            if not self.weight and getattr(self, name) != default:
                raise ValueError(
                    f"{name} has no effect where weight is 0: set weight above 0, or leave it out."
                )
        return self

    def at(self, progress: float) -> float:
        """Weight when a part of the run, from 0 to 1, is done."""
        last = self.weight / 5 if self.last_weight is None else self.last_weight
        return last + (self.weight - last) * 0.5 * (1 + math.cos(math.pi * progress))


class NoPenaltyConfig(PenaltyConfig):
    """The same, without a penalty unless one is asked for."""

    weight: float = Field(
        0.0,
        ge=0,
        description="Weight of the critic's mean squared slope at the first step, in units of the "
        "mean squared distance of two training images. 0, which is the paper's, applies none.",
    )


class EncoderConfig(Settings):
    """The encoder, which is trained beside the generator and once more at the end."""

    joint: float = Field(
        0.5,
        ge=0,
        description="Weight of the encoder's losses beside the game. 0 trains the encoder at the "
        "end alone.",
    )
    share: float = Field(
        0.3,
        gt=0,
        le=1,
        description="Steps of the encoder's own stage as a fraction of the training steps. Steps "
        "that are set for this stage alone take precedence.",
    )


class ResidualEncoderConfig(EncoderConfig):
    """The same, of an encoder whose size is its own."""

    widths: tuple[PositiveInt, ...] | None = Field(
        None,
        description="Number of channels of each stage of the encoder, from the image to the code. "
        "null takes 32, 64 for two stages, and 16, 32, 64, 96, 128, as many of these as there are, "
        "for more.",
    )


class LateEncoderConfig(EncoderConfig):
    """The same, trained at the end alone unless asked for otherwise."""

    joint: float = Field(
        0.0,
        ge=0,
        description="Weight of the encoder's losses beside the game, which the paper has not. 0 "
        "trains the encoder at the end alone.",
    )

    @model_validator(mode="before")
    @classmethod
    def _folders_of_before_have_widths(cls, settings: Any) -> Any:
        """Models were saved with widths that had no effect."""
        if isinstance(settings, Mapping) and settings.get("widths", ...) is None:
            return {name: value for name, value in settings.items() if name != "widths"}
        return settings


class SetsConfig(StructureDistancesConfig):
    """What asks the generator that sets of its structures be as sets of images are."""

    game_weight: float = Field(
        1.0,
        ge=0,
        description="Weight of the game beside the distances of sets. 0 leaves the critic out, "
        "and nothing keeps single structures true.",
    )
    sharpness: float = Field(
        8.0,
        gt=0,
        description="Factor on the generator's logits before the statistics see them. Large "
        "values come close to segmented images. It is not used if the training images have grey "
        "levels.",
    )
    share: float = Field(
        0.2,
        gt=0,
        le=1,
        description="Steps of the stage of sets as a fraction of the training steps. Steps that "
        "are set for this stage alone take precedence.",
    )


class AdversarialConfig(Settings):
    """Game, encoder and stages of any adversarial network."""

    image_shape: tuple[int, ...] = Field(
        description="Shape of one image in voxels: (channels, height, width), or (channels, "
        "depth, height, width) in 3-D."
    )
    latent_dim: int = Field(
        64, ge=1, description="Number of normal numbers that a structure is made of."
    )
    game: Literal["relativistic", "non_saturating"] = Field(
        "relativistic",
        description='Loss of the game. "relativistic" lets the critic say which image of a pair '
        'is real; "non_saturating" lets it judge each image by itself.',
    )
    penalty: PenaltyConfig = Field(
        PenaltyConfig(), description="Settings of the penalty on the slope of the critic."
    )
    encoder: EncoderConfig = Field(
        EncoderConfig(), description="Settings of the encoder and of its training."
    )
    sets: SetsConfig | None = Field(
        SetsConfig(),
        description="Settings of the stage that compares sets of made structures with sets of "
        "training images. null leaves the stage out.",
    )


class ResidualConfig(AdversarialConfig):
    """The same with residual networks."""

    widths: tuple[PositiveInt, ...] | None = Field(
        None,
        description="Number of channels of each scale, from the image to the coarsest grid, of "
        "generator and critic alike. null takes 32, 64 for two scales, and 16, 32, 64, 96, 128, as "
        "many of these as there are, for more.",
    )
    padding: Literal["zeros", "circular"] = Field(
        "zeros",
        description='Padding of the convolutions at the faces of an image. "circular" suits '
        "periodic images.",
    )
    encoder: ResidualEncoderConfig = Field(
        ResidualEncoderConfig(), description="Settings of the encoder and of its training."
    )


class MappedConfig(ResidualConfig):
    """The same with a mapping from noise to style."""

    mapping_layers: int = Field(
        0,
        ge=0,
        le=16,
        description="Number of layers of the invertible mapping from noise to style, which is what "
        "the generator is given. 0 leaves the mapping out: the style is the noise.",
    )
    coordinates: Literal["noise", "style"] = Field(
        "noise",
        description='Coordinates of the latent space. "noise" is standard normal noise; "style" is '
        "what the mapping makes of it.",
    )

    @model_validator(mode="after")
    def _style_needs_a_mapping(self) -> "MappedConfig":
        if self.coordinates == "style" and not self.mapping_layers:
            raise ValueError(
                "coordinates: style needs mapping_layers of 1 or more; without a mapping the style "
                "is the noise."
            )
        return self


class ConditionalConfig(MappedConfig):
    """The same with conditions, which are told to the mapping and to the critic."""

    conditions: Conditions = Field(
        Conditions(),
        description="Classes and properties that samples can be asked for. With some, "
        f"mapping_layers is {LAYERS} and coordinates is style unless they are given. Without any, "
        "the model is unconditional.",
    )

    @model_validator(mode="before")
    @classmethod
    def _styles_hold_what_is_asked_for(cls, settings: Any) -> Any:
        if not isinstance(settings, Mapping) or not _are_conditions(settings.get("conditions")):
            return settings
        return {"mapping_layers": LAYERS, "coordinates": "style", **settings}

    @model_validator(mode="after")
    def _conditions_need_a_mapping(self) -> "ConditionalConfig":
        if self.conditions.size and not self.mapping_layers:
            raise ValueError(
                "conditions need mapping_layers of 1 or more: it is the mapping that is told them."
            )
        return self


def _are_conditions(settings: object) -> bool:
    """Whether a model with these conditions can be asked for anything."""
    if isinstance(settings, Conditions):
        return settings.size > 0
    return isinstance(settings, Mapping) and any(settings.values())


class GANConfig(ConditionalConfig):
    """Networks and game of a `GAN`."""


class AugmentConfig(Settings):
    """Augmentation of real and made images before the critic, whose strength adapts."""

    target: float | None = Field(
        None,
        gt=0,
        lt=1,
        description="How far the critic may know its training images by heart before they are "
        "augmented more often: 0 is not at all, 1 completely. null takes 0.5 where it is measured "
        "on validation images, and 0.6 where it is measured by the sign of its scores.",
    )
    pace: int = Field(
        30_000,
        ge=1,
        description="Number of images in which the probability of an augmentation can rise from 0 "
        "to 1, or fall as much.",
    )
    largest: float = Field(
        0.8,
        gt=0,
        le=0.8,
        description="Largest probability of an augmentation. Above 0.8 augmentations would show in "
        "made images.",
    )


class StyleGANConfig(MappedConfig):
    """Networks and game of a `StyleGAN`."""

    padding: Literal["zeros", "circular"] = Field(
        "zeros",
        description='Padding of the convolutions at the faces of an image. "circular" suits '
        "periodic images, which are then shifted periodically before the critic.",
    )
    mapping_layers: int = Field(
        4,
        ge=0,
        le=16,
        description="Number of layers of the invertible mapping from noise to style, which is what "
        "the generator is given. 0 leaves the mapping out: the style is the noise.",
    )
    first: Literal["cells", "constant"] = Field(
        "cells",
        description='Input of the coarsest layer. "constant" is learned and the same for all '
        'images, as in the paper; "cells" adds a linear function of the style, so that numbers of '
        "the style have a place in the image.",
    )
    style_mixing: float = Field(
        0.9,
        ge=0,
        le=1,
        description="Share of the made images whose finer layers are given a second style during "
        "the game, from a random layer on.",
    )
    path_length_weight: float | None = Field(
        None,
        ge=0,
        description="Weight of the penalty on differences in path length, which asks that a step "
        "in the style change all images equally. null takes the paper's, ln 2 / (r^2 (ln r - ln "
        "2)) for r x r images or r^2 voxels. 0 applies none.",
    )
    augment: AugmentConfig | None = Field(
        AugmentConfig(),
        description="Settings of the adaptive augmentation before the critic, for small data. null "
        "applies none.",
    )


class DCGANConfig(AdversarialConfig):
    """Networks and game of a `DCGAN`."""

    width: int = Field(
        64,
        ge=1,
        description="Number of channels of the finest scale. The coarsest of four scales has "
        "eight times as many.",
    )
    game: Literal["relativistic", "non_saturating"] = Field(
        "non_saturating",
        description='Loss of the game. "non_saturating" is that of the paper, where the critic '
        'judges each image by itself; "relativistic" lets it say which image of a pair is real.',
    )
    penalty: NoPenaltyConfig = Field(
        NoPenaltyConfig(),
        description="Settings of the penalty on the slope of the critic, which the paper has not.",
    )
    encoder: LateEncoderConfig = Field(
        LateEncoderConfig(), description="Settings of the encoder and of its training."
    )
    sets: SetsConfig | None = Field(
        None,
        description="Settings of a stage that compares sets of made structures with sets of "
        "training images, which the paper has not. null leaves the stage out.",
    )

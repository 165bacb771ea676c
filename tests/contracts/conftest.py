"""A model without an encoder, small enough to be trained in a second."""

import pytest
import torch
from pydantic import Field
from torch import nn

from generative.losses.set_distance import set_distance
from generative.model import Model, check_code
from generative.stages.loss import Loss
from generative.stages.stage import Stage
from objectives.settings import Settings


class TinyGeneratorConfig(Settings):
    """Size of the network."""

    image_shape: tuple[int, ...] = Field(description="(c, *space) of the images.")
    latent_dim: int = Field(4, ge=1, description="Numbers in the code.")
    hidden: int = Field(16, ge=1, description="Width of the hidden layer.")


class TinyGenerator(Model):
    """Standard normal codes to images, so that sets of them are as sets of images are."""

    kind = "tiny_generator"
    options_class = TinyGeneratorConfig
    standard_normal = True

    def __init__(self, image_shape, **options):
        super().__init__()
        self.config = TinyGeneratorConfig(image_shape=tuple(image_shape), **options)
        self.image_shape, self.latent_dim = self.config.image_shape, self.config.latent_dim
        voxels = torch.Size(self.image_shape).numel()
        self.generator = nn.Sequential(
            nn.Linear(self.latent_dim, self.config.hidden),
            nn.SiLU(),
            nn.Linear(self.config.hidden, voxels),
        )
        self.eval()

    def options(self):
        return self.config.model_dump()

    def decode(self, code):
        check_code(code, self.latent_dim)
        return self.generator(code).sigmoid().reshape(-1, *self.image_shape)

    def stages(self):
        return (TinyGeneratorStage(self),)


class TinyGeneratorStage(Stage):
    """Energy distance of a batch of images and as many generated ones."""

    name = "generator"

    def __init__(self, model):
        super().__init__(model)
        self.generator = model.generator

    def loss(self, rows, *, noise, kl_weight, **given):
        made = self.generator(noise).sigmoid()
        distance = set_distance(made, rows.flatten(1))
        return Loss(distance, {"loss": distance.item()})


@pytest.fixture(scope="session")
def tiny_generator():
    """The class."""
    return TinyGenerator

"""A model without an encoder, small enough to be trained in a second: a GAN."""

import pytest
import torch
from pydantic import Field
from torch import nn
from torch.nn import functional

from generative.losses.set_distance import set_distance
from generative.model import Model, check_code
from generative.stages.loss import Loss
from generative.stages.players import Player
from generative.stages.stage import Stage
from objectives.settings import Settings


class TinyGeneratorConfig(Settings):
    """Size of the network."""

    image_shape: tuple[int, ...] = Field(description="(c, *space) of the images.")
    latent_dim: int = Field(4, ge=1, description="Numbers in the code.")
    hidden: int = Field(16, ge=1, description="Width of the hidden layer.")


class TinyGenerator(Model):
    """Standard normal codes to images, trained against a discriminator."""

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
    """Three players: generator, discriminator, and a penalty on the latter at every fourth step."""

    name = "adversarial"
    optimizes = "non-saturating adversarial losses, energy distance, and a gradient penalty"
    penalty_every, momentum = 4, (0.5, 0.99)

    def __init__(self, model):
        super().__init__(model)
        self.generator, self.latent_dim = model.generator, model.latent_dim
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            voxels = torch.Size(self.image_shape).numel()
            self.discriminator = nn.Sequential(
                nn.Linear(voxels, 16), nn.LeakyReLU(0.2), nn.Linear(16, 1)
            )
        self.register_buffer("mean_score", torch.zeros(()))  # changes on the way, and is kept

    @property
    def result(self):
        return self.generator

    def players(self, config):
        judge = tuple(self.discriminator.parameters())
        shared = {"optimizer": "discriminator", "weight_decay": 0.0}
        return (
            Player("discriminator", judge, 0.5, self.momentum, **shared),
            Player(
                "penalty", judge, 0.5, self.momentum, clip=None, every=self.penalty_every, **shared
            ),
            Player("generator", tuple(self.generator.parameters()), betas=self.momentum, clip=1.0),
        )

    def loss(self, batch, player):
        rows = batch.rows.flatten(1)
        if player == "penalty":
            rows = rows.detach().requires_grad_()
            (slope,) = torch.autograd.grad(self.discriminator(rows).sum(), rows, create_graph=True)
            total = slope.square().sum(1).mean()
        elif player == "discriminator":
            made = self.generator(batch.noise(self.latent_dim)).sigmoid().detach()
            real, false = self.discriminator(rows), self.discriminator(made)
            with torch.no_grad():
                self.mean_score.lerp_(real.float().mean(), 0.1 * (1 - batch.progress))
            total = functional.softplus(-real).mean() + functional.softplus(false).mean()
        else:
            made = self.generator(batch.noise(self.latent_dim)).sigmoid()
            total = functional.softplus(-self.discriminator(made)).mean()
            total = 0.1 * total + set_distance(made, rows)
        return Loss(total, {player: total.item()})

    def error(self, probe):
        generator = torch.Generator().manual_seed(0)
        made = self.generator(torch.randn(len(probe), self.latent_dim, generator=generator))
        with torch.no_grad():
            return float(set_distance(made.sigmoid(), probe.flatten(1)))


@pytest.fixture(scope="session")
def tiny_generator():
    """The class."""
    return TinyGenerator

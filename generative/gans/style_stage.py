"""The game of a style-based generator: noise, mixed styles, path lengths, adaptive augmentation."""

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Protocol

import torch
from jaxtyping import Float
from torch import Tensor, nn

from generative.gans.adversarial_stage import AdversarialStage, Played
from generative.gans.critic_augmentation import CriticAugmentation
from generative.gans.parts import centred
from generative.gans.sets_stage import SetsStage
from generative.gans.settings import SetsConfig, StyleGANConfig
from generative.networks.style import StyleGenerator
from generative.stages.config import TrainConfig
from generative.stages.loss import Loss
from generative.stages.players import Batch, Player
from generative.stages.thinning import uniform_of

PATH, EVERY = "path length", 8  # a player, and the steps from one of its moves to the next
DECAY = 0.99  # of the mean path length
BETAS = (0.0, 0.99)


class PlayedByStyle(Played, Protocol):
    """What these stages ask of their model."""

    @property
    def config(self) -> StyleGANConfig:
        """Its settings."""
        ...


class PathLength(nn.Module):
    r"""Penalty :math:`E\,(|J^T y| - a)^2` on how differently images change with their styles.

    J is the derivative of an image by its style, y an image of normal numbers, and a the running
    mean of the lengths (eq. 4 of [1]_).

    Parameters
    ----------
    voxels
        In an image.
    weight
        Of the penalty; None takes the paper's (`published_weight`).

    References
    ----------
    .. [1] Karras et al. (2020), Analyzing and improving the image quality of StyleGAN, section 3.2
       and appendix B.
    """

    mean_: Tensor

    def __init__(self, voxels: int, weight: float | None) -> None:
        super().__init__()
        self.weight = published_weight(voxels) if weight is None else weight
        self.register_buffer("mean_", torch.zeros(()))

    def forward(self, lengths: Float[Tensor, " n"], move: int) -> Float[Tensor, ""]:
        """Penalty of some lengths; the running mean moves towards theirs.

        Parameters
        ----------
        lengths
            Of `path_lengths`.
        move
            How many penalties there have been: the first ones count more in the mean, which would
            otherwise begin at the length of an untrained generator and stay there.
        """
        decay = min(DECAY, move / (10 + move))
        self.mean_.lerp_(lengths.detach().mean(), 1 - decay)
        return self.weight * (lengths - self.mean_).square().mean()


def published_weight(voxels: int) -> float:
    r"""Weight of the path length, :math:`\ln 2 / (r^2 (\ln r - \ln 2))` for r x r images.

    >>> round(published_weight(64 * 64), 7)
    4.88e-05
    """
    return math.log(2) / (voxels * (math.log(voxels) / 2 - math.log(2)))


def path_lengths(
    images_of: Callable[[Tensor], Tensor],
    style: Float[Tensor, "n d"],
    noise: Float[Tensor, "n voxels"],
) -> Float[Tensor, " n"]:
    """Lengths of the derivative of <image, noise> by the style; differentiable.

    Parameters
    ----------
    images_of
        Styles to images.
    style
        Where.
    noise
        Standard normal numbers, one a voxel.
    """
    style = style.detach().requires_grad_(True)
    told = (images_of(style).flatten(1) * noise).sum()
    (gradient,) = torch.autograd.grad(told, style, create_graph=True)
    return gradient.square().sum(1).sqrt()


class StyleGame(AdversarialStage):
    """What the game and the stage of sets have in common: path lengths and augmentation."""

    augmentation: CriticAugmentation | None
    path: PathLength
    unseen: Tensor | None = None

    def add(self, model: PlayedByStyle, augmentation: CriticAugmentation | None) -> None:
        """Take what the game is played with besides; called when the stage is made."""
        self.augmentation = augmentation
        self.path = PathLength(math.prod(self.image_shape), model.config.path_length_weight)

    @property
    def generator(self) -> StyleGenerator:
        """The generator among the parts."""
        generator = self.parts.generator
        assert isinstance(generator, StyleGenerator)
        return generator

    def findings(self) -> dict[str, object]:
        """How often images were augmented before the critic when the stage ended."""
        if self.augmentation is None:
            return super().findings()
        said = f"probability {float(self.augmentation.strength_):.2f} at the end"
        return super().findings() | {f"Augmentation before the critic, {self.name}": said}

    def probe(self, images: Float[Tensor, "v c *space"]) -> Float[Tensor, "p ..."]:
        """Images whose scores tell what the critic knows by heart; the error is measured on all."""
        self.unseen = images
        return super().probe(images)

    def players(self, config: TrainConfig) -> tuple[Player, ...]:
        """As in the game; path lengths move the generator by its optimizer at every eighth step."""
        sides = [replace(side, betas=BETAS) for side in super().players(config)]
        if self.path.weight:
            first = sides[0]
            sides.append(replace(first, name=PATH, optimizer=first.name, every=EVERY))
        return tuple(sides)

    def loss(self, batch: Batch, player: str) -> Loss:
        """The side's part of the game, or the penalty on path lengths."""
        return self.path_loss(batch) if player == PATH else super().loss(batch, player)

    def path_loss(self, batch: Batch) -> Loss:
        """The penalty on path lengths, of half as many images as in a step of the game."""
        n = -(-len(batch.rows) // 2)
        noise, voxels = batch.noise(self.latent_dim)[:n], math.prod(self.image_shape)
        inputs = batch.noise(self.generator.noise_size)[:n]

        def images_of(style: Tensor) -> Tensor:
            return centred(self.generator(style, inputs).sigmoid())

        with torch.autocast(noise.device.type, enabled=False):
            lengths = path_lengths(images_of, self.parts.style(noise), batch.noise(voxels)[:n])
            penalty = self.path(lengths, batch.step // EVERY)
        terms = {"path": float(self.path.mean_), "path penalty": penalty.item()}
        return Loss(EVERY * penalty, terms)

    def generator_loss(self, batch: Batch, made: Float[Tensor, "m c *space"]) -> Loss:
        """The generator's part of the game, of augmented images."""
        shown, made = self.shown(batch, made)
        return super().generator_loss(shown, made)

    def critic_loss(self, batch: Batch, made: Float[Tensor, "m c *space"]) -> Loss:
        """The critic's part of the game, of augmented images; it moves their strength, too."""
        shown, made = self.shown(batch, made)
        loss = super().critic_loss(shown, made)
        if self.augmentation is None:
            return loss
        with torch.no_grad():
            unseen = self._of_unseen(batch, -(-len(made) // 2))
        of_real, of_made = batch.shared["of_real"], batch.shared["of_made"]
        self.augmentation.measure(of_real, of_made, unseen, batch.step)
        return Loss(loss.total, loss.terms | {"augmented": float(self.augmentation.strength_)})

    def shown(self, batch: Batch, made: Tensor) -> tuple[Batch, Tensor]:
        """A batch of as many images, and made ones, as the critic is shown them."""
        if self.augmentation is None:
            return batch, made
        n, size = len(made), self.augmentation.noise_size
        real = self.augmentation(batch.rows[:n], batch.noise(size)[:n])
        return replace(batch, rows=real), self.augmentation(made, batch.noise(size)[:n])

    def _of_unseen(self, batch: Batch, n: int) -> Tensor | None:
        """Scores of some validation images, augmented as all are; None without any."""
        if self.unseen is None or self.augmentation is None:
            return None
        chance = uniform_of(batch.noise(1))[:n, 0].cpu()
        rows = (chance * len(self.unseen)).long().clamp(max=len(self.unseen) - 1)
        images = self.unseen[rows].to(batch.rows)
        noise = batch.noise(self.augmentation.noise_size)[:n]
        return self.scores(batch, self.augmentation(images, noise))


class StyleStage(StyleGame):
    """The game of a style-based generator.

    Each made image has noise of its own, and most of them a second style in the finer layers. The
    encoder is shown images without either, as the space decodes them.

    Parameters
    ----------
    model, critic
        Trained by the game.
    augmentation
        Of images before the critic; None applies none.

    References
    ----------
    .. [1] Karras et al. (2019), A style-based generator architecture for generative adversarial
       networks (noise, style mixing).
    .. [2] Karras et al. (2020), Analyzing and improving the image quality of StyleGAN (path
       lengths).
    .. [3] Karras et al. (2020), Training generative adversarial networks with limited data
       (adaptive augmentation).
    """

    optimizes = f"{AdversarialStage.optimizes}; of the generator path lengths, too"

    def __init__(
        self, model: PlayedByStyle, critic: nn.Module, augmentation: CriticAugmentation | None
    ) -> None:
        super().__init__(model, critic)
        self.add(model, augmentation)
        self.mixing = model.config.style_mixing

    def logits(self, batch: Batch, style: Float[Tensor, "m d"]) -> Float[Tensor, "m c *space"]:
        """Logits of structures with noise, and with a second style from a random layer on."""
        n, last = len(style), self.generator.layers - 1
        inputs = batch.noise(self.generator.noise_size)[:n]
        if not self.mixing:
            return self.generator(style, inputs)
        other = self.parts.style(batch.noise(self.latent_dim)[:n])
        mixed, layer = uniform_of(batch.noise(2))[:n].unbind(1)
        crossing = (1 + (layer * last).long()).clamp(max=last)
        crossing = torch.where(mixed < self.mixing, crossing, last + 1)
        return self.generator(style, inputs, other=other, crossing=crossing)

    def with_encoder(
        self,
        loss: Loss,
        batch: Batch,
        made: Float[Tensor, "m c *space"],
        style: Float[Tensor, "m d"],
    ) -> Loss:
        """A loss, and the encoder's beside it, of images as they are decoded from one style."""
        if self.encoder_settings.joint:
            with torch.no_grad():
                made = self.parts.logits(style).float().sigmoid()
        return super().with_encoder(loss, batch, made, style)


class StyleSetsStage(StyleGame, SetsStage):
    """The game with distances of sets, of structures as they are decoded: with the fixed noise.

    Parameters
    ----------
    model, critic, augmentation
        As in the game, whose strength of augmentation it goes on from.
    config
        What sets are asked for, and how much it counts.
    """

    irrelevant_options = ("style_mixing",)
    optimizes = f"{SetsStage.optimizes}; path lengths"

    def __init__(
        self,
        model: PlayedByStyle,
        critic: nn.Module,
        augmentation: CriticAugmentation | None,
        config: SetsConfig,
    ) -> None:
        SetsStage.__init__(self, model, critic, config)
        self.add(model, augmentation)

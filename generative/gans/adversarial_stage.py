"""The game of a generator and a critic, with an encoder beside the generator."""

import warnings
from functools import partial
from typing import Any, Protocol

import numpy as np
import torch
from jaxtyping import Float, Integer
from torch import Tensor, nn

from generative.batching import map_rows, to_tensor
from generative.conditions import Conditions
from generative.gans.asked import AskedConditions
from generative.gans.collapse import collapse_warning, variety
from generative.gans.parts import GeneratorAndEncoder, centred
from generative.gans.settings import AdversarialConfig
from generative.losses.games import GAMES, mean_squared_distance, squared_slope
from generative.losses.sharpened import cut
from generative.losses.structure_distances import (
    StructureDistances,
    StructureDistancesConfig,
    antithetic,
)
from generative.stages.config import TrainConfig
from generative.stages.loss import Loss
from generative.stages.players import Batch, Player
from generative.stages.stage import Described, Stage

# Of the optimizers: as in the papers of the two games.
BETAS = {"relativistic": (0.0, 0.99), "non_saturating": (0.5, 0.999)}
SMALLEST_SET = 4  # images by which a moment is chosen
MEASURED = 4096  # images, at most, of which the mean distance is taken
# Of the encoder's losses, beside the error of known codes. Reconstructions also move the generator,
# whose draws are further from the images with a larger weight.
RECONSTRUCTION, SPREAD = 1.0, 0.3


class Played(Described, Protocol):
    """What these stages ask of their model."""

    @property
    def latent_dim(self) -> int:
        """Numbers in a code."""
        ...

    @property
    def parts(self) -> GeneratorAndEncoder:
        """Generator and encoder."""
        ...

    @property
    def config(self) -> AdversarialConfig:
        """Its settings."""
        ...

    @property
    def conditions(self) -> Conditions:
        """What it can be asked for."""
        ...


class AdversarialStage(Stage):
    """Generator and encoder move first, then the critic judges what they have made.

    The result is the moment of the second half of the run whose draws are, as a set, most like
    images that the training has not seen: a game does not get better with every step. Earlier
    moments are not compared. An untrained generator makes Gaussian random fields, whose phase
    fractions can be nearer to those of the images than what a game has made of them since.

    Parameters
    ----------
    model
        What is trained.
    critic
        The other side: images, and what they are asked for if the model has conditions, to scores.

    References
    ----------
    .. [1] Goodfellow et al. (2014), Generative adversarial nets.
    .. [2] Mescheder et al. (2018), Which training methods for GANs do actually converge?
    .. [3] Huang et al. (2024), The GAN is dead; long live the GAN! (R3GAN: pairs, and both
       penalties).
    .. [4] Srivastava et al. (2017), VEEGAN (an encoder of all numbers, beside the game).
    """

    name, convolves = "adversarial", True
    optimizes = (
        "generator: adversarial loss, error of encoded codes and reconstructions; critic: "
        "adversarial loss and squared slope"
    )
    irrelevant_options: tuple[str, ...] = ("sets",)
    chosen_from = 0.5
    goes_on = False  # a new critic, which knows nothing, would spoil a trained generator
    scale_: Tensor

    def __init__(self, model: Played, critic: nn.Module) -> None:
        super().__init__(model)
        self.parts, self.critic, self.latent_dim = model.parts, critic, model.latent_dim
        self.game_name = model.config.game
        self.game = GAMES[self.game_name]
        self.penalty, self.options = model.config.penalty, model.config
        self.encoder_settings = model.config.encoder
        self.identity["encoder"] = self.encoder_settings.model_dump(exclude={"share"})
        self.asked = AskedConditions(model.conditions)
        self.register_buffer("scale_", torch.ones(()))
        # Sets soon mend fractions, which would else choose a moment at which draws vary less.
        judged = StructureDistancesConfig(fraction_weight=0)
        self.judge = StructureDistances(self.image_shape, judged)

    def defaults(self, config: TrainConfig) -> dict[str, Any]:
        """Smaller steps and batches: a game is played slowly."""
        return {
            "learning_rate": config.learning_rate / 3,
            "batch_size": max(2, config.batch_size // 2),
        }

    def prepare(
        self, images: Float[np.ndarray, "n c *space"], config: TrainConfig
    ) -> tuple[Float[np.ndarray, "m ..."], Integer[np.ndarray, " m"]]:
        """The images, whose mean squared distance is the unit of the penalty."""
        some = to_tensor(images[:: max(1, -(-len(images) // MEASURED))])
        self.scale_.fill_(max(mean_squared_distance(centred(some)), 1e-6))
        self.judge.fit(some, config.batch_size, told=self.asked.size)
        self.asked.fit(len(images))
        if self.game.pairs and not self.penalty.weight:
            warnings.warn(
                "a relativistic game without a penalty does not settle (Huang et al. 2024): set "
                "penalty.weight above 0, or game: non_saturating.",
                stacklevel=2,
            )
        return super().prepare(images, config)

    @property
    def result(self) -> nn.Module:
        """Generator and encoder: the critic has served when the training ends."""
        return self.parts

    def players(self, config: TrainConfig) -> tuple[Player, ...]:
        """Generator with encoder, and critic, each with an optimizer of its own."""
        betas = BETAS[self.game_name]
        sides = {"generator": self.parts, "critic": self.critic}
        return tuple(
            Player(name, tuple(side.parameters()), betas=betas, clip=None)
            for name, side in sides.items()
        )

    def loss(self, batch: Batch, player: str) -> Loss:
        """The side's part of the game; with it the encoder's losses, or the penalty."""
        if player == "critic":
            return self.critic_loss(batch, batch.shared["made"])
        style = self.style(batch, batch.noise(self.latent_dim))
        made = self.logits(batch, style).float().sigmoid()
        batch.shared["made"] = made.detach()
        loss = self.with_marginal(self.generator_loss(batch, made), style)
        return self.with_encoder(loss, batch, made.detach(), style.detach())

    def style(self, batch: Batch, noise: Float[Tensor, "n d"]) -> Float[Tensor, "n d"]:
        """Styles of the structures that are made at a step."""
        return self.parts.style(noise, self.asked.of(batch))

    def logits(self, batch: Batch, style: Float[Tensor, "m d"]) -> Float[Tensor, "m c *space"]:
        """Logits of the structures that are made at a step of the game."""
        return self.parts.logits(style)

    def noise(self, batch: Batch, style: Float[Tensor, "m d"]) -> Float[Tensor, "m d"]:
        """The way back, of styles of the first images of the batch."""
        asked = self.asked.of(batch)
        return self.parts.noise(style, None if asked is None else asked[: len(style)])

    def scores(self, batch: Batch, images: Float[Tensor, "m c *space"]) -> Float[Tensor, " m"]:
        """The critic's score of each image, asked for what the first images of the batch are."""
        return self.judgements(batch, centred(images)).float().squeeze(1)

    def judgements(self, batch: Batch, values: Float[Tensor, "m c *space"]) -> Float[Tensor, "m 1"]:
        """The same of values from -1 to 1, which the slope is of."""
        asked = self.asked.of(batch)
        return self.critic(values) if asked is None else self.critic(values, asked[: len(values)])

    def generator_loss(self, batch: Batch, made: Float[Tensor, "m c *space"]) -> Loss:
        """The generator's part of the game."""
        of_real = None
        if self.game.pairs:
            with torch.no_grad():
                of_real = self.scores(batch, batch.rows[: len(made)])
        total = self.game.generator(of_real, self.scores(batch, made))
        return Loss(total, {"generator": total.item()})

    def critic_loss(self, batch: Batch, made: Float[Tensor, "m c *space"]) -> Loss:
        """The critic's part of the game, with the penalty at every so many steps."""
        real = batch.rows[: len(made)]
        # Batch norms must not see both in one pass: a critic would tell them by that alone.
        of_real, of_made = self.scores(batch, real), self.scores(batch, made)
        batch.shared.update(of_real=of_real.detach(), of_made=of_made.detach())
        total = self.game.critic(of_real, of_made)
        terms = {"critic": total.item(), "margin": (of_real - of_made).mean().item()}
        weight = self.penalty_weight(batch.progress)
        if weight and batch.step % self.penalty.every == 0:
            for x in (real, made):
                noise = None if self.penalty.exact else batch.noise(x[0].numel())[: len(x)]
                slope = squared_slope(partial(self.judgements, batch), centred(x), noise)
                total = total + self.penalty.every * weight / 2 * slope
            terms["slope"] = slope.item()
        return Loss(total, terms)

    def penalty_weight(self, progress: float) -> float:
        """Weight of the squared slope, in units of the critic's own."""
        return self.penalty.at(progress) * float(self.scale_)

    def with_marginal(self, loss: Loss, style: Float[Tensor, "m d"]) -> Loss:
        """A loss, and how far styles of all wishes together are from those of nothing asked for.

        Both are distributions of the same images. Nothing else in the game says so, and the space
        is whitened, and has its radius, over styles of nothing asked for.
        """
        if not self.asked.size:
            return loss
        far = from_normal(self.parts.noise(style.float()))
        return Loss(loss.total + far, loss.terms | {"marginal": far.item()})

    def with_encoder(
        self,
        loss: Loss,
        batch: Batch,
        made: Float[Tensor, "m c *space"],
        style: Float[Tensor, "m d"],
    ) -> Loss:
        """A loss, and the encoder's beside it if it is trained with the generator.

        Error of the styles of made images, of reconstructions, and of the spread of codes. The
        first does not move the generator, whose draws were a sixth further away with it.
        """
        if not self.encoder_settings.joint:
            return loss
        real = batch.rows[: len(made)]
        known, code = self.parts.encode(made).float(), self.parts.encode(real).float()
        regression = self.parts.code_error(known, style)
        again = self.parts.logits(code).float().sigmoid()
        wrong = (centred(again) - centred(real)).square().mean()
        spread = from_normal(self.noise(batch, code))
        total = regression + RECONSTRUCTION * wrong + SPREAD * spread
        terms = {"code": regression.item(), "reconstruction": wrong.item() / 4}
        return Loss(loss.total + self.encoder_settings.joint * total, loss.terms | terms)

    @torch.no_grad()
    def error(self, probe: Float[Tensor, "v c *space"]) -> float | None:
        """Distances of as many draws from images that the training has not seen, if there are.

        Two images make no set: with so few the last moment is the result.
        """
        if len(probe) < SMALLEST_SET:
            return None
        return float(self.judge(self.draws(probe), probe))

    @torch.no_grad()
    def figures(self, probe: Float[Tensor, "v c *space"]) -> dict[str, float]:
        """Recall and spread of draws, by which a collapse is noticed."""
        found = variety(self.draws(probe), probe)
        return {} if found is None else found._asdict()

    @torch.no_grad()
    def warnings(self, probe: Float[Tensor, "v c *space"]) -> tuple[str, ...]:
        """A line on draws that are nearly all alike."""
        made = self.draws(probe)
        found = variety(made, probe)
        if found is None or not found.collapsed:
            return ()
        of_real, of_made = (
            map_rows(lambda rows: self.critic(centred(rows)).float(), images, probe[0].numel())
            for images in (probe, made)
        )
        margin = float(of_real.mean() - of_made.mean())
        return (collapse_warning(self.name, found, margin, self.options),)

    @torch.no_grad()
    def draws(self, images: Float[Tensor, "v c *space"]) -> Float[Tensor, "v c *space"]:
        """As many draws as there are images, always the same ones, cut if the images are."""
        generator = torch.Generator().manual_seed(0)
        noise = antithetic(torch.randn(len(images), self.latent_dim, generator=generator))
        style = self.parts.style(noise.to(images))  # asked for nothing, as the images are
        logits = map_rows(self.parts.logits, style, images[0].numel()).float()
        return cut(logits, images, sharpness=1.0)


def from_normal(noise: Float[Tensor, "n d"]) -> Float[Tensor, ""]:
    """How far mean and variance of each number are from 0 and 1: mean of the squares."""
    return (noise.mean(0).square() + (noise.var(0, correction=0) - 1).square()).mean()

"""The game once more, with sets of made structures compared with sets of images."""

from typing import Any

from torch import nn

from generative.gans.adversarial_stage import AdversarialStage, Played
from generative.gans.settings import SetsConfig
from generative.losses.sharpened import cut
from generative.losses.structure_distances import StructureDistances, antithetic
from generative.stages.config import TrainConfig
from generative.stages.loss import Loss
from generative.stages.players import Batch, Player
from generative.stages.stage import defaults_after_another


class SetsStage(AdversarialStage):
    """Training of the generator on what only a set of structures shows: how they vary.

    A game rewards single structures that look real, and hardly notices that all have the same
    phase fraction. Energy distances and moments of statistics see it at once. The game goes on
    beside them: alone they are met by structures that no eye would take for real.

    Parameters
    ----------
    model, critic
        Trained by the game.
    config
        What sets are asked for, and how much it counts.

    References
    ----------
    .. [1] Székely and Rizzo (2013), Energy statistics: A class of statistics based on distances.
    .. [2] Li et al. (2015), Generative moment matching networks.
    """

    name, refines = "sets", True
    covers = ("adversarial",)
    optimizes = f"{AdversarialStage.optimizes}; of the generator distances of sets, too"
    irrelevant_options = ()
    chosen_from = 0.0  # it begins with trained weights
    goes_on = True  # by the distances, while the new critic learns

    def __init__(self, model: Played, critic: nn.Module, config: SetsConfig) -> None:
        super().__init__(model, critic)
        self.config = config
        self.identity["sets"] = config.model_dump(exclude={"share"})
        self.judge = StructureDistances(self.image_shape, config)

    def defaults(self, config: TrainConfig) -> dict[str, Any]:
        """Fewer steps, smaller ones, and the larger sets that distances between them take."""
        after = defaults_after_another(config, self.config.share)
        small = config.learning_rate / 10
        return after | {"batch_size": config.batch_size, "learning_rate": small}

    def players(self, config: TrainConfig) -> tuple[Player, ...]:
        """As in the game, without a critic if the game has no weight."""
        generator, critic = super().players(config)
        return (generator, critic) if self.config.game_weight else (generator,)

    def loss(self, batch: Batch, player: str) -> Loss:
        """As in the game, half of the structures before the critic; the generator's sets, too."""
        if player == "critic":
            return self.critic_loss(batch, batch.shared["made"])
        noise = antithetic(batch.noise(self.latent_dim))
        style = self.style(batch, noise)
        logits = self.parts.logits(style).float()
        half = logits[: -(-len(logits) // 2)].sigmoid()  # the critic costs most
        batch.shared["made"] = half.detach()
        made, asked = cut(logits, batch.rows, self.config.sharpness), self.asked.of(batch)
        far = self.judge(made, batch.rows, recent=True, asked=asked)
        loss = Loss(far, {"set distances": far.item()})
        if self.config.game_weight:
            played = self.generator_loss(batch, half)
            total = loss.total + self.config.game_weight * played.total
            loss = Loss(total, loss.terms | played.terms)
        loss = self.with_marginal(loss, style)
        loss = self.with_encoder(loss, batch, half.detach(), style[: len(half)].detach())
        return Loss(loss.total.float(), loss.terms)

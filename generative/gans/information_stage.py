"""The game with a third part: structures should tell the control variables they are made of."""

from jaxtyping import Float
from torch import Tensor, nn

from generative.gans.adversarial_stage import AdversarialStage, Played
from generative.gans.controls import Controls
from generative.gans.parts import centred
from generative.gans.sets_stage import SetsStage
from generative.gans.settings import SetsConfig
from generative.networks.residual import SLOPE, ResidualReader
from generative.stages.loss import Loss
from generative.stages.players import Batch

HIDDEN = 128  # numbers between the critic's features and a guess
NATS = ("nats of categories", "nats of continuous")  # bounds, in the lines of a training
TOLD = "controls"  # what the players of a step are left by this name


class GuessingCritic(nn.Module):
    """A critic that also guesses the controls: Q of Chen et al. 2016, a head on its features.

    Parameters
    ----------
    reader
        Images to one score.
    guessed
        Numbers in a guess.
    """

    def __init__(self, reader: ResidualReader, guessed: int) -> None:
        super().__init__()
        self.reader = reader
        self.head = nn.Sequential(
            nn.Linear(reader.head.in_features, HIDDEN),
            nn.LeakyReLU(SLOPE),
            nn.Linear(HIDDEN, guessed),
        )

    def forward(self, images: Float[Tensor, "n c *space"]) -> Float[Tensor, "n 1"]:
        """Scores."""
        return self.reader(images)

    def guess(self, images: Float[Tensor, "n c *space"]) -> Float[Tensor, "n g"]:
        """Guesses, as `Controls.information` takes them."""
        return self.head(self.reader.features(images))


class InformedGame(AdversarialStage):
    """Both sides raise the mutual information of controls and structures, beside the game.

    The critic's side learns to guess the controls of made structures, the generator's to make
    structures that tell them. Without this a generator is free to ignore them.

    References
    ----------
    .. [1] Chen et al. (2016), InfoGAN: Interpretable representation learning by information
       maximizing generative adversarial nets.
    """

    controls: Controls
    critic: GuessingCritic

    def style(self, batch: Batch, noise: Float[Tensor, "m d"]) -> Float[Tensor, "m d"]:
        """As in the game; the controls are left to both players."""
        batch.shared[TOLD] = self.controls.values(noise).detach()
        return super().style(batch, noise)

    def generator_loss(self, batch: Batch, made: Float[Tensor, "n c *space"]) -> Loss:
        """The generator's part of the game, and the information."""
        return self.with_information(super().generator_loss(batch, made), batch, made)

    def critic_loss(self, batch: Batch, made: Float[Tensor, "n c *space"]) -> Loss:
        """The critic's part of the game, and the information."""
        return self.with_information(super().critic_loss(batch, made), batch, made)

    def with_information(self, loss: Loss, batch: Batch, made: Float[Tensor, "n c *space"]) -> Loss:
        """A loss less the information, as far as it counts; critic and generator share it."""
        config, total = self.controls.config, loss.total
        weights = (config.weight, config.continuous_weight)
        if not any(weights):
            return loss
        guess = self.critic.guess(centred(made)).float()
        bounds = self.controls.information(batch.shared[TOLD][: len(made)], guess)
        for weight, bound in zip(weights, bounds, strict=True):
            total = total - weight * bound
        told = {name: bound.item() for name, bound in zip(NATS, bounds, strict=True)}
        return Loss(total, loss.terms | told)


class InformationStage(InformedGame):
    """The game of an `InfoGAN`.

    Parameters
    ----------
    model
        What is trained.
    critic
        The other side, which also guesses.
    controls
        What it guesses.
    """

    optimizes = f"{AdversarialStage.optimizes}; of both the information on controls, maximized"

    def __init__(self, model: Played, critic: GuessingCritic, controls: Controls) -> None:
        super().__init__(model, critic)
        self.controls = controls


class InformationSetsStage(InformedGame, SetsStage):
    """The stage of sets of an `InfoGAN`, in which structures go on to tell their controls.

    Parameters
    ----------
    model, critic, controls
        As of `InformationStage`.
    config
        What sets are asked for, and how much it counts.
    """

    optimizes = f"{SetsStage.optimizes}; of both the information on controls, maximized"

    def __init__(
        self, model: Played, critic: GuessingCritic, controls: Controls, config: SetsConfig
    ) -> None:
        super().__init__(model, critic, config)
        self.controls = controls

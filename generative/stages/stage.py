"""One part of a training: what it changes, what it draws from, its loss, how good it is so far."""

from abc import ABC, abstractmethod
from typing import Any, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float, Integer
from torch import Tensor, nn

from generative.stages.config import TrainConfig
from generative.stages.loss import Loss
from generative.stages.players import Batch, Player


@runtime_checkable
class Described(Protocol):
    """What a stage asks of the model that it is a stage of."""

    @property
    def kind(self) -> str:
        """Its name in the table of models."""
        ...

    @property
    def image_shape(self) -> tuple[int, ...]:
        """``(c, *space)``."""
        ...

    def options(self) -> dict[str, Any]:
        """What builds it again."""
        ...


class Stage(nn.Module, ABC):
    """A part of the training of a model, which a subclass says.

    A subclass keeps as its own attributes the parts of the model that it trains. What it reads and
    leaves alone it keeps out of its modules, or its loss gives it no gradient. Buffers that change
    on the way, such as the strength of an augmentation, are kept with the state of a run.

    Parameters
    ----------
    model
        What it is a stage of.
    """

    name = "training"
    optimizes: str  # the quantity whose optimum is sought, in a line
    augments = True  # whether rows are images that may be turned and mirrored
    convolves = True  # whether half precision is worth it
    warms_up = False  # whether its loss has a Kullback-Leibler weight, which rises
    irrelevant_options: tuple[str, ...] = ()  # of the model, that the stage's result ignores
    covers: tuple[str, ...] = ()  # earlier stages whose whole loss is in this one's
    goes_on = True  # whether a trained model can be trained on by it
    refines = False  # whether it ends a training by a share of the steps, smaller ones
    judged_on = "{n} validation images"  # by which the best moment is chosen
    chosen_from = 0.0  # part of the run, from 0 to 1, before which no moment is chosen
    weighs = True  # whether a row is drawn as often as the weight of its image says

    def __init__(self, model: Described) -> None:
        super().__init__()
        self.image_shape = model.image_shape
        options = {k: v for k, v in model.options().items() if k not in self.irrelevant_options}
        self.identity = {"kind": model.kind, "stage": self.name, **options}

    def settings(self, config: TrainConfig) -> TrainConfig:
        """How this stage is trained: the configuration, with what is its own."""
        own = self.defaults(config) | config.own_of(self.name)
        return config.model_copy(update=own)

    def defaults(self, config: TrainConfig) -> dict[str, Any]:
        """Settings of this stage that differ from those of the whole."""
        return {}

    def tell(self, conditions: Float[np.ndarray, "n f"]) -> None:
        """What is known of each image, before `prepare` is called; not called if nothing is.

        For a stage whose rows depend on it. Nothing is done with it unless overridden: a batch has
        the conditions of its rows anyhow.
        """

    def prepare(
        self, images: Float[np.ndarray, "n c *space"], config: TrainConfig
    ) -> tuple[Float[np.ndarray, "m ..."], Integer[np.ndarray, " m"]]:
        """What batches are drawn from, and the image each row of it was made of.

        Called before the first step with the settings of this stage.
        """
        return images, np.arange(len(images))

    def players(self, config: TrainConfig) -> tuple[Player, ...]:
        """The sides of this training in the order in which they move at a step.

        One of all parameters, unless overridden.
        """
        return (Player("model", tuple(self.parameters())),)

    @property
    def result(self) -> nn.Module:
        """What is averaged and kept: the stage itself, unless parts of it serve the training alone.

        Parameters, and the statistics of batch norms that belong to them, are averaged over the
        last steps by an exponential moving average; other buffers are copied.
        """
        return self

    def probe(self, images: Float[Tensor, "v c *space"]) -> Float[Tensor, "p ..."]:
        """What `error` is measured on."""
        return images

    def findings(self) -> dict[str, object]:
        """What the model card should say of the result, by title; asked once the stage is over."""
        return {}

    @abstractmethod
    def loss(self, batch: Batch, player: str) -> Loss:
        """What a player minimizes at a step."""

    def error(self, probe: Float[Tensor, "v ..."]) -> float | None:
        """How far it is from what it should be on images that the training has not seen.

        The moment of the run where this is least is its result. None if there is nothing to choose
        by: the result is then the last moment.
        """
        return None

    def figures(self, probe: Float[Tensor, "v ..."]) -> dict[str, float]:
        """What people see beside `error`, by name; nothing is chosen by it."""
        return {}

    def warnings(self, probe: Float[Tensor, "v ..."]) -> tuple[str, ...]:
        """What must not be passed over in silence, when the training ends with its result.

        Each line says what is wrong, how it shows, and which settings mend it. They are printed,
        and stand on the model card.
        """
        return ()


class SolvingStage(ABC):
    """A part of a training that is solved at once, without steps: principal components, say."""

    name = "solution"
    optimizes: str  # the quantity whose optimum is found, in a line
    covers: tuple[str, ...] = ()
    goes_on = True

    @abstractmethod
    def solve(
        self,
        images: Float[np.ndarray, "n c *space"],
        *,
        seed: int,
        weights: Float[np.ndarray, " n"] | None = None,
    ) -> None:
        """Train the part of the model.

        Parameters
        ----------
        images
            Training images in [0, 1].
        seed
            Fixes every random choice.
        weights
            How often each image counts, with sum 1; equally often without them.

        Raises
        ------
        ValueError
            If it cannot be solved for these images.
        """


Stages = tuple[Stage | SolvingStage, ...]  # of one training, in their order
# What has no effect where there are no steps. (Precision is of the machine, as the device is.)
OF_STEPS = (
    *("steps", "batch_size", "learning_rate", "weight_decay", "kl_warmup", "ema_decay"),
    "augmentation",
)


def defaults_after_another(config: TrainConfig, share: float) -> dict[str, Any]:
    """Of a stage that goes on from trained weights: a share of the steps, and smaller ones."""
    steps = max(1, round(share * config.steps))
    return {"steps": steps, "learning_rate": config.learning_rate / 3, "kl_warmup": 0.0}


def settings_without_effect(stages: Stages) -> set[str]:
    """Fields of `TrainConfig` that none of these stages heeds."""
    return set.intersection(*map(_not_heeded, stages))


def _not_heeded(stage: Stage | SolvingStage) -> set[str]:
    if isinstance(stage, SolvingStage):
        return set(OF_STEPS)
    heeded = {"kl_warmup": stage.warms_up, "augmentation": stage.augments}
    return {name for name, is_heeded in heeded.items() if not is_heeded}


def check_goes_on(kind: str, stages: Stages) -> None:
    """Refuse by a `ValueError` to train a model on by stages that would spoil it."""
    for stage in not_covered(stages):
        if not stage.goes_on:
            raise ValueError(
                f"a {kind} trained by stage {stage.name} alone cannot be trained on: its critic is "
                "gone, and a new one would spoil it. Train it with the option sets."
            )


def not_covered(stages: Stages) -> Stages:
    """The stages that a trained model is trained on by: those that no later one covers.

    An autoencoder by itself, once more, would forget the detail or the prior it has learned since.
    """
    covered = {name for stage in stages for name in stage.covers}
    return tuple(stage for stage in stages if stage.name not in covered)

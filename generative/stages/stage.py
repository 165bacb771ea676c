"""One part of a training: what it changes, what it draws from, its loss, how good it is so far."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from jaxtyping import Float, Integer
from torch import Tensor, nn

from generative.stages.config import TrainConfig
from generative.stages.loss import Loss
from generative.stages.reconstruction import reconstruct


class Stage(nn.Module):
    """The whole training of a model; a model of several stages has subclasses of this.

    Its parameters are what is trained. What it reads and leaves alone it keeps out of them, or
    its loss gives it no gradient.

    Parameters
    ----------
    model
        What it is a stage of.
    part
        The part of the model that it trains; all of it, which then has ``loss(images, noise=,
        kl_weight=)``, without one.
    """

    name = "training"
    augments = True  # whether rows are images that may be turned and mirrored
    convolves = True  # whether half precision is worth it
    no_concern: tuple[str, ...] = ()  # options of the model that its result does not depend on
    covers: tuple[str, ...] = ()  # earlier stages whose whole loss is in this one's
    refines = False  # whether it ends a training by a share of the steps, smaller ones

    def __init__(self, model: nn.Module, part: nn.Module | None = None) -> None:
        super().__init__()
        self.module = model if part is None else part
        self.image_shape, self.latent_dim = model.image_shape, model.latent_dim
        self.noise_size = getattr(model, "noise_size", model.latent_dim)  # random numbers a row
        options = {k: v for k, v in model.options().items() if k not in self.no_concern}
        self.identity = {"kind": model.kind, "stage": self.name, **options}

    def settings(self, config: TrainConfig) -> TrainConfig:
        """How this stage is trained: the configuration, with what is its own."""
        own = self.defaults(config) | config.own_of(self.name)
        return config.model_copy(update=own)

    def defaults(self, config: TrainConfig) -> Mapping[str, Any]:
        """Settings of this stage that differ from those of the whole."""
        return {}

    def prepare(
        self, images: Float[np.ndarray, "n c *space"], config: TrainConfig
    ) -> tuple[Float[np.ndarray, "m ..."], Integer[np.ndarray, " m"]]:
        """What batches are drawn from, and the image each row of it was made of."""
        return images, np.arange(len(images))

    def probe(self, images: Float[Tensor, "v c *space"]) -> Float[Tensor, "v ..."]:
        """What `error` is measured on."""
        return images

    def loss(
        self,
        rows: Float[Tensor, "n ..."],
        *,
        noise: Float[Tensor, "n r"],
        kl_weight: float,
        **given: Float[Tensor, "n f"],
    ) -> Loss:
        """What to minimize; ``given`` holds the ``condition`` of each row where there is one."""
        return self.module.loss(rows, noise=noise, kl_weight=kl_weight, **given)

    def error(self, probe: Float[Tensor, "v ..."]) -> float:
        """Mean squared error of a voxel, of images the training has not seen."""
        return reconstruction_mse(self.module, probe)


def defaults_after_another(config: TrainConfig, share: float) -> dict[str, Any]:
    """Of a stage that goes on from trained weights: a share of the steps, and smaller ones."""
    steps = max(1, round(share * config.steps))
    return {"steps": steps, "learning_rate": config.learning_rate / 3, "kl_warmup": 0.0}


def reconstruction_mse(model: nn.Module, images: Float[Tensor, "v c *space"]) -> float:
    """Mean squared error of a voxel."""
    return float(((reconstruct(model, images) - images) ** 2).mean())


def is_fitted(model: object) -> bool:
    """Whether a model learns by its ``fit``, at once and anew each time, and not in stages."""
    return hasattr(model, "fit")


def stages_of(model: nn.Module) -> tuple[Stage, ...]:
    """The stages of a model in their order: its own, or one for the whole."""
    stages = getattr(model, "stages", None)
    return (Stage(model),) if stages is None else stages()


def stages_again(model: nn.Module) -> tuple[Stage, ...]:
    """The stages that a trained model is trained on by: those that no later one covers.

    An autoencoder by itself, once more, would forget the detail or the prior it has learned since.
    """
    stages = stages_of(model)
    covered = {name for stage in stages for name in stage.covers}
    return tuple(stage for stage in stages if stage.name not in covered)

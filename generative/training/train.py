"""Train a network: progress, exponential moving average, resume after a kill, one seed."""

import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float

from generative.batching import to_tensor
from generative.data.check import check_images
from generative.data.duplicates import digest, is_constant
from generative.errors import DataError, ModelFileError
from generative.files.folder import CONFIG, WEIGHTS, check_folder
from generative.model import AModel, Conditional, Model, copy_of
from generative.model_files import check_is_row, save_model
from generative.stages.config import StageConfig, TrainConfig
from generative.stages.stage import (
    SolvingStage,
    Stages,
    check_goes_on,
    not_covered,
    settings_without_effect,
)
from generative.training.descent import descend
from generative.training.lock import only_training
from generative.training.model_card import CARD, PICTURE, CardContent, write_model_card

__all__ = ["TrainConfig", "finetune", "train"]

VALIDATION_IMAGES = 512  # enough to compare moments of a run


def train(
    model: AModel,
    images: Float[np.ndarray, "n c *space"],
    *,
    validation: Float[np.ndarray, "v c *space"] | None = None,
    conditions: Float[np.ndarray, "n f"] | None = None,
    begin: Model | Path | str | None = None,
    config: TrainConfig | None = None,
    folder: Path | str | None = None,
    card: CardContent | None = None,
    overwrite: bool = False,
) -> AModel:
    """Train a model in place by its stages, one after the other.

    Its initial weights are drawn anew from the seed. With a folder, the state of each stage is kept
    there every few seconds: the same call after a kill goes on from it and arrives at the same
    weights. At the end the folder is a model folder that `load_model` reads.

    Parameters
    ----------
    model
        A row of `generative.MODELS`, or another `Model`.
    images
        Training images in [0, 1].
    validation
        Images of other parents. The averaged weights that reconstruct them best, of twenty moments
        of the run, are the result: with few images the last ones may know them by heart.
    conditions
        Condition of each image, ``model.conditions.rows(...)``, for a model that is told any.
    begin
        Model, or file, that it takes its first weights from, by `Model.begin`.
    config
        How to train.
    folder
        Where the state of the run is kept and the model is saved.
    card
        What the model card of the folder reports; without it the folder has no card.
    overwrite
        Replace files of the folder that are not ours, and a space that is there.

    Returns
    -------
    The model, holding a moving average of its weights, on the CPU and in evaluation mode.

    Raises
    ------
    DataError
        For fewer images than the model learns from, training or validation images of the wrong
        shape or not in [0, 1], or conditions of another shape than the model's.
    FloatingPointError
        If the loss stops being finite.
    ValueError
        If the model does not take its first weights from what it was given.
    ModelFileError
        If a folder is given for a model that is not one of `generative.MODELS`, if another training
        is running in the folder, or it holds the state of another run or a damaged one.
    OutputError
        If the folder holds something else under the names of a model's files.
    OSError
        If the folder cannot be written: before the first step, or when the disk is full.
    """
    config = config or TrainConfig()
    if folder is not None:
        check_is_row(model)
        check_folder(Path(folder), (WEIGHTS, CONFIG, CARD, PICTURE), overwrite=overwrite)
    if len(images) < model.least_images or tuple(images.shape[1:]) != model.image_shape:
        raise DataError(
            f"training a {model.kind} of {model.latent_dim} numbers needs at least "
            f"{model.least_images} images of shape {model.image_shape}, got an array of shape "
            f"{images.shape}. Give more images of that shape, or make another model for these."
        )
    images = check_images(images)
    _check_conditions(model, conditions, len(images))
    probe = None
    if validation is not None:
        if tuple(validation.shape[1:]) != model.image_shape:
            raise DataError(
                f"validation images should have shape {model.image_shape} as the training images, "
                f"got an array of shape {validation.shape}."
            )
        probe = to_tensor(check_images(validation[:VALIDATION_IMAGES]))
        _warn_of_known(images, validation[:VALIDATION_IMAGES])
    _begin(model, begin)
    _draw_weights(model, config.seed)
    _begin(model, begin)
    facts: dict[str, object] = {"Training images": len(images)}
    if probe is not None:
        facts["Validation images"] = (
            f"{len(probe)}, on which the error is measured during training; weights that were "
            "chosen by it are named below"
        )
    warned: dict[str, tuple[str, ...]] = {}
    with only_training(folder):
        stages = _stages(model, config.seed)
        for stage in stages:
            if isinstance(stage, SolvingStage):
                stage.solve(images, seed=config.seed)
                continue
            facts["Training"] = _settings(config, stages)
            if len(stages) > 1:
                facts[f"Stage {stage.name}"] = _settings_of_stage(stage.settings(config))
            state = descend(stage, images, config, folder, validation=probe, conditions=conditions)
            if state.best_step:
                title = "Weights" if stage.name == "training" else f"Weights of {stage.name}"
                judged = stage.judged_on.format(n=0 if probe is None else len(probe))
                facts[title] = f"of step {state.best_step}, the best on {judged}"
            if card is not None:
                facts |= stage.findings()
            # What a later stage has trained on is the later one's to judge.
            warned = {k: v for k, v in warned.items() if k not in stage.covers}
            warned[stage.name] = state.warnings
        if lines := [line for told in warned.values() for line in told]:
            facts["Warning"] = " ".join(f"{line[0].upper()}{line[1:]}" for line in lines)
        if folder is not None:
            files = {} if card is None else _write_card(model, images, card, facts)
            save_model(model, folder, files=files, overwrite=overwrite)
    return model


def finetune(
    model: AModel,
    images: Float[np.ndarray, "n c *space"],
    weights: Float[np.ndarray, " n"],
    *,
    config: TrainConfig,
    folder: Path | str | None = None,
) -> AModel:
    """A copy of a trained model, trained on from where it is, on images drawn by their weights.

    Stages that no later one covers are gone through again, in their order: of a latent diffusion
    the autoencoder with its detail, then the prior on the new codes. What is solved is solved anew.

    Parameters
    ----------
    model
        Is left as it is. The copy is told no conditions: it is the model of all images.
    images
        Of the shape of the model, in [0, 1].
    weights
        How often each image is drawn; they sum to 1.
    config
        How to train: steps and learning rate of each stage, where one that refines takes its share
        of them. A small learning rate keeps what the network knows.
    folder
        Where the state of the run is kept: the same call after a kill goes on from it.

    Raises
    ------
    DataError
        For images of the wrong shape or not in [0, 1], or weights that are none.
    ValueError
        For a model that its stages would spoil: an adversarial one whose critic is gone.
    FloatingPointError, ModelFileError, OSError
        As `train`.
    """
    if tuple(images.shape[1:]) != model.image_shape:
        raise DataError(
            f"training needs images of shape {model.image_shape}, got an array of shape "
            f"{images.shape}."
        )
    if weights.shape != (len(images),) or not (weights >= 0).all() or abs(weights.sum() - 1) > 1e-6:
        raise DataError(
            f"weights should be {len(images)} numbers of sum 1, one for each image, none below 0."
        )
    tuned = model.unconditional() if isinstance(model, Conditional) else copy_of(model)
    stages = _stages(tuned, config.seed)
    check_goes_on(tuned.kind, stages)
    stages = not_covered(stages)
    whole = StageConfig(steps=config.steps, learning_rate=config.learning_rate)
    own = {
        stage.name: whole
        for stage in stages
        if not isinstance(stage, SolvingStage) and not stage.refines
    }
    config = config.model_copy(update={"stages": own | config.stages})
    with only_training(folder):
        for stage in stages:
            if isinstance(stage, SolvingStage):
                stage.solve(check_images(images), seed=config.seed, weights=weights)
            else:
                descend(stage, check_images(images), config, folder, weights=weights)
    return tuned


def _warn_of_known(images: np.ndarray, validation: np.ndarray) -> None:
    """Say how many validation images the training has: the result would be chosen by those.

    An image of one value is not counted: nobody can know it by heart.
    """
    known = set(map(digest, images))
    n = sum(digest(image) in known for image in validation if not is_constant(image))
    if n:
        warnings.warn(
            f"{n} of the {len(validation)} validation images also occur among the training "
            "images: the moment at which the model knows those by heart would be taken for the "
            "best. Leave them out.",
            stacklevel=3,
        )


def _check_conditions(model: Model, conditions: np.ndarray | None, n: int) -> None:
    """Refuse conditions that would have no effect, and images without those they should have."""
    size = model.conditions.size if isinstance(model, Conditional) else 0
    shape = None if conditions is None else conditions.shape
    if shape != ((n, size) if size else None):
        wanted = f"an array of shape ({n}, {size}), one row an image" if size else "None"
        raise DataError(
            f"conditions of this {model.kind} should be {wanted}, got "
            f"{'None' if shape is None else f'shape {shape}'}. A model is told what its option "
            "conditions names; Conditions.rows makes the array."
        )


def _begin(model: Model, source: Model | Path | str | None) -> None:
    if source is None:
        return
    try:
        model.begin(Path(source) if isinstance(source, str) else source)
    except ModelFileError:
        raise
    except ValueError as error:
        raise ValueError(f"begin: {error}") from error


def _stages(model: Model, seed: int) -> Stages:
    """The stages of a model; networks of their own are drawn from the seed alone."""
    with _drawn_from(seed):
        return model.stages()


def _write_card(
    model: Model, images: np.ndarray, card: CardContent, facts: Mapping[str, object]
) -> dict[str, bytes]:
    held_out = to_tensor(card.held_out)
    return write_model_card(
        model, to_tensor(images), held_out, facts={**card.facts, **facts}, parents=card.parents
    )


def _draw_weights(model: Model, seed: int) -> None:
    """Initial weights from the seed alone, whatever has been drawn before."""
    with _drawn_from(seed):
        fresh = type(model)(**model.options())
    model.load_state_dict(fresh.state_dict())


@contextmanager
def _drawn_from(seed: int) -> Iterator[None]:
    """Random numbers inside follow from the seed; those outside are as if nothing was drawn."""
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)  # torch.manual_seed would seed GPUs as well
        yield


def _settings_of_stage(config: TrainConfig) -> str:
    """What a stage does by itself, where its defaults differ from the whole training's."""
    names = ("steps", "batch_size", "learning_rate")
    return ", ".join(f"{name} {getattr(config, name):g}" for name in names)


def _settings(config: TrainConfig, stages: Stages) -> str:
    """All that some stage heeds."""
    unheeded = settings_without_effect(stages)
    hidden = {"checkpoint_seconds", "progress", "augmentation", "stages"}
    chosen = config.model_dump(exclude=hidden | unheeded)
    if "augmentation" not in unheeded:
        chosen |= config.augmentation.model_dump()
    for stage, own in config.stages.items():
        changes = own.model_dump(exclude_none=True).items()
        chosen |= {f"{stage} {name}": value for name, value in changes}
    return ", ".join(f"{name} {value}" for name, value in chosen.items())

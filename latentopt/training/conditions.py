"""What a conditional model is told of each training image: its class, and computed properties."""

import hashlib
import json
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from pydantic import Field

from generative.batching import to_tensor
from generative.conditions import Conditions
from generative.data.dataset import Dataset
from generative.files.folder import write_durably, writing
from generative.files.tensors import bytes_to_tensors, tensors_to_bytes
from generative.stages.config import TrainConfig
from generative.training.progress import TrainingProgress
from generative.training.state import MADE_OF, digest, note_of_file
from latentopt.errors import ConfigError, DataError, OutputError
from latentopt.evaluation.objectives import fit_objectives, properties_of, resolve_objectives
from latentopt.settings.kinds import Spec
from objectives.settings import Settings

KEPT = "training-conditions.safetensors"  # removed with the states of the training
CHUNK = 64
PROBED = 32  # images that are turned and mirrored to see whether a property changes
TOLERANCE = 1e-3  # of a property's spread
NAMED = 5  # classes in a message


class ConditionSettings(Settings):
    """What the model can be asked for afterwards."""

    classes: bool = Field(
        True,
        description="Whether samples can be asked for a class of the images, where there are "
        "several.",
    )
    properties: tuple[Spec, ...] = Field(
        (),
        description="Objectives whose values become properties that samples can be asked for, "
        "each by its kind and options.",
    )


def compute_conditions(
    settings: ConditionSettings, training: Dataset, config: TrainConfig, folder: Path
) -> tuple[Conditions, Float[np.ndarray, "n f"]]:
    """Conditions that the training images can teach, and the condition of each image.

    Properties that were computed before a kill are not computed again.

    Raises
    ------
    ConfigError
        For an objective that cannot be built, or a property that augmentation changes.
    DataError
        For a property that is not finite, or the same for all images, or a class without images.
    """
    if settings.classes:
        _check_classes(training)
    properties = {}
    if settings.properties:
        properties = _properties(settings, training.images, config, folder)
    classes = training.class_names if settings.classes else ()
    try:
        conditions = Conditions.of_data(classes, properties)
    except ValueError as error:
        raise DataError(f"train.conditions.{error}") from None
    if conditions.size == 0:
        raise ConfigError(
            "the images have one class and no properties are named, so there is "
            "nothing to ask for. Name properties, or leave conditions out.",
            at="train.conditions",
        )
    return conditions, conditions.rows(training.labels, properties)


def _check_classes(training: Dataset) -> None:
    """Refuse classes none of whose images is left for the training."""
    names = training.class_names
    labelled = training.labels[training.labels >= 0]  # the others ask for no class
    counts = np.bincount(labelled, minlength=len(names))
    without = [name for name, count in zip(names, counts, strict=True) if not count]
    if without:
        named = ", ".join(without[:NAMED]) + (", ..." if len(without) > NAMED else "")
        raise DataError(
            f"train.conditions.classes: {len(without)} of {len(names)} classes have no image among "
            f"the {len(training)} training images ({named}). Give more images of each, or set "
            "classes: false."
        )


def _properties(
    settings: ConditionSettings, images: np.ndarray, config: TrainConfig, folder: Path
) -> dict[str, np.ndarray]:
    where = "train.conditions.properties"
    objectives, specs = resolve_objectives(settings.properties, where)
    objectives, specs = fit_objectives(objectives, specs, images.shape[1:], where)
    names = [name for objective in objectives for name in properties_of(objective)]
    _check_invariance(objectives, images, config)
    made_of = hashlib.sha256(np.ascontiguousarray(images).tobytes())
    made_of.update(json.dumps(specs, sort_keys=True).encode())
    path = folder / KEPT
    table = _kept(path, made_of.hexdigest())
    if table is None:
        parts = []
        chunks = -(-len(images) // CHUNK)
        with TrainingProgress(chunks, shown=config.progress, title="properties") as bar:
            for i in range(chunks):
                part = to_tensor(images[i * CHUNK : (i + 1) * CHUNK])
                parts.append(_values(objectives, part))
                bar.update(i + 1, {})
        table = {name: torch.cat([part[name] for part in parts]) for name in names}
        with writing(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            note = {MADE_OF: made_of.hexdigest(), "sha256": digest(table)}
            write_durably(path, tensors_to_bytes(table, note))
    return {name: table[name].numpy() for name in names}


def _values(objectives: tuple, images: torch.Tensor) -> dict[str, torch.Tensor]:
    return {
        name: torch.as_tensor(values, dtype=torch.float64)
        for objective in objectives
        for name, values in objective(images).items()
        if name in properties_of(objective)
    }


def _check_invariance(objectives: tuple, images: np.ndarray, config: TrainConfig) -> None:
    """Refuse properties that a turned or mirrored image would not have."""
    # Of the whole set: its first images may all be of one class, which has no direction.
    probe = images[:: max(1, -(-len(images) // PROBED))]
    before = _values(objectives, to_tensor(probe))
    turned = config.augmentation(probe, np.random.default_rng(0))
    after = _values(objectives, to_tensor(turned))
    for name, values in before.items():
        change = (after[name] - values).abs().max()
        if change > TOLERANCE * values.std().clamp_min(1e-12):
            raise ConfigError(
                f"{name} changes when an image is augmented. Set "
                "flips, rotations and shifts of train.training.augmentation to what leaves it "
                "alone: a property along x survives flips, but not rotations.",
                at="train.conditions.properties",
            )


def _kept(path: Path, made_of: str) -> dict[str, torch.Tensor] | None:
    """Properties of these images, if they were kept whole."""
    if not path.exists():
        return None
    note = note_of_file(path)
    if MADE_OF not in note:
        raise OutputError(
            f"{path}: is there already, and not of a training; choose another folder, or move it."
        )
    try:
        table = bytes_to_tensors(path.read_bytes())
    except ValueError:
        return None  # torn by a kill: it is computed again
    whole = note[MADE_OF] == made_of and note.get("sha256") == digest(table)
    return table if whole else None

"""From images to a latent space on disk: read, split, train, whiten, report."""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from pydantic import ValidationError

from generative.batching import to_tensor
from generative.data.dataset import Dataset
from generative.data.duplicates import image_digests
from generative.data.outputs import check_outputs
from generative.errors import DataError, ModelFileError, OutputError
from generative.files.folder import MANIFEST, json_bytes
from generative.model import Drawn, Encoding, Model, has_two_coordinates, is_standard_normal
from generative.registry import MODELS
from generative.stages.config import TrainConfig
from generative.stages.stage import Stage, settings_without_effect
from generative.training.model_card import CARD, PICTURE, CardContent
from generative.training.progress import TrainingProgress
from generative.training.state import remove_states
from generative.training.train import train
from latentopt.errors import ConfigError
from latentopt.fidelity.guesses import guess_figures, guess_section, rows_to_invert
from latentopt.fidelity.noise_space import noise_space_figures, noise_space_section
from latentopt.fidelity.traverse_picture import CONTROLS_PICTURE, traverse_picture
from latentopt.printable import one_line
from latentopt.settings.explain import explain
from latentopt.space.classes import Classes
from latentopt.space.control_meanings import CONTROLS, controls_section
from latentopt.space.files import OWN, SETTINGS, is_space
from latentopt.space.fitting import thinned
from latentopt.space.latent_space import INVERTED_ROWS, LatentSpace
from latentopt.space.traverses import controls_of
from latentopt.training.conditions import compute_conditions
from latentopt.training.data import read_split, split_with_facts
from latentopt.training.first_weights import check_first_weights, source_of
from latentopt.training.settings import FieldData, FileData, TrainingSettings
from latentopt.wording import nearest

__all__ = ["FieldData", "FileData", "TrainingSettings", "read_split", "train_space"]

# Settings of a training that its result does not depend on.
HOW_IT_RUNS = frozenset({"progress", "device", "checkpoint_seconds"})


def train_space(
    settings: TrainingSettings,
    folder: Path | str,
    *,
    inputs: Sequence[Path | str] = (),
    overwrite: bool = False,
) -> LatentSpace:
    """Train a model and save its latent space, with a model card.

    The same call after a kill goes on from the last kept state; after the end it loads the space.

    Parameters
    ----------
    settings
        Data, model and training.
    folder
        Where the space is written, and the state of the run until then.
    inputs
        What else is read beside the images, such as a file of settings; it is never written.
    overwrite
        Replace the space of another training, and files that are not ours.

    Raises
    ------
    ConfigError
        If the folder holds the space of another training.
    OutputError
        If it holds something else under the names of a space's files, or the images.
    DataError
        If the images cannot be used.
    """
    folder = Path(folder)
    _check_device(settings.training.device)
    record = settings.model_dump(mode="json", exclude={"training": {*HOW_IT_RUNS}})
    finished = _finished(settings, folder, record, overwrite) if is_space(folder) else None
    if finished is not None:
        return finished
    _check_folder(settings, folder, inputs, overwrite)
    (training, validation, held_out), about_data = split_with_facts(settings.data)
    if (training.images == training.images[:1]).all():
        raise DataError(
            f"{_name(settings.data)}: all {len(training)} training images are the same. Check how "
            "their grey levels become phases (grey)."
        )
    conditions, options, asked = None, dict(settings.options), {}
    if settings.conditions is not None:
        _check_is_told(settings.model)
        known, conditions = compute_conditions(
            settings.conditions, training, settings.training, folder
        )
        options["conditions"] = known.model_dump()
        asked = {"Can be asked for": one_line(known.describe())}
    model = _build(settings, options, training.image_shape)
    begin = None if settings.begin_from is None else source_of(settings.begin_from)
    if begin is not None:
        check_first_weights(model, begin)
    _check_stages(settings, model)
    facts = {
        "Data": one_line(_describe_data(settings.data, training)),
        "Split": _describe_split(settings.data, training, validation, held_out),
        **about_data,
        **asked,
    }
    with _naming(settings.data):
        train(
            model,
            training.images,
            validation=validation.images,
            conditions=conditions,
            begin=begin,
            config=settings.training,
            folder=folder,
            card=CardContent(held_out.images, facts, held_out.parents),
            overwrite=overwrite,
        )
        space = _space_of(model, training, settings)
    card = {name: (folder / name).read_bytes() for name in (CARD, PICTURE)}
    if has_two_coordinates(model) and isinstance(model, Encoding):
        pair = to_tensor(training.images), to_tensor(held_out.images)
        card[CARD] += noise_space_section(noise_space_figures(model, *pair), model).encode()
    if isinstance(model, Drawn):
        card[CARD] += _about_points(space, held_out.images, settings.training.progress).encode()
    if controls_of(model):
        card[CARD] += controls_section(space.controls, CONTROLS_PICTURE).encode()
        card |= {CONTROLS_PICTURE: traverse_picture(space), **space.documents}
    space.documents = {**card, SETTINGS: json_bytes(record)}
    space.trained_on = image_digests(training.images)
    space.save(folder, overwrite=overwrite)
    remove_states(folder)
    return space


def _about_points(
    space: LatentSpace, held_out: Float[np.ndarray, "m c *space"], shown: bool
) -> str:
    """The section on points of images, for which as many structures are inverted as it judges."""
    rows = rows_to_invert(len(held_out))
    with TrainingProgress(rows, shown=shown, title="inversion for the model card") as bar:
        figures = guess_figures(space, held_out, progress=lambda done: bar.update(done, {}))
    return guess_section(figures)


def _check_folder(
    settings: TrainingSettings, folder: Path, inputs: Sequence[Path | str], overwrite: bool
) -> None:
    """Refuse a folder whose files are not ours, or are read, before the work."""
    images = [settings.data.path] if isinstance(settings.data, FileData) else []
    first = [settings.begin_from]
    controlled = "controls" in MODELS[settings.model].options_class.model_fields
    controls = (CONTROLS, CONTROLS_PICTURE) if controlled else ()
    check_outputs(
        [folder / name for name in (*OWN, SETTINGS, CARD, PICTURE, *controls, MANIFEST)],
        inputs=[*inputs, *(path for path in first if path is not None)],
        images=images,
        overwrite=overwrite,
    )


def _check_is_told(name: str) -> None:
    if "conditions" not in MODELS[name].options_class.model_fields:
        told = [
            name for name, kind in MODELS.items() if "conditions" in kind.options_class.model_fields
        ]
        raise ConfigError(
            f"model {name} is told no conditions. Leave them out, or take model: "
            f"{' or '.join(told)}.",
            at="train.conditions",
        )


def _check_device(name: str) -> None:
    try:
        torch.empty(0, device="cpu" if name == "auto" else name)
    except (AssertionError, RuntimeError) as error:
        reason = str(error).splitlines()[0]
        raise ConfigError(
            f"{name!r} cannot be used here ({reason}); use auto or cpu.", at="train.training.device"
        ) from None


def _build(
    settings: TrainingSettings, options: dict[str, Any], image_shape: tuple[int, ...]
) -> Model:
    kind = MODELS[settings.model]
    try:
        model = kind(image_shape, **options)
    except ValidationError as error:
        raise ConfigError(explain(error, kind.options_class, "train.options")) from None
    except TypeError as error:
        raise ConfigError(str(error), at="train.options") from error
    except ValueError as error:
        raise DataError(f"{_name(settings.data)}: {error}") from error
    if not isinstance(model, Encoding) and not is_standard_normal(model):
        raise ConfigError(
            f"a {settings.model} neither encodes images nor has codes that are standard normal, so "
            "no space can be made of it.",
            at="train.model",
        )
    return model


def _space_of(model: Model, training: Dataset, settings: TrainingSettings) -> LatentSpace:
    """Whitened over the images, or the prior itself where the model cannot encode them."""
    steps = settings.space.inversion_steps
    if not isinstance(model, Encoding):
        return LatentSpace.from_prior(model).inverting(steps)
    rows = len(thinned(training.images, INVERTED_ROWS))
    shown = settings.training.progress and isinstance(model, Drawn)
    with TrainingProgress(rows, shown=shown, title="points of training images") as bar:
        return LatentSpace.fit(
            model,
            training.images,
            classes=Classes.of_data(training),
            inversion_steps=steps,
            progress=lambda done, _: bar.update(done, {}),
        )


def _check_stages(settings: TrainingSettings, model: Model) -> None:
    """Refuse settings of a training that would have no effect on the model."""
    stages = model.stages()
    known = [stage.name for stage in stages if isinstance(stage, Stage)]
    for name in settings.training.stages:
        if name not in known:
            raise ConfigError(
                f"unknown stage; {nearest(name, known)}", at=f"train.training.stages.{name}"
            )
    default = TrainConfig()
    for name in sorted(settings_without_effect(stages)):
        if getattr(settings.training, name) != getattr(default, name):
            raise ConfigError(
                f"has no effect on a {settings.model}; leave it out.", at=f"train.training.{name}"
            )


def _finished(
    settings: TrainingSettings, folder: Path, record: dict[str, Any], overwrite: bool
) -> LatentSpace | None:
    """The space of this training; None if that of another one is to be replaced."""
    space = LatentSpace.load(folder)
    before = space.documents.get(SETTINGS, b"{}")
    if _without_how_it_runs(before) == _without_how_it_runs(json_bytes(record)):
        return space
    if isinstance(settings.data, FileData) and not Path(settings.data.path).exists():
        raise DataError(f"{settings.data.path}: no such file or folder; check the path.")
    if not overwrite:
        raise ConfigError(
            f"{folder}: already holds the space of another training. Choose another --out, or "
            "replace it with --overwrite (overwrite=True)."
        )
    return None


def _without_how_it_runs(document: bytes) -> dict[str, Any]:
    """What the result depends on; settings that older versions did not have at their defaults."""
    settings = json.loads(document)
    with suppress(ConfigError):  # of a space that was made in Python
        settings = TrainingSettings.recorded(document).model_dump(mode="json")
    for part, names in (("training", HOW_IT_RUNS), ("data", {"limits"})):
        kept = settings.get(part) or {}
        settings[part] = {name: value for name, value in kept.items() if name not in names}
    return settings


@contextmanager
def _naming(data: FileData | FieldData) -> Iterator[None]:
    """Say which images a model cannot be fitted to."""
    try:
        yield
    except (ConfigError, ModelFileError, OutputError):
        raise
    except ValueError as error:
        text = str(error)
        named = text if text.startswith(f"{_name(data)}: ") else f"{_name(data)}: {text}"
        raise DataError(named) from error


def _name(data: FileData | FieldData) -> str:
    return Path(data.path).name if isinstance(data, FileData) else data.kind


def _describe_data(data: FileData | FieldData, training: Dataset) -> str:
    classes = training.class_names
    return f"{_name(data)}: {', '.join(classes)}" if len(classes) > 1 else _name(data)


def _describe_split(
    data: FileData | FieldData, training: Dataset, validation: Dataset, held_out: Dataset
) -> str:
    shared = set(training.parents.tolist()) & set(held_out.parents.tolist())
    how = "by region of each parent image" if shared else "by parent image"
    if isinstance(data, FieldData):
        seed = data.seed
        how = f"drawn independently (seeds {seed} and {seed + 1}; validation {seed + 2})"
    return (
        f"{len(training)} training, {len(validation)} validation and {len(held_out)} held-out "
        f"images, {how}"
    )

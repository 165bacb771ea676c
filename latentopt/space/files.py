"""A latent space on disk: a model folder with the whitening and its reference points in it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Float64, Int64
from torch import Tensor

from generative.errors import ModelFileError
from generative.files.folder import (
    CONFIG,
    FORMAT_VERSION,
    MANIFEST,
    SPACE,
    WEIGHTS,
    json_bytes,
    read_folder,
    read_json,
    write_folder,
)
from generative.files.tensors import bytes_to_tensors, tensors_to_bytes
from generative.model import Model
from generative.model_files import build_model, model_files
from generative.registry import MODELS
from latentopt.space.classes import Classes, checked_classes
from latentopt.space.decoder import Decoder
from latentopt.space.encoding import checked_steps
from latentopt.space.whitening import Whitening

WHITENING, TRAINED_ON = "whitening.safetensors", "trained_on"
LABELS, CLASS_NAMES = "reference_labels", "class_names"
SETTINGS = "training.json"  # what `latentopt train` was asked for
OWN = (CONFIG, WEIGHTS, SPACE, WHITENING)


@runtime_checkable
class Kept(Protocol):
    """What is kept of a `LatentSpace`."""

    model: Decoder
    whitening: Whitening
    reference_: Float64[Tensor, "r d"]
    reference_classes_: Classes | None
    radius: float
    trained_on: Int64[np.ndarray, " t"] | None
    inversion_steps: int
    documents: dict[str, bytes]

    @property
    def id(self) -> str:
        """Tells it from others."""
        ...


def write_space(folder: Path, space: Kept, *, overwrite: bool = False) -> Path:
    """Write the folder that `read_space` reads; an `OutputError` if it is one of something else."""
    model, whitening = space.model, space.whitening
    classes = checked_classes(space.reference_classes_, len(space.reference_))
    settings = {
        "format_version": FORMAT_VERSION,
        "id": space.id,
        "latent_dim": model.latent_dim,
        "image_shape": list(model.image_shape),
        "radius": space.radius,
        "inversion_steps": space.inversion_steps,
    }
    tensors = {
        "mean": whitening.mean,
        "axes": whitening.axes,
        "spread": whitening.spread,
        "reference": space.reference_.float(),
    }
    if classes is not None:
        settings[CLASS_NAMES] = list(classes.class_names)
        tensors[LABELS] = classes.labels
    if space.trained_on is not None:
        tensors[TRAINED_ON] = torch.from_numpy(space.trained_on)
    # A model of the user's own is theirs to save; its whitening is kept all the same.
    weights: dict[str, bytes] = {}
    if isinstance(model, Model) and type(model) in MODELS.values():
        weights = model_files(model)
    own = {SPACE: json_bytes(settings), WHITENING: tensors_to_bytes(tensors)}
    return write_folder(folder, {**weights, **own, **space.documents}, overwrite=overwrite)


def is_space(folder: Path) -> bool:
    """Whether a folder holds a finished space: its manifest, written last, names one.

    Raises
    ------
    ModelFileError
        For a damaged manifest.
    """
    manifest = folder / MANIFEST
    if not manifest.is_file():
        return False
    return SPACE in read_json({MANIFEST: manifest.read_bytes()}, MANIFEST, folder)


def read_space(folder: Path, model: Decoder | None) -> dict[str, Any]:
    """Arguments of `LatentSpace` from a folder, its files checked.

    Raises
    ------
    ModelFileError
        For a folder that is missing, incomplete, truncated, changed or of a newer format, or that
        keeps only the whitening of a model that was not given.
    """
    files = read_folder(folder)
    if SPACE not in files or WHITENING not in files:
        raise ModelFileError(
            f"{folder}: holds a model but no latent space. Make one with "
            "LatentSpace.fit(load_model(folder), images)."
        )
    settings = read_json(files, SPACE, folder)
    if model is None and CONFIG not in files:
        raise ModelFileError(
            f"{folder}: was saved around a model of your own. Give it: "
            "LatentSpace.load(folder, model=...)."
        )
    if model is None:
        model = build_model(files, folder).requires_grad_(False)
    try:
        tensors = bytes_to_tensors(files[WHITENING])
        whitening = Whitening(tensors["mean"], tensors["axes"], tensors["spread"])
        reference = tensors["reference"].to(torch.float64)
        radius = float(settings["radius"])
        seen = tensors.get(TRAINED_ON)
        classes = _classes(settings, tensors, len(reference))
        steps = checked_steps(settings.get("inversion_steps", 0))  # folders of before have none
    except (KeyError, TypeError, ValueError) as error:
        raise ModelFileError(
            f"{folder}: its whitening is incomplete or wrong ({error}). "
            "Restore the folder from a copy."
        ) from error
    if len(whitening.mean) != model.latent_dim:
        raise ModelFileError(
            f"{folder}: was made for codes of {len(whitening.mean)} numbers, the model given has "
            f"{model.latent_dim}."
        )
    if tuple(settings.get("image_shape", ())) != tuple(model.image_shape):
        raise ModelFileError(
            f"{folder}: was made for images {settings.get('image_shape')}, the model given makes "
            f"{list(model.image_shape)}."
        )
    return {
        "model": model,
        "whitening": whitening,
        "reference": reference,
        "classes": classes,
        "radius": radius,
        "trained_on": None if seen is None else seen.to(torch.int64).flatten().numpy(),
        "inversion_steps": steps,
        "documents": {name: data for name, data in files.items() if name not in OWN},
    }


def _classes(
    settings: Mapping[str, Any], tensors: Mapping[str, Tensor], points: int
) -> Classes | None:
    """Classes of the reference points; None of a space that keeps none, as those of before."""
    if LABELS not in tensors and CLASS_NAMES not in settings:
        return None
    names = settings[CLASS_NAMES]
    if not isinstance(names, list):
        raise ValueError(f"{CLASS_NAMES} should be a list of texts, got {names!s:.80}.")
    labels = tensors[LABELS].to(torch.int64).flatten()
    return checked_classes(Classes(labels, tuple(str(name) for name in names)), points)

"""Model folders: a model of `MODELS` as weights and readable settings, and back."""

from collections.abc import Mapping
from pathlib import Path

import torch

from generative.errors import ModelFileError
from generative.files.folder import (
    CONFIG,
    FORMAT_VERSION,
    RESTORE,
    WEIGHTS,
    json_bytes,
    read_folder,
    read_json,
    write_folder,
)
from generative.files.tensors import bytes_to_tensors, tensors_to_bytes
from generative.model import Model
from generative.registry import MODELS, present_names


def save_model(
    model: Model,
    folder: Path | str,
    *,
    files: Mapping[str, bytes] | None = None,
    overwrite: bool = False,
) -> Path:
    """Write a model folder that `load_model` reads and a person can too.

    Parameters
    ----------
    model
        A model of `MODELS`.
    folder
        Made if need be. A model that was saved there is replaced.
    files
        Further files of the folder by name, such as its ``README.md``.
    overwrite
        Replace files of these names that are not ours, too.

    Raises
    ------
    ModelFileError
        It is of a class that `MODELS` does not hold, so that `load_model` could not build it.
    OutputError
        Files of these names are there, and not of a model.
    """
    check_is_row(model)
    contents = {**model_files(model), **(files or {})}
    return write_folder(Path(folder), contents, overwrite=overwrite)


def check_is_row(model: Model) -> None:
    """Refuse by a `ModelFileError` a model that `load_model` could not build."""
    if type(model) not in MODELS.values():
        raise ModelFileError(
            f"a {type(model).__name__} is not one of generative.MODELS, so its folder could not "
            "be loaded. Save its state_dict by yourself; of a view under one condition save the "
            "model it was made of."
        )


def model_files(model: Model) -> dict[str, bytes]:
    """Weights and settings of a model of `MODELS`, as the files of its folder."""
    config = {"format_version": FORMAT_VERSION, "kind": model.kind, "options": model.options()}
    return {WEIGHTS: tensors_to_bytes(model.state_dict()), CONFIG: json_bytes(config)}


def load_model(folder: Path | str) -> Model:
    """The model of a folder, its files checked against their sha256.

    Raises
    ------
    ModelFileError
        For a folder that is missing, incomplete, truncated, changed or of a newer format.
    """
    return build_model(read_folder(Path(folder)), folder)


def build_model(files: Mapping[str, bytes], folder: Path | str) -> Model:
    """The model whose files `read_folder` found in a folder."""
    config = read_json(files, CONFIG, folder)
    kind, options = present_names(config.get("kind"), config.get("options"))
    if not isinstance(kind, str) or kind not in MODELS:
        raise ModelFileError(
            f"{folder}: unknown model {kind!r}; this version knows {', '.join(MODELS)}. "
            "Load it with the version of latentopt that wrote it."
        )
    try:
        with torch.random.fork_rng(devices=[]):  # its first weights are drawn, then replaced
            model = MODELS[kind](**options)
        model.load_state_dict(bytes_to_tensors(files[WEIGHTS]))
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        reason = " ".join(str(error).split())[:200]
        raise ModelFileError(
            f"{folder}: its weights do not fit its settings ({reason}). {RESTORE}"
        ) from error
    return model.eval()

"""Folders of surrogates: safetensors, readable settings, a card, and a sha256 of each file."""

import hashlib
import json
import os
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from objectives.errors import SurrogateFileError

FORMAT_VERSION = 1
WEIGHTS, CONFIG, CARD = "weights.safetensors", "config.json", "README.md"
MANIFEST = "manifest.json"
RESTORE = "Restore the folder from a copy, or fit the surrogate again."


def read_surrogate(folder: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """What `write_surrogate` wrote: tensors and facts, checked against their sha256.

    Raises
    ------
    SurrogateFileError
        (A ``ValueError``.) The folder is missing, incomplete, changed or of a newer format.
    """
    files = _read_folder(folder)
    facts = _json(files[CONFIG], folder / CONFIG)
    version = facts.pop("format_version", None)
    if version != FORMAT_VERSION:
        raise SurrogateFileError(
            f"{folder / CONFIG}: has format_version {version}, this version of latentopt reads "
            f"{FORMAT_VERSION}. Upgrade latentopt: pip install -U latentopt."
        )
    return _tensors(files[WEIGHTS], folder / WEIGHTS), facts


def write_surrogate(
    folder: Path,
    state: Mapping[str, Tensor],
    facts: Mapping[str, Any],
    card: str,
    *,
    documents: Mapping[str, bytes] | None = None,
    overwrite: bool = False,
) -> Path:
    """Write the folder; each file appears whole or not at all, the manifest last.

    Raises
    ------
    SurrogateFileError
        (A ``ValueError``.) Files of these names are there, and not of a surrogate.
    """
    files = {
        WEIGHTS: save(dict(state)),
        CONFIG: _json_bytes({"format_version": FORMAT_VERSION, **facts}),
        CARD: card.encode(),
        **(documents or {}),
    }
    if not overwrite:
        check_folder(folder, files)
    files[MANIFEST] = _json_bytes({n: hashlib.sha256(d).hexdigest() for n, d in files.items()})
    waiting = {name: folder / f".{name}.new" for name in files}
    folder.mkdir(parents=True, exist_ok=True)
    try:
        for name, data in files.items():
            with waiting[name].open("wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
        for name, path in waiting.items():
            os.replace(path, folder / name)
    finally:
        for path in waiting.values():
            path.unlink(missing_ok=True)
    return folder


def check_folder(folder: Path, names: Iterable[str] = (WEIGHTS, CONFIG, CARD)) -> None:
    """Refuse to write files of these names and their manifest over what is not of a surrogate.

    Raises
    ------
    SurrogateFileError
        (A ``ValueError``.) A file is not byte for byte that of a surrogate that was saved there.
    """
    taken = [name for name in (*names, MANIFEST) if os.path.lexists(folder / name)]
    if not taken:
        return
    with suppress(SurrogateFileError):
        files = _read_folder(folder)
        of_a_model = "options" in _json(files[CONFIG], folder / CONFIG)
        if not of_a_model and {*taken} <= {*files, MANIFEST}:
            return
    raise SurrogateFileError(
        f"{folder}: holds {', '.join(taken)}, which are not of a surrogate that was saved there; "
        "choose another folder, or replace them with --overwrite (overwrite=True)."
    )


def _read_folder(folder: Path) -> dict[str, bytes]:
    if not (folder / MANIFEST).is_file():
        raise SurrogateFileError(
            f"{folder}: no {MANIFEST} here, so this is no saved surrogate. "
            "Give the folder that `latentopt surrogate fit --out` wrote."
        )
    manifest = _json(_read(folder / MANIFEST), folder / MANIFEST)
    if not {WEIGHTS, CONFIG} <= manifest.keys():
        raise SurrogateFileError(f"{folder / MANIFEST}: lists no {WEIGHTS} or {CONFIG}. {RESTORE}")
    files = {}
    for name, expected in manifest.items():
        if Path(name).name != name:
            raise SurrogateFileError(f"{folder / MANIFEST}: names {name!r} outside it. {RESTORE}")
        files[name] = _read(folder / name)
        if hashlib.sha256(files[name]).hexdigest() != expected:
            raise SurrogateFileError(
                f"{folder / name}: is not the file that was saved (its sha256 differs). {RESTORE}"
            )
    return files


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise SurrogateFileError(f"{path}: cannot be read ({error.strerror}). {RESTORE}") from error


def _json(data: bytes, path: Path) -> dict[str, Any]:
    try:
        settings = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise SurrogateFileError(f"{path}: is damaged ({error}). {RESTORE}") from error
    if not isinstance(settings, dict):
        raise SurrogateFileError(f"{path}: is no JSON object. {RESTORE}")
    return settings


def _json_bytes(settings: Mapping[str, Any]) -> bytes:
    return (json.dumps(settings, indent=2, allow_nan=False) + "\n").encode()


def _tensors(data: bytes, path: Path) -> dict[str, Tensor]:
    try:
        return load(data)
    except SafetensorError as error:
        raise SurrogateFileError(f"{path}: is no safetensors file ({error}). {RESTORE}") from error

"""Folders of ours: a manifest with the sha256 of each file, written whole or not at all."""

import hashlib
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from generative.errors import ModelFileError, OutputError
from generative.files.json_text import parse_json
from generative.files.own_files import MANIFEST, SPACE, check_outputs, manifest_of

__all__ = [
    "CONFIG",
    "FORMAT_VERSION",
    "MANIFEST",
    "RESTORE",
    "SPACE",
    "WEIGHTS",
    "check_folder",
    "json_bytes",
    "read_folder",
    "read_json",
    "write_durably",
    "write_folder",
    "writing",
]

FORMAT_VERSION = 1
RESTORE = "Restore the folder from a copy, or train the model again."
WEIGHTS, CONFIG = "weights.safetensors", "config.json"


def check_folder(folder: Path, names: Iterable[str], *, overwrite: bool = False) -> None:
    """Refuse to write files of these names and their manifest into a folder of something else.

    Raises
    ------
    OutputError
        A file of these names is there, and not of a model or a space.
    """
    names = [*names, MANIFEST]
    check_outputs((folder / name for name in names), overwrite=overwrite)
    held = manifest_of(folder)
    other = "a latent space" if SPACE in held and SPACE not in names else None
    if CONFIG in held and "options" not in _read_config(folder):
        other = "a surrogate"
    if other and not overwrite:
        raise OutputError(
            f"{folder}: holds {other}; choose another folder, or replace it with --overwrite "
            "(overwrite=True)."
        )


def _read_config(folder: Path) -> dict[str, Any]:
    return read_json({CONFIG: _read(folder / CONFIG)}, CONFIG, folder)


def write_folder(folder: Path, contents: Mapping[str, bytes], *, overwrite: bool = False) -> Path:
    """Write files and their manifest; each appears whole or not at all, the manifest last.

    Raises
    ------
    OutputError
        As `check_folder`; then nothing is written.
    """
    check_folder(folder, contents, overwrite=overwrite)
    manifest = {name: hashlib.sha256(data).hexdigest() for name, data in contents.items()}
    everything = {**contents, MANIFEST: json_bytes(manifest)}
    waiting = {name: folder / f".{name}.new" for name in everything}
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
        try:
            for name, data in everything.items():
                write_durably(waiting[name], data)
            for name, path in waiting.items():
                os.replace(path, folder / name)
        finally:
            for path in waiting.values():
                path.unlink(missing_ok=True)
    return folder


def write_durably(path: Path, data: bytes) -> None:
    """Write a file that is on the disk, not in a cache, when this returns."""
    with path.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


@contextmanager
def writing(place: Path) -> Iterator[None]:
    """Turn a full, read-only or missing disk into one line that names the place and the remedy.

    Raises
    ------
    OSError
        Of the same kind as inside the block.
    """
    try:
        yield
    except OSError as error:
        raise OSError(
            error.errno,
            f"cannot be written ({error.strerror}); free space there or choose another folder",
            str(place),
        ) from error


def read_folder(folder: Path) -> dict[str, bytes]:
    """Contents of each file in the manifest, all checked.

    Raises
    ------
    ModelFileError
        Naming the file that is missing or changed.
    """
    if not (folder / MANIFEST).is_file():
        raise ModelFileError(
            f"{folder}: no {MANIFEST} here, so this is not a model folder. "
            "Give the folder that `latentopt train --out` wrote."
        )
    contents: dict[str, bytes] = {}
    manifest = read_json({MANIFEST: _read(folder / MANIFEST)}, MANIFEST, folder)
    for name, expected in manifest.items():
        if Path(name).name != name:
            raise ModelFileError(
                f"{folder}: its {MANIFEST} names {name!r}, which is outside it. {RESTORE}"
            )
        contents[name] = _read(folder / name)
        if hashlib.sha256(contents[name]).hexdigest() != expected:
            raise ModelFileError(
                f"{folder / name}: is not the file that was saved (its sha256 differs). {RESTORE}"
            )
    return contents


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except (OSError, ValueError) as error:  # ValueError: a name that no file can have
        reason = getattr(error, "strerror", None) or error
        raise ModelFileError(f"{path}: cannot be read ({reason}). {RESTORE}") from error


def read_json(contents: Mapping[str, bytes], name: str, folder: Path | str) -> dict[str, Any]:
    """One JSON file of a folder, its ``format_version`` not newer than this code's."""
    try:
        settings = parse_json(contents[name])
        version = settings.get("format_version", FORMAT_VERSION)
    except (KeyError, ValueError, AttributeError) as error:
        raise ModelFileError(f"{folder}: its {name} is missing or damaged. {RESTORE}") from error
    if not isinstance(version, int) or version > FORMAT_VERSION:
        raise ModelFileError(
            f"{folder}: {name} has format_version {version}, this version of latentopt reads up "
            f"to {FORMAT_VERSION}. Upgrade latentopt: pip install -U latentopt."
        )
    return settings


def json_bytes(settings: Mapping[str, object]) -> bytes:
    """Readable JSON that has no NaN."""
    return (json.dumps(settings, indent=2, allow_nan=False) + "\n").encode()

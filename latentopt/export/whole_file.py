"""Files that are there whole or not at all, with one-line answers when a disk says no."""

import errno
import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from latentopt.disk import explain_refusal
from latentopt.errors import ExportError


def write_whole(contents: Mapping[Path, bytes]) -> None:
    """Write files so that a reader finds each of them old or new, and never half of one.

    Every file is written and synced under a temporary name beside its own before the first of
    them is renamed; after a failure the temporary files are gone and old files are untouched.

    Parameters
    ----------
    contents
        Bytes of each file. Its folder must exist.

    Raises
    ------
    ExportError
        If the disk is full, read-only or missing, or the path cannot be written.
    """
    parts = {path: path.with_name(f".{path.name}.{os.getpid()}.part") for path in contents}
    path = None
    try:
        for path, data in contents.items():
            if path.is_dir():
                raise OSError(errno.EISDIR, os.strerror(errno.EISDIR))
            with open(parts[path], "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
        for path, part in parts.items():
            os.replace(part, path)
        for folder in {path.parent for path in contents}:
            _sync_folder(folder)
    except OSError as error:
        raise _refusal(path, error) from error
    finally:
        for part in parts.values():
            with suppress(OSError):
                part.unlink()


def make_folder(folder: Path) -> None:
    """Make a folder and those above it, unless it is there; `ExportError` if that cannot be."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _refusal(folder, error) from error


def _refusal(path: Path, error: OSError) -> ExportError:
    return ExportError(f"cannot write {explain_refusal(path, error)}")


def _sync_folder(folder: Path) -> None:
    # The files are whole by now; where a folder cannot be synced, only the renames may be lost.
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

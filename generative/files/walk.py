"""Folders walked with their links followed, never in circles."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

NOTES = ".latentopt.sha256"  # what we wrote in a folder: see `generative.files.own_files`
Identity = tuple[int, int]


class Place(NamedTuple):
    """One folder on the way: take names out of ``folders`` to pass them over."""

    path: Path
    folders: list[str]
    files: list[str]
    circles: list[str]  # links to a folder that they lie in; they are not followed


def walk(root: Path) -> Iterator[Place]:
    """Every folder below ``root`` and itself, in sorted order, those behind links too.

    Raises
    ------
    OSError
        If a folder cannot be read.
    """
    above = {str(root): {identity_of(root)}}
    for path, folders, files in os.walk(root, onerror=_refuse, followlinks=True):
        way = above.pop(path)
        circles = [name for name in folders if identity_of(Path(path, name)) in way]
        folders[:] = sorted(name for name in folders if name not in circles)
        yield Place(Path(path), folders, sorted(files), sorted(circles))
        for name in folders:
            here = os.path.join(path, name)
            above[here] = way | {identity_of(Path(here))}


def identity_of(path: Path) -> Identity | None:
    """What all links, spellings and letter cases of one file or folder share; None without one."""
    try:
        found = path.stat()
    except (OSError, ValueError):
        return None
    return found.st_dev, found.st_ino


def _refuse(error: OSError) -> None:
    raise error

"""Spaces that come with the package, by the names that stand for them in place of a folder."""

from pathlib import Path

EMBEDDED = {"default": "default_space", "ldm": "ldm_space"}


def embedded_folder(name: str) -> Path:
    """Folder of an embedded space; a `ValueError` for a name that none has."""
    if name not in EMBEDDED:
        raise ValueError(f"name should be one of {', '.join(EMBEDDED)}, got {name!r}.")
    return Path(__file__).parents[1] / "assets" / EMBEDDED[name]

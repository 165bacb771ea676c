"""Spaces that come with the package, by the names that stand for them in place of a folder."""

from pathlib import Path

EMBEDDED = {"default": "default_space", "ldm": "ldm_space"}


def embedded_folder(name: str) -> Path:
    """Folder of an embedded space."""
    return Path(__file__).parents[1] / "assets" / EMBEDDED[name]

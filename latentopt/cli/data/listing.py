"""What ``latentopt data inspect`` and ``prepare`` print and draw alike."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from latentopt.files import output_file
from latentopt.pictures import image_grid_png

__all__ = ["LISTED", "listed", "plural", "write_sheet"]

LISTED = 10  # lines of one kind; the rest are counted


def write_sheet(
    pictures: Sequence[tuple[str, Any]], out: Path, columns: int = 4, *, overwrite: bool
) -> None:
    """Titles and pictures (h, w) in [0, 1] as one PNG file."""
    with output_file(out, overwrite=overwrite) as file:
        titles = [title[-34:] for title, _ in pictures]
        file.write(image_grid_png([image for _, image in pictures], titles, columns))


def plural(count: int, noun: str) -> str:
    """A number and what is counted.

    >>> plural(1, "image"), plural(2, "image")
    ('1 image', '2 images')
    """
    return f"{count} {noun}{'' if count == 1 else 's'}"


def listed(kind: str, lines: Sequence[str], *, note: str = "") -> list[str]:
    """How many lines of a kind there are, and the first of them."""
    if not lines:
        return [f"{kind}: none"]
    more = [f"  {len(lines) - LISTED} more"] if len(lines) > LISTED else []
    head = f"{kind}: {len(lines)}" + (f" ({note})" if note else "")
    return [head, *(f"  {line}" for line in lines[:LISTED]), *more]

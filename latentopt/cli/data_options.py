"""What the commands ``latentopt data inspect`` and ``prepare`` share: options, lists, pictures."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

__all__ = [
    "DatasetOption",
    "DimsOption",
    "DtypeOption",
    "ShapeOption",
    "listed",
    "numbers",
    "plural",
    "write_sheet",
]

LISTED = 10  # lines of one kind; the rest are counted

DimsOption = Annotated[
    int | None, typer.Option("--dims", min=2, max=3, help="2 or 3, where the shape is no answer.")
]
DatasetOption = Annotated[
    str | None, typer.Option(help="Which array of a file that holds several, by name or path.")
]
ShapeOption = Annotated[str | None, typer.Option(help="Of RAW files: z,y,x or y,x, as 64,200,256.")]
DtypeOption = Annotated[str | None, typer.Option(help="Of RAW files: uint8, >u2, float32, ...")]


def numbers(text: str | None, option: str, kind: type) -> tuple | None:
    """Numbers of an option such as ``64,200,256``; `ConfigError` if they are none."""
    from latentopt.errors import ConfigError

    if text is None:
        return None
    try:
        return tuple(kind(number) for number in text.replace("x", ",").split(","))
    except ValueError:
        example = "whole numbers such as 64,200,256" if kind is int else "lengths such as 1e-6"
        raise ConfigError(f"{option} should be {example}, got {text!r}.") from None


def write_sheet(
    pictures: Sequence[tuple[str, Any]], out: Path, columns: int = 4, *, overwrite: bool
) -> None:
    """Titles and pictures (h, w) in [0, 1] as one PNG file."""
    from latentopt.files import output_file
    from latentopt.pictures import image_grid_png

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

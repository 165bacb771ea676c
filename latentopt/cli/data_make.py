"""The command ``latentopt data make``: synthetic structures, with their settings as labels."""

from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperCommand

from latentopt.cli.output import OverwriteOption
from latentopt.cli.progress import shown
from latentopt.printing import print

__all__ = ["MakeCommand", "make"]

ZOO_SHAPE, SHAPE = "256 256", "64 64"


class MakeCommand(TyperCommand):
    """A command whose ``--shape`` takes all the whole numbers after it: two or three."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Join the sides into one word before the options are read."""
        joined, sides = [], None
        for word in args:
            if sides is not None and word.isdecimal():
                sides.append(word)
                continue
            if sides:
                joined.append(" ".join(sides))
            joined.append(word)
            sides = [] if word == "--shape" else None
        if sides:
            joined.append(" ".join(sides))
        return super().parse_args(ctx, joined)


def make(
    family: Annotated[
        str, typer.Argument(help='A synthetic family, as fibres; or "zoo", ten classes at once.')
    ],
    n: Annotated[int, typer.Option("--n", min=1, help="How many; of each class of the zoo.")] = 100,
    shape: Annotated[
        str | None,
        typer.Option(
            metavar="Y X | Z Y X", help=f"Voxels a side; {SHAPE}, and {ZOO_SHAPE} for the zoo."
        ),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, max=2**63 - 1, help="Fixes the structures.")] = 0,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", help="NAME=VALUE or NAME=LOW,HIGH of a setting; may be repeated."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="HDF5 or NPZ file; for the zoo a new folder.")
    ] = None,
    overwrite: OverwriteOption = False,
) -> None:
    """Make synthetic structures: images, a table of their settings, and a picture of some."""
    from generative.data.synthetic import FAMILIES
    from latentopt.cli.synthetic_files import write_family, write_zoo
    from latentopt.errors import ConfigError, DataError, OutputError
    from latentopt.wording import nearest

    if family != "zoo" and family not in FAMILIES:
        raise ConfigError(f"no family {family!r}; {nearest(family, [*FAMILIES, 'zoo'])}")
    sides = _sides(shape or (ZOO_SHAPE if family == "zoo" else SHAPE))
    ranges = _ranges(settings or [])
    try:
        if family == "zoo":
            if ranges:
                raise ConfigError("the zoo has settings of its own; leave out --set.")
            paths = write_zoo(out or Path("zoo"), n, sides, seed, shown, overwrite=overwrite)
        else:
            place = out or Path(f"{family}.h5")
            made = (FAMILIES[family], n, sides, seed, ranges, shown)
            paths = write_family(place, *made, overwrite=overwrite)
    except (ConfigError, DataError, OutputError):
        raise
    except (ImportError, ValueError) as error:
        raise ConfigError(f"{family}: {error}") from error
    for path in paths:
        print(path)


def _sides(text: str) -> tuple[int, ...]:
    from latentopt.errors import ConfigError

    words = text.replace(",", " ").replace("x", " ").split()
    if len(words) not in (2, 3) or not all(word.isdecimal() for word in words):
        raise ConfigError(f"--shape should be two or three sides, as 64 64, got {text!r}.")
    return tuple(map(int, words))


def _ranges(pairs: list[str]) -> dict[str, Any]:
    from latentopt.errors import ConfigError

    ranges: dict[str, Any] = {}
    for pair in pairs:
        name, _, text = pair.partition("=")
        try:
            values = [_value(word) for word in text.split(",")]
        except ValueError:
            raise ConfigError(
                f"--set should be NAME=VALUE or NAME=LOW,HIGH in numbers, got {pair!r}."
            ) from None
        ranges[name.strip()] = values[0] if len(values) == 1 else tuple(map(float, values))
    return ranges


def _value(word: str) -> bool | int | float:
    word = word.strip().lower()
    if word in ("true", "false"):
        return word == "true"
    return int(word) if word.lstrip("+-").isdecimal() else float(word)

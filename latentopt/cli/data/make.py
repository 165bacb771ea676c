"""The command ``latentopt data make``: synthetic structures, with their settings as labels."""

from pathlib import Path
from typing import Any

from generative.data.synthetic.families import FAMILIES
from latentopt.cli.data.synthetic_files import write_family, write_zoo
from latentopt.cli.options.data import SHAPE, ZOO_SHAPE, MakeOptions
from latentopt.cli.progress import shown
from latentopt.errors import ConfigError, DataError, OutputError
from latentopt.printing import print
from latentopt.wording import nearest

__all__ = ["make"]


def make(options: MakeOptions) -> None:
    """Write synthetic structures and print the paths of the files."""
    family, n, out = options.family, options.n, options.out
    seed, overwrite = options.seed, options.overwrite
    if family != "zoo" and family not in FAMILIES:
        raise ConfigError(f"no family {family!r}; {nearest(family, [*FAMILIES, 'zoo'])}")
    sides = _sides(options.shape or (ZOO_SHAPE if family == "zoo" else SHAPE))
    ranges = _ranges(options.settings or [])
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
    words = text.replace(",", " ").replace("x", " ").split()
    if len(words) not in (2, 3) or not all(word.isdecimal() for word in words):
        raise ConfigError(f"--shape should be two or three sides, as 64 64, got {text!r}.")
    return tuple(map(int, words))


def _ranges(pairs: list[str]) -> dict[str, Any]:
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

"""What the options of commands that read images mean."""

from typing import Any, get_args

from generative.data.check import Limits
from generative.data.grey.meaning import Grey
from latentopt.errors import ConfigError

__all__ = ["numbers", "numbers_if_given", "read_limits", "reading_options"]


def reading_options(
    grey: str, axes: str | None = None, limit: list[str] | None = None
) -> dict[str, Any]:
    """Arguments of `generative.data.read_dataset`; a `ConfigError` for wrong options."""
    if grey not in get_args(Grey):
        raise ConfigError(f"--grey should be one of {', '.join(get_args(Grey))}, got {grey!r}.")
    return {"grey": grey, "axes": axes, "limits": read_limits(limit)}


def read_limits(limit: list[str] | None) -> Limits | None:
    """The limits that ``--limit`` sets, None for those that hold anyway."""
    try:
        return Limits.parse(limit) if limit else None
    except ValueError as error:
        raise ConfigError(f"--limit: {error}") from None


def numbers_if_given(text: str | None, option: str, kind: type) -> tuple | None:
    """`numbers` of an option that was given, None for one that was not."""
    return None if text is None else numbers(text, option, kind)


def numbers(text: str, option: str, kind: type) -> tuple:
    """Numbers of an option such as ``64,200,256``; `ConfigError` if they are none."""
    try:
        return tuple(kind(number) for number in text.replace("x", ",").split(","))
    except ValueError:
        example = "whole numbers such as 64,200,256" if kind is int else "lengths such as 1e-6"
        raise ConfigError(f"{option} should be {example}, got {text!r}.") from None

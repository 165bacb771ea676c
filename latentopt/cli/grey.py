"""The option ``--grey`` of every command that reads images."""

from typing import Annotated, get_args

import typer

__all__ = ["GreyOption", "check_grey"]

GreyOption = Annotated[str, typer.Option(help="auto, otsu, labels or keep.")]


def check_grey(grey: str) -> None:
    """Refuse what is no way to read grey levels, by a `ConfigError`."""
    from generative.data.grey.meaning import Grey
    from latentopt.errors import ConfigError

    if grey not in get_args(Grey):
        raise ConfigError(f"--grey should be one of {', '.join(get_args(Grey))}, got {grey!r}.")

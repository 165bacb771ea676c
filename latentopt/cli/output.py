"""The option ``--overwrite`` of every command that writes files under names that a user gives."""

from typing import Annotated

import typer

__all__ = ["OverwriteOption", "check_has_effect"]

OverwriteOption = Annotated[
    bool,
    typer.Option(
        "--overwrite", help="Replace files that latentopt did not write; never one that it reads."
    ),
]


def check_has_effect(overwrite: bool, option: str, given: object) -> None:
    """Refuse ``--overwrite`` by a `ConfigError` where nothing will be written."""
    from latentopt.errors import ConfigError

    if overwrite and given is None:
        raise ConfigError(f"--overwrite goes with {option}, which names the file to write.")

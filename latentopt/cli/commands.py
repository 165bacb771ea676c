"""A command: a class of options, and the work, whose module is imported when it is called."""

from dataclasses import dataclass
from functools import wraps
from importlib import import_module
from typing import Any

import typer
from typer.core import TyperCommand

from latentopt.cli.answers import refusal
from latentopt.errors import CampaignError
from latentopt.printing import print

__all__ = ["Command", "add_commands"]


@dataclass(frozen=True)
class Command:
    """One row of a table of commands.

    Attributes
    ----------
    options
        Dataclass of the options: each field is annotated as typer reads it, and the docstring is
        the help. It imports nothing slow, so that help and completion answer at once.
    work
        ``package.module:function`` that takes the options. The module imports what it needs.
    on_a_campaign
        What a disk refuses has the exit code of campaigns.
    kind
        How the arguments are read.
    """

    options: type
    work: str
    on_a_campaign: bool = False
    kind: type[TyperCommand] | None = None

    def run(self, **given: Any) -> None:
        """Import the work and do it."""
        options = self.options(**given)
        if not self.on_a_campaign:
            self.function()(options)
            return
        try:
            self.function()(options)
            print(end="", flush=True)
        except OSError as error:
            raise CampaignError(refusal(error)) from error

    def function(self) -> Any:
        """The work; importing it may cost seconds."""
        module, _, name = self.work.partition(":")
        return getattr(import_module(module), name)


def add_commands(app: typer.Typer, table: dict[str, Command]) -> None:
    """Add the commands of a table under their names."""
    for name, command in table.items():
        app.command(name, cls=command.kind)(_as_typer_reads(command))


def _as_typer_reads(command: Command) -> Any:
    """A function with the parameters, the annotations and the docstring of the options."""

    @wraps(command.options, updated=())
    def run(**given: Any) -> None:
        command.run(**given)

    return run

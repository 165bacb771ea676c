"""The group of all commands: what it answers to Ctrl-C, and to arguments it cannot print."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from typer.core import TyperGroup

from latentopt.interrupts import INTERRUPTED, raising, say_interrupted
from latentopt.printable import printable

__all__ = ["InterruptibleGroup"]


class InterruptibleGroup(TyperGroup):
    """Commands that answer Ctrl-C in words: typer itself ends without any."""

    def make_context(self, *arguments: Any, **options: Any) -> Any:
        """Read the command."""
        with _plain_messages():
            return super().make_context(*arguments, **options)

    def invoke(self, ctx: Any) -> Any:
        """Run the command; exit with code 130 if it is interrupted."""
        try:
            with _plain_messages(), raising():
                return super().invoke(ctx)
        except KeyboardInterrupt:
            say_interrupted(ctx.invoked_subcommand)
            ctx.exit(INTERRUPTED)


@contextmanager
def _plain_messages() -> Iterator[None]:
    """Make what typer says of wrong arguments printable."""
    try:
        yield
    except Exception as error:  # by what it has: typer's own class differs between its versions
        if isinstance(message := getattr(error, "message", None), str):
            error.message = printable(message)
        raise

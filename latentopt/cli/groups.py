"""Groups of commands and the commands that read their arguments in a way of their own."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from typer.core import TyperCommand, TyperGroup

from latentopt.interrupts import INTERRUPTED, raising, say_interrupted
from latentopt.printable import printable

__all__ = ["CandidatesByDefault", "InterruptibleGroup", "MakeCommand"]


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


class CandidatesByDefault(TyperGroup):
    """``latentopt export RUN`` is short for ``latentopt export candidates RUN``."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Arguments that begin with the name of a command."""
        completing = ctx.resilient_parsing and not args
        if not completing and (not args or args[0] not in {*self.commands, *ctx.help_option_names}):
            args = ["candidates", *args]
        return super().parse_args(ctx, args)


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


@contextmanager
def _plain_messages() -> Iterator[None]:
    """Make what typer says of wrong arguments printable."""
    try:
        yield
    except Exception as error:  # by what it has: typer's own class differs between its versions
        shown: Any = error
        if isinstance(message := getattr(shown, "message", None), str):
            shown.message = printable(message)
        raise

"""Ctrl-C in any command: one line that says what becomes of the work, and exit code 130."""

import sys
from typing import Any

from typer.core import TyperGroup

from latentopt.printing import print

__all__ = ["InterruptibleGroup"]

_GOES_ON = ("train", "optimize", "quickstart")  # commands that keep their work as they go


class InterruptibleGroup(TyperGroup):
    """Commands that answer Ctrl-C in words: typer itself ends without any."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command; exit with code 130 if it is interrupted."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            say_interrupted(ctx.invoked_subcommand)
            ctx.exit(130)


def say_interrupted(command: str | None = None) -> None:
    """Print the line for a command that was interrupted."""
    goes_on = command in _GOES_ON
    remedy = "the same command goes on from here" if goes_on else "the same command starts again"
    print(f"latentopt: interrupted; {remedy}.", file=sys.stderr)

"""`print` for text that may come from outside, in place of Python's own.

File names, metric names and reasons are printed by many lines of many commands; each module that
prints takes this function, so that none of its lines can be forgotten.
"""

import builtins
import logging
import sys
from typing import Any

from latentopt.printable import printable

__all__ = ["escape_markup", "print", "print_logs_plainly"]


def print(
    *values: object,
    sep: str = " ",
    end: str = "\n",
    file: Any = None,
    flush: bool = False,
) -> None:
    """Print values as `latentopt.printable.printable` gives them; `end` is printed as it is.

    What the stream's encoding lacks is printed as an escape such as ``\\u03b2``.
    """
    stream = file or sys.stdout
    text = printable(sep.join(map(str, values)))
    encoding = getattr(stream, "encoding", None) or "utf-8"
    text = text.encode(encoding, "backslashreplace").decode(encoding)
    builtins.print(text, end=end, file=stream, flush=flush)


def escape_markup(text: object) -> str:
    """The text for rich: printable, and none of it markup.

    >>> escape_markup("[red]")
    '\\\\[red]'
    """
    from rich.markup import escape

    return escape(printable(text))


def print_logs_plainly() -> None:
    """Let messages that no handler takes reach standard error as `print` would print them."""
    if logging.lastResort is not None:
        logging.lastResort.setFormatter(_PlainFormatter())


class _PlainFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        return printable(super().format(record))

"""What the command line says beside the results of commands: refusals, warnings, readings."""

import errno
import logging
import os
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

from latentopt.files import explain_refusal
from latentopt.printable import printable
from latentopt.printing import print, print_logs_plainly
from latentopt.settings.credentials import without_secrets

__all__ = ["refusal", "say_plainly", "stop"]

ROOT = Path(__file__).parents[2]
OURS = [ROOT / package for package in ("latentopt", "generative", "objectives")]
AS_THEY_ARE = ": values 0, 1 became phases 0, 1"


def say_plainly() -> None:
    """Answer warnings and messages of logs in plain lines, and print how files are read.

    What becomes of the values of each file is printed once as it is read; nothing is said of values
    0 and 1 that are phases 0 and 1.
    """
    plain = _warnings_of_ours_in_one_line(warnings.showwarning)
    warnings.showwarning = plain  # ty: ignore[invalid-assignment]  any function may stand there
    print_logs_plainly()
    # It logs lines of its own on damaged files, which are answered in one.
    logging.getLogger("tifffile").setLevel(logging.CRITICAL)
    log = logging.getLogger("generative.data")
    log.handlers[:] = [_OnStandardOutput()]
    log.setLevel(logging.INFO)


def stop(message: str, code: int) -> NoReturn:
    """Print why a command ends, without secrets, and exit."""
    for line in without_secrets(message).splitlines():
        print(f"latentopt: {line}", file=sys.stderr)
    sys.exit(code)


def refusal(error: OSError) -> str:
    """One line for what a disk refused; none for a reader that has gone (``status RUN | head``)."""
    if error.filename is not None:
        return explain_refusal(error.filename, error)
    place = "a file" if _output_takes_more() else "standard output"
    return "" if error.errno == errno.EPIPE else explain_refusal(place, error)


def _output_takes_more() -> bool:
    """Whether what was printed can be written; if not it is dropped, or the exit would fail too."""
    try:
        print(end="", flush=True)
    except OSError:
        if sys.__stdout__ is not None:
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.__stdout__.fileno())
        return False
    return True


def _warnings_of_ours_in_one_line(others: Callable[..., None]) -> Callable[..., None]:
    """A warning of ours in one line, as errors are; those of other packages as they come."""

    def show(
        message: Warning | str, category: type[Warning], filename: str, *about: Any, **more: Any
    ) -> None:
        ours = any(Path(filename).is_relative_to(package) for package in OURS)
        if category is UserWarning and ours:
            print(f"latentopt: {message}", file=sys.stderr)
        else:
            others(printable(message), category, filename, *about, **more)

    return show


class _OnStandardOutput(logging.Handler):
    """Prints each message once."""

    def __init__(self) -> None:
        super().__init__(logging.INFO)
        self._told: set[str] = set()

    def emit(self, record: logging.LogRecord) -> None:
        message = record.getMessage()
        if message not in self._told and not message.endswith(AS_THEY_ARE):
            self._told.add(message)
            print(message, flush=True)

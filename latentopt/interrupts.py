"""Ctrl-C and SIGTERM, from the first line of a command on: one line, exit code 130, no traceback.

Where a command has begun, a signal raises ``KeyboardInterrupt``, and what is under way is wound up.
Before and after, and in the middle of an import, it ends the process at once: there is nothing to
wind up, and an import that is interrupted may report half of it, or drop it. A second signal ends
the process in any case. This module imports the standard library only.
"""

import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Any

__all__ = [
    "COMPUTING",
    "INTERRUPTED",
    "interruptible",
    "raising",
    "say_interrupted",
    "unwinding",
]

INTERRUPTED = 130  # exit code
COMPUTING = "latentopt-computes"  # name of threads that nobody waits for at the end
_GOES_ON = ("train", "optimize", "quickstart")  # commands that keep their work as they go
_MOMENT = 0.1  # seconds until a signal is looked at again
_SHOW_CURSOR = b"\x1b[?25h"  # a bar of progress hides it


class _Interrupts:
    """What becomes of a signal at this moment."""

    def __init__(self) -> None:
        self.command = ""
        self.raises = False  # a command has begun, and answers KeyboardInterrupt
        self.unwinds = 0  # it has something to wind up, such as processes
        self._raised = self._put_off = self._said = False

    def handle(self, number: int, frame: FrameType | None) -> None:
        """Signal handler."""
        again, self._put_off = self._put_off, False
        if not self.raises or (self._raised and not again):
            self.leave()
        elif not _is_importing(frame):
            self._raised = True
            raise KeyboardInterrupt
        elif self.unwinds:
            self._raised = True
            self.put_off(number)
        else:
            self.leave()

    def put_off(self, number: int = signal.SIGINT) -> None:
        """Handle the signal in a moment."""

        def again() -> None:
            self._put_off = True
            os.kill(os.getpid(), number)

        timer = threading.Timer(_MOMENT, again)
        timer.daemon = True
        timer.start()

    def begin(self) -> None:
        """Forget earlier signals: a command begins."""
        self._raised = self._put_off = self._said = False

    def line(self) -> str:
        """What is printed, the first time; then nothing."""
        said, self._said = self._said, True
        remedy = "goes on from here" if self.command in _GOES_ON else "starts again"
        return "" if said else f"latentopt: interrupted; the same command {remedy}.\n"

    def leave(self) -> None:
        """End this process at once."""
        with suppress(Exception):  # it may be in the middle of a print
            sys.stdout.flush()
        for stream in (1, 2):
            with suppress(OSError):
                if os.isatty(stream):
                    os.write(stream, _SHOW_CURSOR)
        with suppress(OSError):
            os.write(2, self.line().encode())
        os._exit(INTERRUPTED)


_INTERRUPTS = _Interrupts()


def _is_importing(frame: FrameType | None) -> bool:
    while frame is not None:
        if frame.f_code.co_filename.startswith("<frozen importlib"):
            return True
        frame = frame.f_back
    return False


def say_interrupted(command: str | None = None) -> None:
    """Print that a command was interrupted and what becomes of its work."""
    _INTERRUPTS.command = command or _INTERRUPTS.command
    print(_INTERRUPTS.line(), end="", file=sys.stderr, flush=True)


@contextmanager
def interruptible(arguments: list[str]) -> Iterator[None]:
    """Handle the signals as this module says, for the command of these arguments."""
    _INTERRUPTS.command = next((a for a in arguments if not a.startswith("-")), "")
    for name in ("SIGINT", "SIGTERM"):
        if signal.getsignal(getattr(signal, name)) is not signal.SIG_IGN:  # as under nohup
            signal.signal(getattr(signal, name), _INTERRUPTS.handle)
    report = sys.unraisablehook

    def again(problem: Any) -> None:
        """Python drops what is raised while it frees an object."""
        if problem.exc_type is KeyboardInterrupt:
            _INTERRUPTS.put_off()
        else:
            report(problem)

    sys.unraisablehook = again
    try:
        yield
    except KeyboardInterrupt:
        _INTERRUPTS.leave()
    except SystemExit as end:
        # Python ends other threads when they next ask for the interpreter, and where one does so
        # inside C++ the whole process aborts.
        if end.code == INTERRUPTED and any(t.name == COMPUTING for t in threading.enumerate()):
            _INTERRUPTS.leave()
        raise


@contextmanager
def raising() -> Iterator[None]:
    """While this context lasts, signals raise ``KeyboardInterrupt``, which somebody answers."""
    before, _INTERRUPTS.raises = _INTERRUPTS.raises, True
    _INTERRUPTS.begin()
    try:
        yield
    finally:
        _INTERRUPTS.raises = before


@contextmanager
def unwinding() -> Iterator[None]:
    """While this context lasts, there is something to wind up, even in the middle of an import."""
    _INTERRUPTS.unwinds += 1
    try:
        yield
    finally:
        _INTERRUPTS.unwinds -= 1

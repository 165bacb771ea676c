"""How a running campaign is stopped from outside: SIGTERM and SIGUSR1 let it finish what it can."""

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class DrainEnded(BaseException):
    """The time to finish what is under way is over; raised in the main thread."""


class Drain:
    """Whether the campaign shall end, and by which signal.

    Parameters
    ----------
    patience_s
        Seconds from the first signal to `DrainEnded`; a second signal raises it at once.
    """

    def __init__(self, patience_s: float) -> None:
        self.signal: str | None = None
        self._timer = threading.Timer(patience_s, os.kill, (os.getpid(), signal.SIGTERM))
        self._timer.daemon = True

    def begin(self, number: int, _frame: FrameType | None) -> None:
        """Signal handler."""
        if self.signal is not None:
            raise DrainEnded
        self.signal = signal.Signals(number).name
        self._timer.start()

    def end(self) -> None:
        """Forget the time limit."""
        self._timer.cancel()


@contextmanager
def draining(patience_s: float) -> Iterator[Drain]:
    """SIGTERM and SIGUSR1 begin a drain, while this context lasts in the main thread."""
    drain = Drain(patience_s)
    numbers = [getattr(signal, name) for name in ("SIGTERM", "SIGUSR1") if hasattr(signal, name)]
    if threading.current_thread() is not threading.main_thread():
        numbers = []
    previous = {number: signal.signal(number, drain.begin) for number in numbers}
    try:
        yield drain
    finally:
        drain.end()
        for number, handler in previous.items():
            signal.signal(number, handler or signal.SIG_DFL)  # None: set outside of Python

"""Life of a worker process: calls come by a pipe, answers go back, and it ends with its driver."""

import os
import signal
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from multiprocessing import process
from multiprocessing.connection import Connection, wait
from multiprocessing.reduction import ForkingPickler
from typing import Any, Protocol, runtime_checkable

from latentopt.printable import one_line, printable

GRACE_S = 2.0  # for what is stopped to clean up behind itself
# A terminal or a queue sends these to every process. A worker starts with them blocked.
FOR_THE_DRIVER = [
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGUSR1") if hasattr(signal, name)
]
NO_GUARD = 76  # exit code of a worker that runs its driver's script again


def serve(calls: Connection, held: Connection) -> None:
    """Answer calls until the driver closes its end, or dies.

    Parameters
    ----------
    calls
        Takes ``("ready", None)``. Brings ``(function, args, kwargs)``; takes ``("begun", None)``,
        then ``("done", answer)`` or ``("failed", why)``.
    held
        Nothing comes of it but its end: then the call under way is stopped, too.
    """
    os.environ["OMP_NUM_THREADS"] = "1"  # for what is imported later
    if hasattr(os, "setpgid"):
        os.setpgid(0, 0)  # Ctrl-C in the terminal is for the driver, which tells its workers
    for number in FOR_THE_DRIVER:
        signal.signal(number, signal.SIG_IGN)  # what came while this process started is dropped
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_UNBLOCK, FOR_THE_DRIVER)
    for number in FOR_THE_DRIVER:
        # Not SIG_IGN any more, which what an objective starts would inherit.
        signal.signal(number, lambda *_: None)
    signal.signal(signal.SIGINT, _stop)
    with suppress(_Stopped):  # once more, should it come between two lines
        with suppress(_Stopped, EOFError, OSError):
            threading.Thread(target=_end_with, args=(held,), daemon=True).start()
            calls.send(("ready", None))
            while call := calls.recv_bytes():
                calls.send(_answer(call, lambda: calls.send(("begun", None))))
        signal.signal(signal.SIGINT, signal.SIG_IGN)
    if hasattr(os, "killpg"):
        os.killpg(0, signal.SIGTERM)  # what objectives started; this process does not mind


@runtime_checkable
class Loads(Protocol):
    """What takes time to load before the work begins."""

    def load(self) -> None:
        """Load it, unless it is loaded."""


def _answer(call: bytes, begin: Callable[[], None]) -> tuple[str, Any]:
    try:
        function, args, kwargs = ForkingPickler.loads(call)
        for argument in args:
            if isinstance(argument, Loads):
                argument.load()
        begin()
        return "done", function(*args, **kwargs)
    except Exception as error:  # whatever importing a user's module raises
        return "failed", one_line(f"{type(error).__name__}: {printable(error)}")


class _Stopped(BaseException):
    """The driver has gone, or does not want the answer any more."""


def _end_with(held: Connection) -> None:
    """Wait for the driver's end; stop the main thread, and soon after whatever is left."""
    wait([held])
    if hasattr(os, "killpg"):
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(GRACE_S)
        os.killpg(0, signal.SIGKILL)
    os._exit(1)


def _stop(*_: Any) -> None:
    raise _Stopped


def end_if_a_worker_starts() -> None:
    """End this process if it is a worker that is still importing its driver's script.

    The script would start the campaign once more. The exit code tells the driver, which explains.
    """
    if getattr(process.current_process(), "_inheriting", False):
        raise SystemExit(NO_GUARD)

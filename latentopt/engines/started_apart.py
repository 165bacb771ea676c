"""Processes that Ctrl-C does not reach: it is for the driver, which ends them in good order.

A terminal sends it to all of its processes. Those of a cluster would be gone before they are told
to stop, and print how they were interrupted.
"""

import signal
import threading
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from multiprocessing import resource_tracker
from typing import Any

_GRACE_S = 30.0  # for a start that is interrupted to come to its end


def started_apart(start: Callable[[], Any], end: Callable[[Any], None]) -> Any:
    """What a function starts, with SIGINT blocked in all processes and threads that it starts.

    It runs in a thread of its own; this one can be interrupted.

    Parameters
    ----------
    start
        Starts processes, and answers with what holds them.
    end
        Ends what `start` answered with, if nobody waits for it any more.
    """
    future: Future = Future()
    # No join: in Python 3.11, a thread whose join was interrupted counts as ended.
    over = threading.Event()

    def run() -> None:
        try:
            if hasattr(signal, "pthread_sigmask"):
                resource_tracker.ensure_running()  # it would let the signal through again
                signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
            future.set_result(start())
        except BaseException as error:
            future.set_exception(error)
        over.set()

    def drop(done: Future) -> None:
        with suppress(BaseException):
            end(done.result())

    thread = threading.Thread(target=run, name="latentopt-start", daemon=True)
    try:
        thread.start()  # it waits for the thread to begin, and a signal can come meanwhile
        over.wait()
    except BaseException:  # a signal to this process
        future.add_done_callback(drop)  # it is called at once, if all is started
        over.wait(_GRACE_S)
        raise
    return future.result()

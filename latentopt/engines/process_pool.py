"""An executor of spawned processes that are independent of each other.

In the pool of the standard library, one worker that dies breaks the pool and takes the evaluations
of all others with it; and nothing tells when an evaluation began, or stops one that hangs.
"""

import os
import queue
import signal
import threading
import time
from collections.abc import Callable
from concurrent.futures import Executor, Future
from contextlib import suppress
from multiprocessing import get_context
from multiprocessing.connection import wait
from typing import Any

from latentopt.engines.engine import WorkerDied, WorkerFailed, WorkerOverran
from latentopt.engines.process_worker import GRACE_S, NO_GUARD, serve

_FROM_OUTSIDE = {"SIGKILL", "SIGTERM", "SIGINT", "SIGHUP", "SIGXCPU"}
_MOMENT = 0.5  # seconds
_STARTS = 3  # attempts, where a worker is killed before it is ready


class ProcessPool(Executor):
    """`workers` processes, each with a thread here that hands it one call after the other.

    Parameters
    ----------
    workers
        How many.
    timeout_s
        A call that should stop by itself after so many seconds is killed a little later.
    """

    def __init__(self, workers: int, timeout_s: float | None = None) -> None:
        self._limit = None if timeout_s is None else timeout_s + GRACE_S
        self._calls: queue.SimpleQueue = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._closed = False
        self._workers: dict[threading.Thread, _Worker] = {}
        self._threads = [
            threading.Thread(target=self._hand_out, daemon=True) for _ in range(workers)
        ]
        for thread in self._threads:
            thread.start()

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future:
        """Future of a call, which raises `WorkerDied` or `WorkerOverran` if its process does so."""
        with self._lock:
            if self._closed:
                raise RuntimeError("cannot schedule new futures after shutdown")
            future: Future = Future()
            self._calls.put((future, (fn, args, kwargs)))
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """End the processes; at once, with what they evaluate, unless `wait` is True."""
        with self._lock:
            self._closed = True
            if cancel_futures:
                with suppress(queue.Empty):
                    while call := self._calls.get_nowait():
                        call[0].cancel()
            for _ in self._threads:
                self._calls.put(None)
            workers = [] if wait else list(self._workers.values())
            for worker in workers:
                worker.let_go()
        for thread in self._threads:
            thread.join()

    def _hand_out(self) -> None:
        """Life of a thread: its worker's calls, and a new worker whenever one has ended."""
        worker = self._start()
        while call := self._calls.get():
            future, work = call
            if not future.set_running_or_notify_cancel():
                continue
            try:
                for attempt in range(_STARTS):
                    worker = worker if worker.alive else self._start()
                    try:
                        answer = worker.run(work, self._limit)
                        break
                    except _NotReady as problem:
                        if self._closed or attempt == _STARTS - 1 or not problem.killed:
                            raise WorkerFailed(str(problem)) from None
            except BaseException as error:
                future.set_exception(error)
            else:
                future.set_result(answer)
        worker.end()

    def _start(self) -> "_Worker":
        with self._lock:
            worker = _Worker()
            if self._closed:
                worker.let_go()
            self._workers[threading.current_thread()] = worker
        return worker


class _NotReady(RuntimeError):
    """A worker ended before it could begin."""

    def __init__(self, message: str, killed: bool) -> None:
        super().__init__(message)
        self.killed = killed


class _Worker:
    """One process and the pipes to it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()  # let go by its own thread and by `shutdown`
        context = get_context("spawn")
        self._calls, theirs = context.Pipe()
        held, self._hold = context.Pipe(duplex=False)
        self._process = context.Process(target=serve, args=(theirs, held), name="latentopt-worker")
        self._process.start()
        theirs.close()
        held.close()

    @property
    def alive(self) -> bool:
        return self._process.is_alive()

    def run(self, work: tuple, limit: float | None) -> Any:
        """Answer to one call."""
        began = None
        try:
            self._calls.send(work)
            while True:
                if not wait([self._calls], _MOMENT):  # as its own children may keep the pipe open
                    if not self.alive:
                        raise EOFError
                    if began is not None and limit is not None and time.monotonic() > began + limit:
                        self.end()
                        raise WorkerOverran
                    continue
                word, answer = self._calls.recv()
                if word == "begun":
                    began = time.monotonic()
                elif word == "failed":
                    raise WorkerFailed(answer)
                else:
                    return answer
        except (EOFError, OSError):  # the other end is closed
            raise self._how_it_ended(began is not None) from None

    def let_go(self) -> None:
        """Ask it to stop whatever it does; it does so as well when this process dies."""
        with self._lock:
            self._hold.close()

    def end(self) -> None:
        """Stop it, if need be by force."""
        self.let_go()
        self._calls.close()
        self._process.join(GRACE_S + 1)
        self._kill()

    def _kill(self) -> None:
        """Kill it, if it lives, and what it started."""
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.kill()  # it may not have come so far as to lead a group
        self._process.join()

    def _how_it_ended(self, begun: bool) -> RuntimeError:
        self._process.join(GRACE_S)  # its pipe breaks a moment before
        self._kill()
        code = self._process.exitcode
        name = signal.Signals(-code).name if code < 0 else f"exit code {code}"
        killed = name in _FROM_OUTSIDE
        if begun:
            memory = " (out of memory?)" if name == "SIGKILL" else ""
            return WorkerDied(f"its worker ended with {name}{memory}", killed=killed)
        if code == NO_GUARD:
            return _NotReady(
                "the script starts its campaign when it is imported, as worker processes do; call "
                'it under if __name__ == "__main__":, or set engine: serial',
                killed=False,
            )
        return _NotReady(f"a worker ended with {name} before it was ready", killed=killed)

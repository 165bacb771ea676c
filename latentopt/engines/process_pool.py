"""An executor of spawned processes that are independent of each other.

In the pool of the standard library, one worker that dies breaks the pool and takes the evaluations
of all others with it; and nothing tells when an evaluation began, or stops one that hangs.
"""

import queue
import threading
import time
from collections.abc import Callable
from concurrent.futures import Executor, Future
from contextlib import suppress
from typing import Any

from latentopt.engines.engine import WorkerFailed
from latentopt.engines.process_worker import GRACE_S
from latentopt.engines.worker_process import NotReady, WorkerProcess

_STARTS = 3  # attempts, where a worker is killed before it is ready
_PAUSE_S = 0.5  # before another attempt: what lacks may come free


class ProcessPool(Executor):
    """`workers` processes, each with a thread here that hands it one call after the other.

    Parameters
    ----------
    workers
        How many.
    timeout_s
        A call that should stop by itself after so many seconds is killed a little later.
    start_s
        A worker that has not begun its call after so many seconds is killed, and another tried.
    """

    def __init__(
        self, workers: int, timeout_s: float | None = None, start_s: float | None = None
    ) -> None:
        self._limit = None if timeout_s is None else timeout_s + GRACE_S
        self._start_s = start_s
        self._calls: queue.SimpleQueue = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._closed = False
        self._workers: dict[threading.Thread, WorkerProcess] = {}
        self._threads: list[threading.Thread] = []
        try:
            for _ in range(workers):
                thread = threading.Thread(target=self._hand_out, daemon=True)
                thread.start()
                self._threads.append(thread)
        except RuntimeError:  # the machine has no more threads
            self.shutdown(wait=False)
            raise

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future:
        """Future of a call, which raises `WorkerDied` or `WorkerOverran` if its process does so.

        It raises `WorkerFailed` if no process can be started for it.
        """
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
            workers = {} if wait else dict(self._workers)
        for worker in workers.values():
            worker.let_go()
        end = time.monotonic() + GRACE_S + 1
        for thread, worker in workers.items():
            thread.join(max(0.0, end - time.monotonic()))
            if thread.is_alive():  # its worker takes no notice: it may be stopped
                worker.kill()
        for thread in self._threads:
            thread.join()

    def _hand_out(self) -> None:
        """Life of a thread: its worker's calls, and a new worker whenever one has ended."""
        worker = None
        with suppress(NotReady):  # told by the first call
            worker = self._start()
        while call := self._calls.get():
            future, work = call
            if not future.set_running_or_notify_cancel():
                continue
            for attempt in range(_STARTS):
                try:
                    worker = worker if worker is not None and worker.alive else self._start()
                    future.set_result(worker.run(work, self._start_s, self._limit))
                    break
                except NotReady as problem:
                    if self._closed or attempt == _STARTS - 1 or not problem.may_pass:
                        future.set_exception(WorkerFailed(str(problem)))
                        break
                    time.sleep(_PAUSE_S)
                except BaseException as error:
                    future.set_exception(error)
                    break
        if worker is not None:
            worker.end()

    def _start(self) -> WorkerProcess:
        with self._lock:
            worker = WorkerProcess()
            self._workers[threading.current_thread()] = worker
            closed = self._closed
        if closed:
            worker.let_go()
        return worker

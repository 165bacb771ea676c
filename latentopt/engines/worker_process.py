"""One worker process, as its driver sees it: started, given calls, told to stop, and killed."""

import errno
import os
import signal
import sys
import threading
import time
from contextlib import suppress
from multiprocessing import get_context, process, resource_tracker
from multiprocessing.connection import wait
from multiprocessing.reduction import ForkingPickler
from multiprocessing.spawn import get_executable
from typing import Any

from latentopt.engines.engine import WorkerDied, WorkerFailed, WorkerOverran
from latentopt.engines.process_worker import FOR_THE_DRIVER, GRACE_S, NO_GUARD, serve

_FROM_OUTSIDE = {"SIGKILL", "SIGTERM", "SIGINT", "SIGHUP", "SIGXCPU"}
_LACKING = {errno.EMFILE, errno.ENFILE, errno.EAGAIN, errno.ENOMEM}
_NOT_EXECUTED = 255  # exit code where there is no such program
_MOMENT = 0.5  # seconds
_MOST_STOPPED_S = 60.0  # a worker may be stopped (SIGSTOP) before it has begun anything


class NotReady(RuntimeError):
    """A worker could not be started, or ended before it could begin its call.

    Parameters
    ----------
    message
        Why.
    may_pass
        Whether another attempt may go better.
    """

    def __init__(self, message: str, *, may_pass: bool) -> None:
        super().__init__(message)
        self.may_pass = may_pass


class WorkerProcess:
    """One process and the pipes to it.

    Raises
    ------
    NotReady
        It cannot be started.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()  # let go by its own thread and by `shutdown`
        context = get_context("spawn")
        ends: list[Any] = []
        try:
            ends += context.Pipe()
            ends += context.Pipe(duplex=False)
            self._calls, theirs, held, self._hold = ends
            self._process = context.Process(
                target=serve, args=(theirs, held), name="latentopt-worker"
            )
            _block_signals()
            self._process.start()
        except Exception as error:  # an AssertionError for one
            for end in ends:
                end.close()
            raise _cannot_start(error) from None
        theirs.close()
        held.close()
        assert self._process.pid is not None  # it was started
        self._pid = self._process.pid
        self._ready = False

    @property
    def alive(self) -> bool:
        """Whether the process is there."""
        return self._process.is_alive()

    def run(self, work: tuple, start_s: float | None, limit: float | None) -> Any:
        """Answer to one call.

        Parameters
        ----------
        work
            Function, arguments and keyword arguments.
        start_s
            Seconds until it has to begin; None sets no limit.
        limit
            Seconds it may take from then on; None sets no limit.

        Raises
        ------
        NotReady
            The process ended, or was killed, before it began the call.
        WorkerDied, WorkerOverran, WorkerFailed
            As their names say.
        """
        call = bytes(ForkingPickler.dumps(work))
        # By a thread of its own: a process that is stopped reads nothing.
        sender = threading.Thread(target=self._send, args=(call,), daemon=True)
        sender.start()
        clock, begun = _Clock(self._pid), False
        try:
            while True:
                if not wait([self._calls], _MOMENT):
                    self._check(clock, begun, start_s, limit)
                    continue
                word, answer = self._calls.recv()
                if word == "failed":
                    raise WorkerFailed(answer)
                if word == "done":
                    return answer
                self._ready = True
                if word == "begun":
                    clock, begun = _Clock(self._pid), True
        except (EOFError, OSError):  # the other end is closed
            raise self._how_it_ended(begun) from None

    def _send(self, call: bytes) -> None:
        with suppress(OSError):  # `run` sees it as well, and says why
            self._calls.send_bytes(call)

    def _check(
        self, clock: "_Clock", begun: bool, start_s: float | None, limit: float | None
    ) -> None:
        """Look after a process that says nothing."""
        if not self.alive:  # its own children may keep the pipe open
            raise EOFError
        clock.tick()
        if begun:
            if limit is not None and clock.passed > limit:
                self.end()
                raise WorkerOverran
            return
        most_stopped = _MOST_STOPPED_S if limit is None else min(limit, _MOST_STOPPED_S)
        if start_s is not None and clock.passed > start_s:
            why = f"a worker had not begun after {start_s:g} s (start_s)"
        elif clock.stopped > most_stopped:
            why = f"a worker was stopped (SIGSTOP) for {clock.stopped:.0f} s before it had begun"
        else:
            return
        self.kill()
        raise NotReady(why, may_pass=True)

    def let_go(self) -> None:
        """Ask it to stop whatever it does; it does so as well when this process dies."""
        with self._lock:
            self._hold.close()
            if not self._has_started():  # nobody listens yet
                self._process.kill()

    def end(self) -> None:
        """Stop it, if need be by force."""
        self.let_go()
        if not _is_stopped(self._pid):
            self._process.join(GRACE_S + 1)
        self.kill()
        self._calls.close()

    def kill(self) -> None:
        """Kill it, if it lives, and what it started."""
        with suppress(ProcessLookupError, PermissionError, AttributeError):
            os.killpg(self._pid, signal.SIGKILL)
        self._process.kill()  # it may not have come so far as to lead a group
        self._process.join()

    def _has_started(self) -> bool:
        with suppress(OSError):
            return self._ready or self._calls.poll()
        return True

    def _how_it_ended(self, begun: bool) -> RuntimeError:
        self._process.join(GRACE_S)  # its pipe breaks a moment before
        self.kill()
        code = self._process.exitcode
        if code is None:  # something else in this program has waited for it
            name = "an exit code that is not known"
        else:
            name = signal.Signals(-code).name if code < 0 else f"exit code {code}"
        killed = name in _FROM_OUTSIDE
        if begun:
            memory = " (out of memory?)" if name == "SIGKILL" else ""
            return WorkerDied(f"its worker ended with {name}{memory}", killed=killed)
        return NotReady(_why_it_ended(code, name), may_pass=killed)


def _block_signals() -> None:
    """Let what this thread starts begin with the driver's signals blocked.

    Those of this process are handled by its main thread, which is not this one.
    """
    if hasattr(signal, "pthread_sigmask") and threading.main_thread() != threading.current_thread():
        resource_tracker.ensure_running()  # it lets them through again
        signal.pthread_sigmask(signal.SIG_BLOCK, FOR_THE_DRIVER)


class _Clock:
    """Seconds that pass for a process while this one runs: after Ctrl-Z, say, both go on."""

    def __init__(self, pid: int) -> None:
        self._pid, self._last = pid, time.monotonic()
        self.passed = self.stopped = 0.0

    def tick(self) -> None:
        """Look at the clock, and at the process."""
        now = time.monotonic()
        step, self._last = min(now - self._last, 2 * _MOMENT), now
        self.passed += step
        self.stopped = self.stopped + step if _is_stopped(self._pid) else 0.0


def _is_stopped(pid: int) -> bool:
    """Whether a child of this process was stopped by a signal, where the system can tell."""
    if not hasattr(os, "waitid"):
        return False
    try:
        return os.waitid(os.P_PID, pid, os.WSTOPPED | os.WNOHANG | os.WNOWAIT) is not None
    except OSError:  # it has ended
        return False


def _cannot_start(error: Exception) -> NotReady:
    """Why no process came of it, and whether it may the next time."""
    if isinstance(error, AssertionError) and process.current_process().daemon:
        why = (
            "this process is a daemon, as workers of multiprocessing.Pool are, and may start no "
            "others"
        )
        return NotReady(why, may_pass=False)
    lacking = getattr(error, "errno", None) in _LACKING
    return NotReady(f"no worker can be started ({_said(error)})", may_pass=lacking)


def _said(error: Exception) -> str:
    if isinstance(error, OSError) and error.errno in (errno.EMFILE, errno.ENFILE):
        return f"{error.strerror}; ulimit -n raises the limit"
    return f"{type(error).__name__}: {error}"


def _why_it_ended(code: int | None, name: str) -> str:
    """Of a process that ended before it was ready."""
    python, script = get_executable(), getattr(sys.modules["__main__"], "__file__", None)
    if code == NO_GUARD:
        return (
            "the script starts its campaign when it is imported, as worker processes do; call "
            'it under if __name__ == "__main__":, or set engine: serial'
        )
    if code == _NOT_EXECUTED and not os.access(os.fsdecode(python), os.X_OK):
        return f"{os.fsdecode(python)}, the Python that runs this, is not there any more"
    why = f"a worker ended with {name} before it was ready"
    if code is not None and code > 0 and script is not None:
        why += f"; it imports {os.path.basename(script)}, and says above what went wrong"
    return why

"""What a worker runs: one evaluation, within its time, answered in plain data.

No exception crosses from worker to driver: some cannot be read again there, and would take the
whole pool with them.
"""

import os
import signal
import socket
import threading
import time
import uuid
from collections.abc import Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from jaxtyping import Float

from latentopt.errors import EvaluationError
from latentopt.evaluation.objective import wrapped
from latentopt.evaluation.scoring import evaluate_images
from latentopt.printable import one_line
from objectives.grid import Grid

_FREED_AFTER = 1.0  # seconds, for the answer to be sent


class WorkerObjectives:
    """Objectives on their way to workers, each built or read once in a process.

    Parameters
    ----------
    items
        Specs, which the worker builds itself, and objects and functions of the user's own.
    objectives
        What they are, where it is known: in the driver.
    key
        Tells them from those of other runs.
    """

    def __init__(
        self,
        items: tuple[Any, ...],
        objectives: tuple[Any, ...] | None = None,
        key: str | None = None,
    ) -> None:
        self.items, self._objectives, self.key = items, objectives, key or uuid.uuid4().hex

    def __reduce__(self) -> tuple[Any, ...]:
        return _known_objectives, (self.key, self.items)

    @property
    def objectives(self) -> tuple[Any, ...]:
        """The objectives themselves, made when they are first asked for."""
        if self._objectives is None:
            if any(isinstance(item, str | Mapping) for item in self.items):
                from latentopt.evaluation.objectives import build_objectives

                self._objectives = build_objectives(self.items)
            else:
                self._objectives = tuple(map(wrapped, self.items))
        return self._objectives


_KNOWN: dict[str, WorkerObjectives] = {}


def _known_objectives(key: str, items: tuple[Any, ...]) -> WorkerObjectives:
    """The parts that this process read before, with all that they loaded since."""
    return _KNOWN.setdefault(key, WorkerObjectives(items, key=key))


def here() -> str:
    """Names this process among those of all machines."""
    return f"{socket.gethostname()}:{os.getpid()}"


@dataclass(frozen=True)
class Work:
    """One evaluation, as it is sent to a worker.

    Parameters
    ----------
    parts
        The objectives.
    simulations
        What comes after them, for this trial only.
    image
        As it is scored, float32.
    taken
        Names that the metrics must not have.
    timeout_s
        Seconds after which it is given up, if any. In the main thread of a process what is Python
        is stopped; another thread is left behind, and its process ends unless it is the driver.
    driver
        `here` of the process that asks.
    grid
        What the image stands on.
    """

    parts: WorkerObjectives
    simulations: tuple[Any, ...]
    image: Float[np.ndarray, "c *space"]
    taken: tuple[str, ...]
    timeout_s: float | None
    driver: str
    grid: Grid = field(default_factory=Grid)

    def load(self) -> None:
        """Make the objectives, before the clock runs."""
        self.parts.objectives  # noqa: B018


def prepare(parts: WorkerObjectives) -> str:
    """Make the objectives, as before an evaluation; the name of the process that did."""
    parts.objectives  # noqa: B018
    return here()


def evaluate(work: Work) -> dict[str, Any]:
    """Metrics of one image, or why there are none.

    Returns
    -------
    ``metrics``, ``error`` and ``state`` (None where there are metrics), ``seconds``.
    """
    if here() != work.driver and torch.get_num_threads() != 1:
        torch.set_num_threads(1)  # workers share the cores
    work.load()
    started = time.perf_counter()
    metrics: Mapping[str, float] = {}
    error = state = None
    try:
        metrics = _metrics(work) if work.timeout_s is None else _within(work, work.timeout_s)
    except EvaluationError as problem:
        error, state = str(problem), problem.state
    except OutOfTime:
        error, state = f"took longer than {work.timeout_s:g} s", "timeout"
    except SystemExit as stop:  # an objective that ends its process
        error, state = f"an objective called sys.exit({stop.code!r})", "crashed"
    error = error if error is None else one_line(error)
    seconds = round(time.perf_counter() - started, 4)
    return {"metrics": metrics, "error": error, "state": state, "seconds": seconds}


def _metrics(work: Work) -> dict[str, float]:
    objectives = (*work.parts.objectives, *work.simulations)
    image = torch.from_numpy(work.image)[None]
    return evaluate_images(objectives, image, taken=work.taken, grid=work.grid)


class OutOfTime(BaseException):
    """Passes through ``except Exception`` in a user's solver."""


def _within(work: Work, timeout_s: float) -> dict[str, float]:
    """The metrics, or `OutOfTime`."""
    alarms = hasattr(signal, "setitimer")
    if alarms and threading.current_thread() is threading.main_thread():
        return _before_alarm(work, timeout_s)
    return _in_thread(work, timeout_s)


def _before_alarm(work: Work, timeout_s: float) -> dict[str, float]:
    def ring(*_: Any) -> None:
        raise OutOfTime

    previous = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, timeout_s)
    try:
        return _metrics(work)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, previous or signal.SIG_DFL)


def _in_thread(work: Work, timeout_s: float) -> dict[str, float]:
    future: Future = Future()

    def run() -> None:
        try:
            future.set_result(_metrics(work))
        except BaseException as error:
            future.set_exception(error)

    threading.Thread(target=run, daemon=True).start()
    try:
        return future.result(timeout_s)
    except TimeoutError:
        if here() != work.driver:  # a thread cannot be stopped, its process can
            timer = threading.Timer(_FREED_AFTER, os._exit, (1,))
            timer.daemon = True
            timer.start()
        raise OutOfTime from None

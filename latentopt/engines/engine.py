"""What engines have in common: how many evaluations run at once, how long, and on what."""

import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from concurrent.futures import Executor, Future
from contextlib import ExitStack
from typing import Any

from pydantic import Field, PositiveFloat

from objectives.settings import Settings


class Engine(Settings, ABC):
    """Opens an executor, to which the loop of a campaign submits evaluations.

    An engine of your own overrides `open`; `workers` evaluations at a time are submitted.
    """

    workers: int = Field(2, ge=1, description="Number of evaluations that run at the same time.")
    timeout_s: PositiveFloat | None = Field(
        None,
        description="Seconds that an evaluation may take, counted from its own start. null sets "
        "no limit.",
    )
    drain_s: float = Field(
        30.0,
        ge=0,
        description="Seconds that running evaluations have left to finish after SIGTERM or "
        "SIGUSR1. With 0 they are left pending at once.",
    )

    @abstractmethod
    def open(self) -> Executor:
        """A new executor, whose `submit` takes evaluations until `close`.

        Raises
        ------
        ConfigError
            A package or a setting that the engine needs is missing.
        Exception
            Whatever else keeps it from starting; the campaign ends and says so.
        """

    def close(self, executor: Executor) -> None:
        """End the executor and what still runs on it."""
        executor.shutdown(wait=False, cancel_futures=True)

    def check(self, parts: Iterable[Any]) -> None:
        """Refuse objectives that cannot be evaluated on this engine; any can, unless overridden.

        Parameters
        ----------
        parts
            Objectives and simulators of a campaign.

        Raises
        ------
        ConfigError
            It names the first that cannot.
        """


class EngineWithWorkers(Engine):
    """An engine whose evaluations run in processes of their own, which have to start first."""

    start_s: PositiveFloat | None = Field(
        600.0,
        description="Seconds that a worker may take to start and to load the objectives, slow "
        "disks included. With engine process, a late worker is replaced twice; then the "
        "campaign ends. null sets no limit.",
    )

    def is_running(self, future: Future, answered: bool) -> bool:
        """Whether an evaluation can be under way, and does not wait for a worker.

        Parameters
        ----------
        future
            Of the evaluation.
        answered
            Whether any evaluation has come back.
        """
        return future.running()


class OwnedExecutor(Executor):
    """An executor with more to end than itself.

    Parameters
    ----------
    executor
        Takes the calls.
    end
        Ends whatever runs them, at once.
    """

    def __init__(self, executor: Executor, end: Callable[[], None]) -> None:
        self._executor, self._end = executor, end

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future:
        """What the executor within answers."""
        return self._executor.submit(fn, *args, **kwargs)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """End what runs the calls, and the calls with it."""
        self._end()


def check_file_handles(count: int) -> None:
    """Raise `WorkerFailed` where this process may not open so many files more.

    What communicates over the network tries again for ever when it has none left.
    """
    with ExitStack() as opened:
        try:
            for _ in range(count):
                opened.callback(os.close, os.open(os.devnull, os.O_RDONLY))
        except OSError as error:
            raise WorkerFailed(
                f"it needs {count} open files ({error.strerror}; ulimit -n raises the limit)"
            ) from None


class WorkerDied(RuntimeError):
    """A worker ended while it evaluated this one trial.

    Parameters
    ----------
    message
        How.
    killed
        Whether something outside of it, or a lack of memory, did it: the point is not to blame.
    """

    def __init__(self, message: str, *, killed: bool) -> None:
        super().__init__(message)
        self.killed = killed


class WorkerOverran(RuntimeError):
    """A worker did not stop in time, and was killed."""


class WorkerFailed(RuntimeError):
    """Workers cannot start, or cannot read what they are to evaluate."""

"""The executor of a campaign: opened when it is needed, again if it breaks, and looked after."""

import time
from collections.abc import Iterable
from concurrent.futures import Executor, Future
from contextlib import suppress

from latentopt.engines.engine import Engine, EngineWithWorkers, WorkerFailed
from latentopt.engines.worker import Work, WorkerObjectives, evaluate, prepare
from latentopt.errors import CampaignError, ConfigError
from latentopt.printable import one_line, printable

_OPENINGS = 3  # of an engine that breaks without an answer in between


class HeldExecutor:
    """Takes evaluations for as long as the engine can have them evaluated.

    Parameters
    ----------
    engine
        Opens the executor.
    parts
        What evaluates.

    Raises
    ------
    CampaignError
        By every method, where the engine cannot run evaluations; it says why, and what to do.
    """

    def __init__(self, engine: Engine, parts: WorkerObjectives) -> None:
        self.engine, self._parts = engine, parts
        self._executor: Executor | None = None
        self._openings = 0
        self._answered = False
        self._problem = ""
        self._quiet, self._looked = 0.0, time.monotonic()

    def open(self) -> None:
        """Let workers start, unless they have."""
        self._opened()

    def _opened(self) -> Executor:
        if self._executor is not None:
            return self._executor
        if self._openings == _OPENINGS:
            raise self.cannot(f"it broke {_OPENINGS} times without a result{self._problem}")
        self._openings += 1
        try:
            self._executor = self.engine.open()
            return self._executor
        except (ConfigError, CampaignError):
            raise
        except Exception as error:  # whatever the packages of an engine raise
            raise self.cannot(error) from error

    def submit(self, work: Work) -> Future:
        """Future of an evaluation."""
        while True:
            executor = self._opened()
            try:
                return executor.submit(evaluate, work)
            except RuntimeError as error:  # broken, or shut down by its owner
                self.broke(error)
            except Exception as error:  # such as one that starts workers only now, and cannot
                raise self.cannot(error) from error

    def answered(self) -> None:
        """An evaluation has come back."""
        self._openings, self._answered, self._quiet = 0, True, 0.0

    def broke(self, error: BaseException) -> None:
        """The executor takes no more evaluations: another is opened for the next."""
        self._problem = f" ({_named(error)})"
        self.close()

    def check(self) -> None:
        """Find out whether workers can run anything, where none of them has answered yet.

        Else a trial would be blamed for what no trial could do.
        """
        if self._answered:
            return
        executor = self._opened()
        start_s = getattr(self.engine, "start_s", None)  # an engine of the user's own may have one
        try:
            executor.submit(prepare, self._parts).result(start_s)
        except Exception as error:
            raise self.cannot(error) from error

    def look(self, running: Iterable[Future]) -> None:
        """Look whether evaluations are late for which the engine itself sets no end."""
        now = time.monotonic()
        step, self._looked = min(now - self._looked, 1.0), now  # no more: this process was stopped
        engine = self.engine
        if not isinstance(engine, EngineWithWorkers):
            return
        if engine.timeout_s is None or engine.start_s is None:
            return
        under_way = any(engine.is_running(future, self._answered) for future in running)
        self._quiet = self._quiet + step if under_way else 0.0
        if self._quiet > engine.timeout_s + engine.start_s:
            raise self.cannot(
                f"no evaluation has ended for {self._quiet:.0f} s, though each may take "
                f"{engine.timeout_s:g} s: its workers may be stopped, or cut off"
            )

    def close(self) -> None:
        """End the executor and what still runs on it."""
        if self._executor is not None:
            executor, self._executor = self._executor, None
            with suppress(Exception):  # of a broken one; it is not used again
                self.engine.close(executor)

    def cannot(self, problem: object) -> CampaignError:
        """That the engine cannot run evaluations, why, and what to do."""
        text = one_line(problem)
        if isinstance(problem, BaseException) and not isinstance(problem, WorkerFailed):
            cause = _first_cause(problem)
            text = _named(problem)
            text += "" if cause is problem else f" (because of {_named(cause)})"
        # An engine of the user's own needs no kind.
        kind = getattr(self.engine, "kind", type(self.engine).__name__)
        return CampaignError(
            f"engine {kind} cannot run evaluations: {text.rstrip('.')}. Results so far "
            "are kept; mend it, or set engine: serial, and go on."
        )


def _named(error: BaseException) -> str:
    return one_line(f"{type(error).__name__}: {printable(error)}").removesuffix(":")


def _first_cause(error: BaseException) -> BaseException:
    for _ in range(20):  # causes may go in circles
        if error.__cause__ is None:
            break
        error = error.__cause__
    return error

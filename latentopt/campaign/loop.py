"""The loop of a campaign: points are asked for, evaluated and told until the budget is spent.

Only the driver's process decodes, asks, and writes the journal; workers get images and return
numbers. A trial whose worker is lost while others share the pool is a suspect: it is evaluated
again by itself, at no charge, and only if that fails as well it is to blame.
"""

import logging
from collections.abc import Mapping
from concurrent.futures import (
    FIRST_COMPLETED,
    BrokenExecutor,
    CancelledError,
    Future,
    wait,
)
from contextlib import suppress
from typing import Any, Protocol, runtime_checkable

from latentopt.campaign.draining import Drain, DrainEnded, draining
from latentopt.campaign.dry_run import dry_work, judge_dry_run, wants_dry_run
from latentopt.campaign.kept_structures import Phases, evaluation_in_space_of, image_to_score
from latentopt.campaign.parts import CampaignParts
from latentopt.campaign.progress import Show, progress_bar
from latentopt.engines.engine import Engine, WorkerDied, WorkerFailed, WorkerOverran
from latentopt.engines.held_executor import HeldExecutor
from latentopt.engines.worker import Work, WorkerObjectives, here
from latentopt.errors import CampaignError, EvaluationError, ExhaustedError
from latentopt.evaluation.evaluation import Evaluation
from latentopt.evaluation.scoring import problem_of
from latentopt.interrupts import unwinding
from latentopt.printable import one_line
from latentopt.runs.run import Run
from latentopt.runs.trial import REPEAT, Trial, failure_kind
from objectives.errors import FailedState

_log = logging.getLogger(__name__)

_MOMENT = 0.2  # seconds between looks at the drain
_LONGEST = 200  # characters of what an engine says
# By name, as their packages are not installed everywhere.
_LOST = {"WorkerLost", "ManagerLost", "KilledWorker", "CommClosedError", "CancelledError"}


@runtime_checkable
class Driven(Protocol):
    """What the loop needs of a campaign."""

    parts: CampaignParts
    evaluation: Evaluation

    @property
    def result(self) -> Run:
        """The campaign so far."""
        ...

    @property
    def budget_left(self) -> int:
        """How many more points may be asked for."""
        ...

    @property
    def retraining_due(self) -> bool:
        """Whether the model is retrained before another point is proposed."""
        ...

    def ask(self, q: int | None = None) -> list[Trial]:
        """Propose points, and write them down."""
        ...

    def tell(
        self, index: int, metrics: Mapping[str, Any], *, seconds: float | None = None
    ) -> Trial:
        """Write down the metrics of a trial."""
        ...

    def fail(
        self,
        index: int,
        reason: str,
        *,
        state: FailedState = "crashed",
        seconds: float | None = None,
    ) -> Trial:
        """Write down that a trial failed."""
        ...

    def pending(self) -> list[Trial]:
        """Trials that have no end yet."""
        ...

    def keep_structure(self, trial: Trial, decoded: Phases | None = None) -> Phases | None:
        """The structure of a trial, in its file by now."""
        ...


def run_loop(campaign: Driven, n: int, *, progress: bool) -> None:
    """Evaluate up to `n` trials of a campaign, those that are pending first.

    SIGTERM and SIGUSR1 drain it: nothing more is begun, and what ends in time is written down.
    """
    with (
        unwinding(),
        draining(campaign.parts.engine.drain_s) as drain,
        progress_bar(progress, lambda: campaign.result) as show,
    ):
        loop = Loop(campaign, drain, show)
        with suppress(DrainEnded):
            loop.run(n)
    if drain.signal is not None:
        _log.warning(
            "%s: stopped after %d evaluations, %d are left pending; the same command goes on.",
            drain.signal,
            loop.ended,
            len(campaign.pending()),
        )


class Loop:
    """Keeps as many evaluations running as the engine has workers.

    Parameters
    ----------
    campaign
        Proposes points and takes their results.
    drain
        Once it has begun, nothing more is submitted.
    show
        Called after each trial's end, and with what there is to say.
    """

    def __init__(self, campaign: Driven, drain: Drain, show: Show) -> None:
        self.campaign, self.drain, self.show = campaign, drain, show
        self.engine: Engine = campaign.parts.engine
        self.parts = WorkerObjectives(campaign.parts.for_workers, campaign.parts.objectives)
        self.running: dict[Future, Trial] = {}
        self.ended = 0
        self._left = 0
        self._suspects: list[Trial] = []
        self._alone: Trial | None = None
        self._failure: tuple[str | None, str] | None = None
        self._alike = 0  # failures of this kind in a row
        self._exhausted: ExhaustedError | None = None
        self.executor = HeldExecutor(self.engine, self.parts)

    def run(self, n: int) -> None:
        """Evaluate up to `n` trials, those that are pending first."""
        campaign, self._left = self.campaign, n
        self.show()
        if n <= 0 or not (campaign.pending() or campaign.budget_left):
            return
        self.engine.check((*self.parts.items, *campaign.parts.simulators))
        try:
            self.executor.open()  # workers start while the first points are chosen
            if wants_dry_run(campaign.parts, campaign.result.trials):
                self._dry_run()
            while self._submit_all() or self.running:
                done, _ = wait(self.running, timeout=_MOMENT, return_when=FIRST_COMPLETED)
                for future in sorted(done, key=lambda future: self.running[future].index):
                    self._end(self.running.pop(future), future)
                self.executor.look(self.running)
        finally:
            for future in self.running:
                _cancel(future)
            self.executor.close()
        if self._exhausted is not None:
            raise self._exhausted

    def _dry_run(self) -> None:
        """Evaluate a training structure, as any trial would be."""
        self.show("A training structure is evaluated first, for a test (dry_run: false skips it).")
        parts, evaluation = self.campaign.parts, self.campaign.evaluation
        seed, timeout_s = parts.config.seed, self.engine.timeout_s
        work = dry_work(evaluation, self.parts, seed=seed, timeout_s=timeout_s)
        future = self.executor.submit(work)
        while not wait([future], timeout=_MOMENT).done:
            self.executor.look([future])
            if self.drain.signal is not None:
                _cancel(future)
                raise DrainEnded
        try:
            answer = future.result()
        except WorkerOverran:
            answer = {"error": f"it took longer than {self.engine.timeout_s:g} s"}
        except WorkerDied as error:
            answer = {"error": str(error)}
        except (Exception, CancelledError) as error:
            raise self.executor.cannot(error) from None
        self.executor.answered()
        self.show(judge_dry_run(parts, evaluation, work, answer))

    # -- submitting -------------------------------------------------------------------------------

    def _submit_all(self) -> bool:
        """Fill free workers; whether any trial was submitted."""
        submitted = False
        while self._has_room() and (trial := self._next()) is not None:
            self._submit(trial)
            submitted = True
        return submitted

    def _has_room(self) -> bool:
        if self.drain.signal is not None or self._alone is not None:
            return False
        return len(self.running) < (1 if self._suspects else self.engine.workers)

    def _next(self) -> Trial | None:
        if self._suspects:
            self._alone = self._suspects.pop(0)
            return self._alone
        if self._left <= 0:
            return None
        if self.running and self.campaign.retraining_due:  # once nothing is under way
            return None
        running = {trial.index for trial in self.running.values()}
        waiting = [t for t in self.campaign.pending() if t.index not in running]
        if not waiting and self.campaign.budget_left > 0:
            waiting = self._asked()
        if not waiting:  # nothing is worth it, or not before results that are still to come
            return None
        self._left -= 1
        return waiting[0]

    def _asked(self) -> list[Trial]:
        """The next points; none after the search has found nothing new."""
        size = min(self.campaign.parts.config.batch, self.campaign.budget_left)
        if self._exhausted is None:
            try:
                return self.campaign.ask(size)
            except ExhaustedError as error:
                self._exhausted = error
        return []

    def _submit(self, trial: Trial) -> None:
        campaign, evaluation = self.campaign, self.campaign.evaluation
        try:
            image = image_to_score(
                trial,
                evaluation,
                lambda: evaluation_in_space_of(trial, evaluation, lambda: campaign.result),
                campaign.keep_structure,
            )
        except EvaluationError as error:
            self._fail(trial, str(error), error.state)
            return
        work = Work(
            parts=self.parts,
            simulations=evaluation.objectives_of(
                trial.z, trial.index, again=trial.strategy == REPEAT
            )[len(self.parts.items) :],
            image=image[0].cpu().numpy(),
            grid=evaluation.grid,
            taken=(*evaluation.latent_metrics(trial.point), *trial.metrics),
            timeout_s=self.engine.timeout_s,
            driver=here(),
        )
        self.running[self.executor.submit(work)] = trial

    # -- ending -----------------------------------------------------------------------------------

    def _end(self, trial: Trial, future: Future) -> None:
        """Write down what became of a trial."""
        try:
            answer = future.result()
        except WorkerFailed as error:
            raise self.executor.cannot(error) from None
        except WorkerOverran:
            self._fail(trial, f"took longer than {self.engine.timeout_s:g} s", "timeout")
        except WorkerDied as error:
            if self.drain.signal is None:  # else the machine is going down
                self._fail(trial, str(error), "lost" if error.killed else "crashed")
        except (Exception, CancelledError) as error:
            self._lose(trial, error)
        else:
            self.executor.answered()
            self._take(trial, answer)

    def _take(self, trial: Trial, answer: dict[str, Any]) -> None:
        campaign, seconds = self.campaign, answer["seconds"]
        if answer["error"]:
            self._fail(trial, answer["error"], answer["state"], seconds)
            return
        metrics = (
            campaign.evaluation.latent_metrics(trial.point) | trial.measured | answer["metrics"]
        )
        problem = problem_of(metrics, campaign.parts.config.goal.metrics)
        if problem:
            self._fail(trial, problem, "invalid", seconds)
        else:
            self._failure, self._alike = None, 0
            self._ends(campaign.tell(trial.index, metrics, seconds=seconds))

    def _fail(
        self, trial: Trial, reason: str, state: FailedState, seconds: float | None = None
    ) -> None:
        failed = self.campaign.fail(trial.index, reason, state=state, seconds=seconds)
        self._ends(failed)
        kind = failure_kind(state, reason)
        self._alike = self._alike + 1 if kind == self._failure else 1
        self._failure, limit = kind, self.campaign.parts.config.stop_failures
        counts = state in ("crashed", "invalid", "timeout")
        if counts and limit is not None and self._alike >= limit:
            raise CampaignError(
                f"{limit} evaluations in a row failed alike: {failed.reason}. What was recorded is "
                "kept. Mend it, and go on with --retry-failed (in Python: "
                "campaign.retry_failed()); or set stop_failures."
            )

    def _ends(self, trial: Trial) -> None:
        if self._alone is not None and self._alone.index == trial.index:
            self._alone = None
        self.ended += 1
        self.show()

    def _lose(self, trial: Trial, error: BaseException) -> None:
        """A worker or the whole pool was lost, by this trial or by another one."""
        broken = isinstance(error, BrokenExecutor)
        if broken:
            self.executor.broke(error)
        if self.drain.signal is not None:
            return
        alone = self._alone is not None or self.engine.workers == 1
        if not alone:
            self._suspects.append(trial)
        elif broken or type(error).__name__ in _LOST:
            self.executor.check()
            what = one_line(f"{type(error).__name__}: {error}", _LONGEST).removesuffix(":")
            self._fail(trial, f"its worker was lost ({what})", "crashed")
        else:
            raise self.executor.cannot(error)


def _cancel(future: Future) -> None:
    with suppress(NotImplementedError):  # Parsl's cannot be
        future.cancel()

"""How a campaign stands, in one or two sentences: its state, its best, whether constraints hold."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from latentopt.printable import one_line
from latentopt.runs.quantities import split_objectives, unit_of_objective
from latentopt.runs.run import Run
from latentopt.runs.shortfall import nearest_first, none_best
from latentopt.runs.trial import Trial, failure_kind

__all__ = ["Verdict", "found_briefly", "verdict_of"]

State = Literal["running", "finished", "ended early", "stopped", "failed"]

_REASON = 300  # characters of a reason
_COUNTED = ("crashed", "invalid", "timeout")  # failures that end a campaign if they repeat


@dataclass(frozen=True)
class Verdict:
    """How a campaign stands.

    Parameters
    ----------
    state
        ``running`` while a process has it; ``finished`` when the budget is spent; ``ended early``
        by its `stop_gain`; ``stopped`` with evaluations left; ``failed`` if nothing completed, or
        if it stopped because evaluations in a row failed alike.
    text
        The same in words, with the best value and whether it meets the constraints.
    """

    state: State
    text: str


def verdict_of(run: Run, *, is_running: bool) -> Verdict:
    """Verdict on a run.

    Parameters
    ----------
    run
        As its folder tells.
    is_running
        Whether a process runs the campaign now (`latentopt.runs.journal.lock_holder`).
    """
    state = _state(run, is_running)
    lead = {
        "running": _running,
        "finished": _finished,
        "ended early": _ended_early,
        "stopped": _stopped,
        "failed": _failed,
    }[state](run)
    return Verdict(state, f"{lead} {_found(run)}".strip())


def found_briefly(run: Run) -> str:
    """The best value, or the size of the front of several objectives, in a few words."""
    best = run.best(1)
    if not best:
        return none_best(run)
    if len(run.config.goal.objectives) > 1:
        n = len(run.pareto())
        return f"{n} structure{'' if n == 1 else 's'} on the Pareto front"
    return f"best {_value(run, best[0])} (trial {best[0].index})"


# -- states ---------------------------------------------------------------------------------------


def _state(run: Run, is_running: bool) -> State:
    if is_running and run.evaluations_left:
        return "running"
    completed = any(trial.status == "completed" for trial in run.trials)
    failed = any(trial.status == "failed" for trial in run.trials)
    if (failed and not completed) or (run.evaluations_left and _failed_alike(run)):
        return "failed"
    if run.evaluations_left:
        return "stopped"
    return "finished" if run.final_gain is None else "ended early"


def _failed_alike(run: Run) -> int:
    """How many of the last trials failed alike, if they are enough to end the campaign; else 0."""
    ended = [t for t in run.trials if t.counts and t.status in ("completed", "failed")]
    alike = 0
    for trial in reversed(ended):
        if trial.state not in _COUNTED or _kind(trial) != _kind(ended[-1]):
            break
        alike += 1
    limit = run.config.stop_failures
    return alike if limit is not None and alike >= limit else 0


def _kind(trial: Trial) -> tuple[str | None, str]:
    return failure_kind(trial.state, trial.reason)


def _ended(run: Run) -> list[Trial]:
    return [trial for trial in run.trials if trial.counts and trial.status != "pending"]


def _running(run: Run) -> str:
    return f"Running: {len(_ended(run))} of {run.config.trials} evaluations have ended."


def _finished(run: Run) -> str:
    failed = sum(trial.status == "failed" for trial in _ended(run))
    those = f", and {failed} of them failed" if failed else ""
    return f"Finished: all {len(_ended(run))} evaluations have ended{those}."


def _ended_early(run: Run) -> str:
    limit = (
        "" if run.config.stop_gain is None else f", less than stop_gain {run.config.stop_gain:.3g}"
    )
    return (
        f"Ended early, after {len(_ended(run))} of {run.config.trials} evaluations: further points "
        f"are expected to gain {run.final_gain:.3g}{limit}."
    )


def _stopped(run: Run) -> str:
    return f"Stopped, and unfinished: {_left(run)}."


def _failed(run: Run) -> str:
    failed = [trial for trial in _ended(run) if trial.status == "failed"]
    failed = failed or [trial for trial in run.trials if trial.status == "failed"]
    reason = one_line(failed[-1].reason or "no reason was given", _REASON).rstrip(".")
    alike = _failed_alike(run)
    if any(trial.status == "completed" for trial in run.trials):
        many = f"The last {alike} evaluations failed alike"
    else:
        many = (
            "The only evaluation failed"
            if len(failed) == 1
            else f"All {len(failed)} evaluations failed"
        )
    left = (
        f"the campaign is unfinished: {_left(run)}"
        if run.evaluations_left
        else ("the budget is spent without a result")
    )
    return f"Failed: {reason}. {many}, and {left}."


def _left(run: Run) -> str:
    left = run.evaluations_left
    return f"{left} of {run.config.trials} evaluations {'is' if left == 1 else 'are'} left"


# -- what was found -------------------------------------------------------------------------------


def _found(run: Run) -> str:
    """What the best trials are, or why there are none; empty where nothing has completed."""
    completed = [trial for trial in run.trials if trial.status == "completed"]
    if not completed:
        failed = any(trial.status == "failed" for trial in run.trials)
        return "" if failed else "No trial has completed yet."
    best = run.best(1)
    if not best:
        nearest = nearest_first(run, completed)[0]
        missed = " and ".join(
            f"{text} by {-margin:.4g}"
            for text, margin in run.margins(nearest).items()
            if margin < 0
        )
        return (
            "No trial meets every constraint; "
            f"trial {nearest.index} comes nearest and misses {missed}."
        )
    if len(run.config.goal.objectives) > 1:
        return _front(run)
    return f"The best value is {_value(run, best[0])}, of trial {best[0].index}{_met(run, 1)}."


def _front(run: Run) -> str:
    front = run.pareto()
    values = np.array([run.objectives(trial) for trial in front])
    ranges = [
        f"{text} from {low:.4g} to {high:.4g} {unit_of_objective(run, k)}".strip()
        for k, (text, low, high) in enumerate(
            zip(split_objectives(run.config.objective), values.min(0), values.max(0), strict=True)
        )
    ]
    n = len(front)
    return (
        f"The Pareto front has {n} structure{'' if n == 1 else 's'}{_met(run, n)}: "
        f"{'; '.join(ranges)}."
    )


def _met(run: Run, n: int) -> str:
    if not run.config.constraints:
        return ""
    which = "all constraints" if len(run.config.constraints) > 1 else "the constraint"
    return f", which meet{'s' if n == 1 else ''} {which}"


def _value(run: Run, trial: Trial) -> str:
    """The first objective of a trial; of a noisy one the posterior mean and its standard error."""
    value = run.posterior(trial)
    error = f" ± {value.sem:.2g}" if run.noisy else ""
    return f"{float(value):.4g}{error} {unit_of_objective(run)}".strip()

"""How fast a running campaign gets on, and how long it may still take, as far as that is known."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from latentopt.runs.run import Run

__all__ = ["Pace"]

_ENDS = ("tell", "fail")
_LATELY = 20  # trials whose ends tell the pace
_FIRST_OF_AX = 5  # the first trial that Ax's default chooses by a model


@dataclass(frozen=True)
class Pace:
    """Times of a campaign that a process runs, in seconds.

    Parameters
    ----------
    choosing
        For how long the next points have been chosen; None while trials are under way.
    each
        From the end of one trial to that of the next, lately, with all that happens in between;
        None before the second end.
    left
        Until the budget is spent. None where it cannot be known: before the strategy's model has
        chosen two of the trials that ended, as its choices take longer than the first ones, and
        where the model of the space will be retrained.
    """

    choosing: float | None = None
    each: float | None = None
    left: float | None = None

    @classmethod
    def of(cls, events: Sequence[Mapping[str, Any]], run: Run, began: float, now: float) -> "Pace":
        """Pace of the process that has run a campaign since `began`, in seconds of the epoch.

        Parameters
        ----------
        events, run
            What the journal tells.
        began, now
            Between which times events count.
        """
        times = [event.get("at") for event in events if event["kind"] in _ENDS]
        left = run.evaluations_left
        if not left or None in times[-1:]:  # the journal of an older version has no times
            return cls()
        waits = any(trial.status == "pending" for trial in run.trials)
        last = max(began, *(event.get("at") or 0.0 for event in events[-1:]))
        ends = _ends(events, run, began)
        chosen, before = _ends_of_the_same_kind(run, ends, began)
        each = None if run.config.retrain is not None else _each(chosen, before, now)
        return cls(
            choosing=None if waits else now - last,
            each=_each(list(ends.values()), began, now),
            left=None if each is None else each * left,
        )


def _ends(events: Iterable[Mapping[str, Any]], run: Run, began: float) -> dict[int, float]:
    """When each trial of the budget ended, of those that ended since the process began."""
    counted = {trial.index for trial in run.trials if trial.counts}
    return {
        event["trial"]: event["at"]
        for event in events
        if event["kind"] in _ENDS
        and event["trial"] in counted
        and (event.get("at") or 0.0) >= began
    }


def _ends_of_the_same_kind(
    run: Run, ends: Mapping[int, float], began: float
) -> tuple[list[float], float]:
    """Ends of trials that were chosen as those are that are left, and the last end before them."""
    spec = run.config.strategy
    first = spec.get("initial", _FIRST_OF_AX if spec.get("kind") == "ax" else 0)
    to_choose = run.evaluations_left - sum(trial.status == "pending" for trial in run.trials)
    if to_choose <= 0 or len(run.trials) + to_choose <= first:
        first = 0  # no model chooses what is left
    chosen = [at for index, at in ends.items() if index >= first]
    return chosen, max((at for index, at in ends.items() if index < first), default=began)


def _each(ends: Iterable[float], before: float, now: float) -> float | None:
    """Seconds from end to end, no fewer than if the next came this moment; None for under two."""
    times = [before, *sorted(ends)][-_LATELY - 1 :]
    n = len(times) - 1
    return None if n < 2 else max((times[-1] - times[0]) / n, (now - times[0]) / (n + 1))

"""What a campaign is doing: read from its folder at any time, without its lock."""

import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from latentopt.runs.baseline import baseline_of
from latentopt.runs.candidates import candidate_path
from latentopt.runs.journal import lock_holder, read_events
from latentopt.runs.pace import Pace
from latentopt.runs.run import Run, Trial
from latentopt.runs.shortfall import shortfall_lines
from latentopt.runs.verdict import Verdict, verdict_of

__all__ = ["Status", "read_status", "status_of"]

_COUNTED = ("completed", "failed", "screened", "pending", "imported", "copied")

_BEST, _FAILURES = 3, 5  # how many are told of
_ENDS = ("tell", "fail")


@dataclass(frozen=True, eq=False)
class Status:
    """State of a campaign at one moment.

    Parameters
    ----------
    run
        All that its journal tells.
    driver
        The process that runs it; None if none does.
    driver_seconds
        How long that process has been running it.
    ended
        How many trials it has brought to an end since; None where the journal keeps no times.
    running
        For how many seconds each trial that a worker has has been running, by index.
    pace
        How fast it gets on, and how long it will take.
    """

    run: Run
    driver: str | None
    driver_seconds: float
    ended: int | None
    running: Mapping[int, float]
    pace: Pace = field(default_factory=Pace)

    @property
    def counts(self) -> dict[str, int]:
        """Trials by status, of which each is there even if no trial has it.

        Old data are apart, and points whose structure was known.
        """
        counts = Counter(_kind(trial) for trial in self.run.trials)
        return {name: counts[name] for name in _COUNTED}

    @property
    def queued(self) -> list[int]:
        """Pending trials that no worker has yet."""
        pending = (t.index for t in self.run.trials if t.status == "pending" and not t.copied)
        return [index for index in pending if index not in self.running]

    @property
    def failures(self) -> list[Trial]:
        """Failed trials, the last one first."""
        return [t for t in reversed(self.run.trials) if t.status == "failed" and not t.copied]

    @property
    def failed_by_state(self) -> dict[str, int]:
        """How many failed in which way."""
        states = (trial.state for trial in self.failures)
        return dict(Counter(state for state in states if state is not None).most_common())

    @property
    def left(self) -> int:
        """Evaluations until the budget is spent, or those under way if the campaign ended early."""
        return self.run.evaluations_left

    @property
    def evaluations_per_hour(self) -> float | None:
        """Pace of the driver lately; None before its second trial ended, or without one."""
        return None if self.pace.each is None else 3600 / max(self.pace.each, 1e-3)

    @property
    def seconds_left(self) -> float | None:
        """Estimate of the time until the budget is spent; None where it cannot be known."""
        return self.pace.left

    @property
    def verdict(self) -> Verdict:
        """How the campaign stands, in words."""
        return verdict_of(self.run, is_running=self.driver is not None)

    def as_data(self) -> dict[str, Any]:
        """All of it as plain data, for JSON."""
        run, config = self.run, self.run.config
        baseline, observed = baseline_of(run), run.best_observed()
        return {
            "name": config.name,
            "folder": str(run.folder),
            "state": self.verdict.state,
            "verdict": self.verdict.text,
            "objective": config.objective,
            "constraints": list(config.constraints),
            "strategy": config.strategy.get("kind"),
            "engine": engine_of(run),
            "trials": config.trials,
            **self.counts,
            "failed_by_state": self.failed_by_state,
            "best": [self._found(trial) for trial in run.best(_BEST)],
            "best_observed": None if observed is None else self._found(observed),
            "front": self._front(),
            "missed": shortfall_lines(run),
            "baseline": None
            if baseline is None
            else {"name": baseline.name, "value": baseline.value},
            "ended_early": self.run.final_gain,
            "driver": self.driver,
            "evaluations_per_hour": self.evaluations_per_hour,
            "seconds_left": self.seconds_left,
            "choosing_seconds": self.pace.choosing,
            "running": [{"trial": i, "seconds": s} for i, s in self.running.items()],
            "queued": self.queued,
            "failures": [
                {"trial": t.index, "state": t.state, "reason": t.reason}
                for t in self.failures[:_FAILURES]
            ],
        }

    def _front(self) -> list[dict[str, Any]] | None:
        """Every trial of the front with the values of all objectives; None with one objective."""
        if len(self.run.config.goal.objectives) < 2:
            return None
        return [
            {"trial": trial.index, "values": list(self.run.objectives(trial))}
            for trial in self.run.pareto()
        ]

    def _found(self, trial: Trial) -> dict[str, Any]:
        value = self.run.posterior(trial)
        return {
            "trial": trial.index,
            "value": float(value),
            "error": value.sem,
            "observed": self.run.value(trial),
            "metrics": dict(trial.metrics),
            "sem": dict(trial.sem),
            "margins": self.run.margins(trial),
        }


def _kind(trial: Trial) -> str:
    if trial.copied:
        return "copied"
    return "imported" if trial.imported else trial.status


def read_status(folder: Path | str) -> Status:
    """Status of a campaign's folder, also while the campaign is running.

    Raises
    ------
    CampaignError
        The folder holds no campaign, or a damaged one.
    """
    events = read_events(folder)
    return status_of(Run.of_events(Path(folder), events), events)


def status_of(run: Run, events: Sequence[Mapping[str, Any]]) -> Status:
    """Status of a campaign at this moment, of the events that its journal has by now."""
    folder, now = run.folder, time.time()
    driver, began = lock_holder(folder) or (None, 0.0)
    starts = _starts(events, run) if driver else {}
    return Status(
        run=run,
        driver=driver,
        driver_seconds=now - began if driver else 0.0,
        ended=_ended_since(began, events) if driver else None,
        running={
            index: now - max(at or _time_kept(folder, index) or now, began)
            for index, at in sorted(starts.items())
        },
        pace=Pace.of(events, run, began, now) if driver else Pace(),
    )


def engine_of(run: Run) -> str:
    """What evaluates, in words."""
    engine = run.config.engine
    workers = engine.get("workers")
    return engine["kind"] if workers in (None, 1) else f"{engine['kind']}, {workers} workers"


def _ended_since(began: float, events: Iterable[Mapping[str, Any]]) -> int | None:
    times = [event.get("at") for event in events if event["kind"] in _ENDS]
    if None in times[-1:]:  # the journal of an older version
        return None
    return sum(at is not None and at >= began for at in times)


def _starts(events: Iterable[Mapping[str, Any]], run: Run) -> dict[int, float | None]:
    """When each running trial began, in seconds of the epoch, where the journal keeps times.

    The journal tells when trials were asked for and when they ended; in between they wait for one
    of the workers, who take the one of the lowest index first.
    """
    workers = run.config.engine.get("workers")
    evaluated = {trial.index for trial in run.trials if trial.counts}
    waiting: list[int] = []
    started: dict[int, float | None] = {}
    for event in events:
        if event["kind"] == "ask":
            waiting += [t["index"] for t in event["trials"] if t["index"] in evaluated]
        elif event["kind"] in _ENDS and event["trial"] in waiting:
            waiting.remove(event["trial"])
            started.pop(event["trial"], None)
        else:
            continue
        for index in sorted(waiting)[:workers]:
            started.setdefault(index, event.get("at"))
    return started


def _time_kept(folder: Path, index: int) -> float | None:
    """When the structure of a trial was written: soon after it was asked for."""
    try:
        return candidate_path(folder, index).stat().st_mtime
    except OSError:
        return None

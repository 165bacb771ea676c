"""A campaign's folder, read: every trial and candidate, without lock, torch or Ax."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from latentopt.errors import CampaignError
from latentopt.measurement import Measured
from latentopt.microstructure import Candidate, Microstructure
from latentopt.notebook import card, never_raising, table
from latentopt.pictures import contact_sheet, thumbnail_png
from latentopt.runs.candidates import read_structure
from latentopt.runs.ending import ended_early
from latentopt.runs.journal import read_events
from latentopt.runs.pareto import non_dominated
from latentopt.runs.trial import IMPORTED, REPEAT, Trial, apply_event
from latentopt.runs.true_values import TrueValues, first_of_structure
from latentopt.settings.campaign import CampaignConfig
from objectives.errors import FailedState

__all__ = ["IMPORTED", "FailedState", "Run", "Trial", "apply_event"]

_SHOWN = 5  # best trials in a notebook
_RANKED = 5000  # trials of which a notebook shows the best; to rank more takes seconds


@dataclass(frozen=True, eq=False)
class Run:
    """What a campaign has found so far.

    Parameters
    ----------
    folder
        Where its journal and candidates are.
    config
        Its settings; names of objectives, not the objectives themselves.
    space_id
        The space it began in.
    trials
        All trials, by index.
    units
        Unit of each metric, where it is known.
    provenance
        When it began and with which versions.
    final_gain
        What was expected of further points when the campaign ended early; None if it did not.
    retrained
        Id and folder of each space that its model was retrained to, oldest first.
    boundary
        Boundary condition of each metric, where it is known.
    """

    folder: Path
    config: CampaignConfig
    space_id: str
    trials: tuple[Trial, ...]
    units: Mapping[str, str]
    provenance: Mapping[str, object]
    final_gain: float | None = None
    retrained: tuple[tuple[str, Path], ...] = ()
    boundary: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def read(cls, folder: Path | str) -> "Run":
        """Run of a campaign's folder, also while the campaign is running.

        Raises
        ------
        CampaignError
            The folder holds no campaign.
        JournalError
            (A `CampaignError`.) Its journal is damaged or its end is missing; the message says
            what, and how to go on.
        """
        return cls.of_events(Path(folder), read_events(folder))

    @classmethod
    def of_events(cls, folder: Path, events: Iterable[Mapping[str, Any]]) -> "Run":
        """Run that the events of a journal tell; a `CampaignError` if no campaign has begun."""
        events = list(events)
        header, trials, settings, retrained = None, {}, {}, []
        values: Mapping[str, Any] = {}
        for event in events:
            if event["kind"] == "campaign":
                header, settings, values = event, dict(event["config"]), event
            elif event["kind"] == "settings":
                settings |= event["config"]
                values = event if "units" in event else values
            elif event["kind"] == "space":
                retrained.append((event["space_id"], folder / event["folder"]))
            apply_event(trials, event)
        if header is None:
            raise CampaignError(
                f"{folder}: the campaign has not started; run it with latentopt optimize."
            )
        config = CampaignConfig.checked(settings)
        return cls(
            folder=folder,
            config=config,
            space_id=header["space_id"],
            trials=tuple(trials[index] for index in sorted(trials)),
            units=values["units"],
            provenance={key: header[key] for key in ("created", "versions")},
            final_gain=ended_early(events, config.stop_gain),
            retrained=tuple(retrained),
            boundary=values.get("boundary", {}),
        )

    def best(self, k: int = 1) -> list[Trial]:
        """Up to `k` completed trials that meet every constraint, best first.

        Trials are ranked, and judged by the constraints, by what was measured, and where metrics
        are noisy (they came with standard errors, or a structure was evaluated again with another
        result) by the posterior mean of their true values. A structure that was evaluated or
        proposed more than once comes once. With several objectives, trials that fewer others
        surpass in all of them come first.
        """
        feasible = self._once(self.feasible)
        if not feasible:
            return []
        values = np.array([self.objectives(trial) for trial in feasible])
        beaten = [
            ((values >= row).all(1) & (values > row).any(1)).sum() if values.shape[1] > 1 else 0
            for row in values
        ]
        order = np.lexsort((-values[:, 0], np.array(beaten)))
        return [feasible[i] for i in order[:k]]

    @property
    def feasible(self) -> list[Trial]:
        """Completed trials that meet every constraint, by index."""
        return [
            trial
            for trial in self.trials
            if trial.status == "completed" and self.is_feasible(trial)
        ]

    def is_feasible(self, trial: Trial) -> bool:
        """Whether a completed trial meets every constraint, in posterior mean if it is noisy."""
        return all(margin >= 0 for margin in self.margins(trial).values())

    @cached_property
    def true_values(self) -> TrueValues:
        """What is believed of noisy metrics; empty if there are none."""
        return TrueValues.of(self.trials, self.folder, self.structure)

    @property
    def noisy(self) -> bool:
        """Whether any metric is noisy."""
        return bool(self.true_values.mean)

    def believed(self, trial: Trial) -> dict[str, float]:
        """Metrics of a trial, the posterior mean of its true value in place of each noisy one."""
        return {**trial.metrics, **self.true_values.mean.get(trial.index, {})}

    def objectives(self, trial: Trial) -> tuple[float, ...]:
        """Every objective of a completed trial, larger is better, of the metrics as believed."""
        return tuple(float(value) for value in self.config.goal.values(self.believed(trial)))

    def posterior(self, trial: Trial) -> Measured:
        """Posterior mean of the first objective of a completed trial; its error is ``.sem``.

        Where nothing is noisy it is `value`, and the error 0. Errors of several metrics are taken
        to be independent.
        """
        goal, believed = self.config.goal, self.believed(trial)
        error = goal.objectives[0].sem(believed, self.true_values.error.get(trial.index, {}))
        return Measured(self.objectives(trial)[0], float(error))

    def best_observed(self) -> Trial | None:
        """The feasible trial of the largest measured value of the first objective.

        Of noisy values it is the luckiest one, and its value too large.
        """
        return max(self.feasible, key=self.value, default=None)

    @property
    def evaluations_left(self) -> int:
        """How many until the budget is spent; those under way, if the campaign ended early."""
        if self.final_gain is not None:
            waiting = sum(t.status == "pending" and t.counts for t in self.trials)
            return waiting + self.budget_left
        spent = sum(trial.counts and trial.status != "pending" for trial in self.trials)
        return max(self.config.trials - spent, 0)

    @property
    def budget_left(self) -> int:
        """How many more points may be asked for; after an early end, those of `repeats` only."""
        left = max(0, self.config.trials - sum(trial.counts for trial in self.trials))
        if self.final_gain is None:
            return left
        repeated = sum(trial.strategy == REPEAT for trial in self.trials)
        return min(left, max(0, self.config.repeats - repeated)) if self.feasible else 0

    def pareto(self) -> list[Trial]:
        """Feasible trials that no other surpasses in all objectives, best first in the first one.

        With one objective, those of the best value.
        """
        feasible = self._once(self.feasible)
        if not feasible:
            return []
        values = np.array([self.objectives(trial) for trial in feasible])
        front = np.flatnonzero(non_dominated(values))
        return [feasible[i] for i in front[np.argsort(-values[front, 0], kind="stable")]]

    def value(self, trial: Trial) -> float:
        """Measured objective of a completed trial, larger is better; the first one of several."""
        return float(self.config.goal.values(trial.metrics)[0])

    def margins(self, trial: Trial) -> dict[str, float]:
        """Signed margin of each constraint for a completed trial, met where >= 0.

        Of noisy metrics it is that of their posterior means.
        """
        margins = self.config.goal.margins(self.believed(trial))
        return {text: float(margin) for text, margin in margins.items()}

    def _once(self, trials: list[Trial]) -> list[Trial]:
        """The first of these trials for each structure."""
        first = first_of_structure(self.trials)
        found = {first[trial.index]: trial for trial in reversed(trials)}
        return [trial for trial in trials if found[first[trial.index]] is trial]

    def candidate(self, index: int) -> Candidate:
        """The structure of a trial with all that is known of it.

        Raises
        ------
        CampaignError
            There is no such trial, or the file of its structure is missing, damaged or another's.
        """
        found = [trial for trial in self.trials if trial.index == index]
        if not found:
            raise CampaignError(
                f"{self.folder}: has no trial {index}; it has {len(self.trials)} trials, from 0."
            )
        (trial,) = found
        completed = trial.status == "completed"
        margins = self.config.goal.margins(trial.metrics) if completed else {}
        return Candidate(
            microstructure=self._microstructure(trial),
            z=trial.z,
            metrics=dict(trial.metrics),
            margins={text: float(m) for text, m in margins.items()},
            trial=index,
        )

    def structure(self, trial: Trial, *, shape: tuple[int, ...] | None = None) -> np.ndarray:
        """Phases of a trial's structure, uint8, checked against what the journal knows of it.

        Parameters
        ----------
        trial
            One of `trials`.
        shape
            Shape that it should have, where that is known.

        Raises
        ------
        CampaignError
            The file is missing, damaged, or not the structure of this trial.
        """
        names, sizes = self.config.phase_names, self.config.voxel_size_um
        return read_structure(
            self.folder,
            trial,
            phases=None if names is None else len(names),
            dims=len(sizes) if isinstance(sizes, tuple) else None,
            shape=shape,
        )

    def _microstructure(self, trial: Trial) -> Microstructure:
        phases = self.structure(trial)
        config, dims = self.config, phases.ndim
        sizes = config.grid.edges_um(dims)
        names = config.phase_names or tuple(f"phase {k}" for k in range(max(2, phases.max() + 1)))
        return Microstructure(
            phases=phases,
            voxel_size_m=tuple(size * 1e-6 for size in sizes),
            phase_names=names,
            periodic=(config.periodic,) * dims,
            provenance={
                "campaign": config.name,
                "trial": trial.index,
                "strategy": trial.strategy,
                "seed": config.seed,
                "space_id": trial.space_id or self.space_id,
                "z": trial.z.tolist(),
                **self.provenance,
            },
        )

    # -- notebooks -------------------------------------------------------------------------------

    def __repr__(self) -> str:
        return f"<Run {self.config.name!r} in {str(self.folder)!r}: {len(self.trials)} trials>"

    @never_raising
    def _repr_html_(self) -> str | None:
        states = Counter(trial.status for trial in self.trials)
        facts = {
            "folder": self.folder,
            "objective": self.config.objective,
            "trials": ", ".join(f"{n} {state}" for state, n in states.items()) or "none",
            "evaluations left": self.evaluations_left,
        }
        rows = [
            (trial.index, *(f"{v:.6g}" for v in self.objectives(trial)), self._thumbnail(trial))
            for trial in self._shown()
        ]
        objectives = len(rows[0]) - 2 if rows else 0
        names = [f"objective {k + 1}" for k in range(objectives)] if objectives > 1 else ["value"]
        best = table(["best trial", *names, "structure"], rows) if rows else ""
        return card(f"Run {self.config.name}", facts, more=best)

    @never_raising
    def _repr_png_(self) -> bytes | None:
        found = [self._microstructure(trial) for trial in self._shown()]
        return contact_sheet(found, [f"trial {trial.index}" for trial in self._shown()])

    def _shown(self) -> list[Trial]:
        return self.best(_SHOWN) if len(self.trials) <= _RANKED else []

    def _thumbnail(self, trial: Trial) -> bytes | str:
        try:
            return thumbnail_png(self.structure(trial))
        except CampaignError:
            return "cannot be read"

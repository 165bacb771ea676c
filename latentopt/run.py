"""A campaign's folder, read: every trial and candidate, without lock, torch or Ax."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

from latentopt.candidate_files import read_structure
from latentopt.config import CampaignConfig
from latentopt.errors import CampaignError
from latentopt.journal import read_events
from latentopt.microstructure import Candidate, Microstructure
from latentopt.pareto import non_dominated
from latentopt.stop_rule import ended_early

__all__ = ["IMPORTED", "FailedState", "Run", "Trial"]

IMPORTED = "imported"  # the strategy of trials that were measured before their campaign

FailedState = Literal["infeasible", "invalid", "timeout", "crashed", "lost"]


@dataclass(frozen=True, eq=False)
class Trial:
    """One point of a campaign and what became of it.

    Parameters
    ----------
    index
        0, 1, ... in the order the points were proposed.
    z
        Latent point, float64 ``(d,)``, as it was proposed.
    status
        ``pending`` until its evaluation has an end; ``screened`` where a cheap surrogate ruled it
        out.
    metrics
        Measured values by name. Of trials that are screened, pending or failed: those of the cheap
        objectives of the campaign's screen, if it has one.
    reason
        Why it failed.
    strategy
        What proposed it.
    seconds
        How long its evaluation took, where that is known.
    state
        How it failed: the structure cannot be made (``infeasible``), its values are missing or not
        finite (``invalid``), its evaluation took too long (``timeout``), broke down (``crashed``),
        or was ``lost`` for reasons of the machine. None unless failed.
    space_id
        The space of `z`; None in journals of 0.1, which have one space.
    moved_to
        The point in the space of the last retraining that decodes to its structure most nearly.
    voxel_sha256
        Digest of its structure (`latentopt.microstructure.voxel_sha256`); None where it has no
        structure, and in journals of older versions.
    """

    index: int
    z: np.ndarray
    status: Literal["pending", "completed", "failed", "screened"]
    metrics: Mapping[str, float]
    reason: str | None
    strategy: str
    seconds: float | None
    state: FailedState | None = None
    space_id: str | None = None
    moved_to: np.ndarray | None = None
    voxel_sha256: str | None = None

    @property
    def imported(self) -> bool:
        """Whether its structure was measured before, and is not that which z decodes to."""
        return self.strategy == IMPORTED

    @property
    def point(self) -> np.ndarray:
        """Where it lies in the space that is searched now."""
        return self.z if self.moved_to is None else self.moved_to

    @property
    def counts(self) -> bool:
        """Whether it is one of the `trials` of the budget: old data and a screen cost nothing."""
        return not self.imported and self.status != "screened"


def apply_event(trials: dict[int, Trial], event: Mapping[str, Any]) -> list[int]:
    """Bring the trials up to date with one event of the journal; indices of those it changed."""
    match event["kind"]:
        case "ask":
            for asked in event["trials"]:
                trial = _asked(asked, event["strategy"])
                trials[trial.index] = replace(trial, space_id=event.get("space_id"))
            return [asked["index"] for asked in event["trials"]]
        case "tell":
            changes = {"status": "completed", "metrics": event["metrics"]}
        case "fail":
            state = event.get("state", "crashed")  # journals of 0.1 do not tell
            changes = {"status": "failed", "reason": event["reason"], "state": state}
        case "retry":
            for index in event["trials"]:
                again = {"status": "pending", "reason": None, "state": None, "seconds": None}
                trials[index] = replace(trials[index], **again)
            return list(event["trials"])
        case "space":
            for index, z in event["z"].items():
                trials[int(index)] = replace(trials[int(index)], moved_to=np.array(z))
            return []
        case "structure":  # decoded again, where z gives other voxels than it did before
            index, digest = event["trial"], event["voxel_sha256"]
            trials[index] = replace(trials[index], voxel_sha256=digest)
            return []
        case _:
            return []
    index = event["trial"]
    trials[index] = replace(trials[index], seconds=event["seconds"], **changes)
    return [index]


def _asked(point: Mapping[str, Any], strategy: str) -> Trial:
    """A trial as it begins: pending, unless it is old data or a screen has ruled it out."""
    trial = Trial(
        index=point["index"],
        z=np.array(point["z"], dtype=np.float64),
        status="pending",
        metrics={},
        reason=None,
        strategy=strategy,
        seconds=None,
        voxel_sha256=point.get("voxel_sha256"),
    )
    if "metrics" in point:
        return replace(trial, status="completed", metrics=point["metrics"])
    if (screen := point.get("screen")) is None:
        return trial
    trial = replace(trial, metrics=screen["metrics"])
    if screen["passed"]:
        return trial
    return replace(trial, status="screened", seconds=screen["seconds"])


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
        """Run that the events of a journal tell."""
        events = list(events)
        header, trials, settings, retrained = None, {}, {}, []
        values: dict[str, Any] = {}
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

        With several objectives, trials that fewer others surpass in all of them come first.
        """
        feasible = self.feasible
        if not feasible:
            return []
        goal = self.config.goal
        values = np.array([goal.values(trial.metrics) for trial in feasible])
        beaten = [
            ((values >= row).all(1) & (values > row).any(1)).sum() if values.shape[1] > 1 else 0
            for row in values
        ]
        order = np.lexsort((-values[:, 0], beaten))
        return [feasible[i] for i in order[:k]]

    @property
    def feasible(self) -> list[Trial]:
        """Completed trials that meet every constraint, by index."""
        return [
            trial
            for trial in self.trials
            if trial.status == "completed" and all(m >= 0 for m in self.margins(trial).values())
        ]

    @property
    def evaluations_left(self) -> int:
        """How many until the budget is spent; those under way, if the campaign ended early."""
        if self.final_gain is not None:
            return sum(trial.status == "pending" for trial in self.trials)
        spent = sum(trial.counts and trial.status != "pending" for trial in self.trials)
        return max(self.config.trials - spent, 0)

    def pareto(self) -> list[Trial]:
        """Feasible trials that no other surpasses in all objectives, best first in the first one.

        With one objective, those of the best value.
        """
        feasible = self.feasible
        if not feasible:
            return []
        values = np.array([self.config.goal.values(trial.metrics) for trial in feasible])
        front = np.flatnonzero(non_dominated(values))
        return [feasible[i] for i in front[np.argsort(-values[front, 0], kind="stable")]]

    def value(self, trial: Trial) -> float:
        """Objective of a completed trial, larger is better; the first one if there are several."""
        return float(self.config.goal.values(trial.metrics)[0])

    def margins(self, trial: Trial) -> dict[str, float]:
        """Signed margin of each constraint for a completed trial, feasible where >= 0."""
        return {text: float(m) for text, m in self.config.goal.margins(trial.metrics).items()}

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
        return Candidate(
            microstructure=self._microstructure(trial),
            z=trial.z,
            metrics=dict(trial.metrics),
            margins=self.margins(trial) if completed else {},
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
        sizes = config.voxel_size_um
        sizes = sizes if isinstance(sizes, tuple) else (sizes,) * dims
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

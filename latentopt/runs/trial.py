"""One trial of a campaign, and how the events of a journal change it."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np

from latentopt.measurement import with_sems
from latentopt.notebook import card, never_raising
from objectives.errors import FailedState

__all__ = ["IMPORTED", "REPEAT", "Trial", "apply_event", "failure_kind"]

IMPORTED = "imported"  # the strategy of trials that were measured before their campaign
REPEAT = "repeat"  # and of those that evaluate a structure once more
_SHOWN = 20  # metrics in a notebook


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
    sem
        Standard error of each metric that was given with one.
    repeat_of
        The trial whose structure it evaluates once more: because that was asked for, or because a
        strategy of the user's own proposed the same point.
    same_as
        An earlier trial with the same structure, whose result it takes over: it is not evaluated.
    image_sha256
        Digest of its grey image, where that is what is evaluated.
    copies
        Trials that will take over its result when it ends.
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
    sem: Mapping[str, float] = field(default_factory=dict)
    repeat_of: int | None = None
    same_as: int | None = None
    image_sha256: str | None = None
    copies: tuple[int, ...] = ()

    @property
    def imported(self) -> bool:
        """Whether its structure was measured before, and is not that which z decodes to."""
        return self.strategy == IMPORTED

    @property
    def point(self) -> np.ndarray:
        """Where it lies in the space that is searched now."""
        return self.z if self.moved_to is None else self.moved_to

    @property
    def copied(self) -> bool:
        """Whether its result is that of another trial, and it is not evaluated itself."""
        return self.same_as is not None

    @property
    def counts(self) -> bool:
        """Whether it is one of the `trials` of the budget.

        Old data cost nothing, nor does what a screen rules out or whose structure is known.
        """
        return not self.imported and self.status != "screened" and not self.copied

    @property
    def measured(self) -> dict[str, float]:
        """The metrics, each with its standard error where it has one."""
        return with_sems(self.metrics, self.sem)

    @never_raising
    def _repr_html_(self) -> str | None:
        metrics = {
            name: f"{value:.6g}" + (f" ± {self.sem[name]:.2g}" if name in self.sem else "")
            for name, value in list(self.metrics.items())[:_SHOWN]
        }
        facts: dict[str, object] = {"status": self.status, "proposed by": self.strategy, **metrics}
        if self.status == "failed":
            facts |= {"how it failed": self.state, "reason": self.reason}
        if self.seconds is not None:
            facts["evaluated in"] = f"{self.seconds:.3g} s"
        return card(f"Trial {self.index}", facts)


def failure_kind(state: FailedState | None, reason: str | None) -> tuple[str | None, str]:
    """What failures have in common that are alike: numbers in a reason say nothing of the cause."""
    return state, re.sub(r"\d+", "#", reason or "")


def apply_event(trials: dict[int, Trial], event: Mapping[str, Any]) -> list[int]:
    """Bring the trials up to date with one event of the journal; indices of those it changed."""
    match event["kind"]:
        case "ask":
            for point in event["trials"]:
                _add(trials, point, event)
            return [point["index"] for point in event["trials"]]
        case "tell":
            changes = {
                "status": "completed",
                "metrics": event["metrics"],
                "sem": event.get("sem", {}),
            }
        case "fail":
            state = event.get("state", "crashed")  # journals of 0.1 do not tell
            changes = {"status": "failed", "reason": event["reason"], "state": state}
        case "retry":
            return _again(trials, event["trials"])
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
    copies = trials[index].copies
    trials[index] = replace(trials[index], seconds=event["seconds"], copies=(), **changes)
    for copy in copies:
        trials[copy] = _taken_over(trials[copy], trials[index])
    return [index, *copies]


def _add(trials: dict[int, Trial], point: Mapping[str, Any], event: Mapping[str, Any]) -> None:
    """A trial as it begins: pending, unless it is old data, known or ruled out by a screen."""
    trial = Trial(
        index=point["index"],
        z=np.array(point["z"], dtype=np.float64),
        status="pending",
        metrics={},
        reason=None,
        strategy=point.get("strategy", event["strategy"]),
        seconds=None,
        space_id=point.get("space_id", event.get("space_id")),
        voxel_sha256=point.get("voxel_sha256"),
        image_sha256=point.get("image_sha256"),
        sem=point.get("sem", {}),
        repeat_of=point.get("repeat_of"),
        same_as=point.get("same_as"),
    )
    screen = point.get("screen")
    if trial.repeat_of is not None:  # the model of the space may have been retrained in between
        trial = replace(trial, moved_to=trials[trial.repeat_of].moved_to)
    if trial.copied:
        trial = _follow(trials, replace(trial, metrics=point["known"]))
    elif "metrics" in point:
        trial = replace(trial, status="completed", metrics=point["metrics"])
    elif screen is not None:
        trial = replace(trial, metrics=screen["metrics"], sem=screen.get("sem", {}))
        if not screen["passed"]:
            trial = replace(trial, status="screened", seconds=screen["seconds"])
    trials[trial.index] = trial


def _again(trials: dict[int, Trial], indices: list[int]) -> list[int]:
    """Failed trials as they began; copies take over what their original has come to."""
    again = {"status": "pending", "reason": None, "state": None, "seconds": None}
    for index in indices:
        trials[index] = replace(trials[index], **again)
    for index in indices:
        if trials[index].copied:
            trials[index] = _follow(trials, trials[index])
    return list(indices)


def _follow(trials: dict[int, Trial], copy: Trial) -> Trial:
    """The copy with the result of its original, which has one or will be asked for it."""
    assert copy.same_as is not None
    original = trials[copy.same_as]
    if original.status != "pending":
        return _taken_over(copy, original)
    trials[original.index] = replace(original, copies=(*original.copies, copy.index))
    return copy


def _taken_over(copy: Trial, original: Trial) -> Trial:
    """The copy with the result of its original; what depends on z alone is its own."""
    ended = replace(copy, status=original.status, reason=original.reason, state=original.state)
    if original.status in ("completed", "screened"):
        metrics = {**original.metrics, **copy.metrics}
        return replace(ended, metrics=metrics, sem=original.sem)
    return ended

"""Structures evaluated once more: which one, and how many of them a budget has."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from latentopt.errors import CampaignError
from latentopt.runs.run import Run
from latentopt.runs.trial import REPEAT, Trial
from latentopt.runs.true_values import first_of_structure
from latentopt.settings.campaign import CampaignConfig

__all__ = ["incumbents", "repeat_event", "repeats_due", "repeats_left"]

_INCUMBENTS = 5  # structures that are repeated in turn


def repeats_left(config: CampaignConfig, trials: Iterable[Trial]) -> int:
    """How many of the config's `repeats` are still to be asked for."""
    return max(0, config.repeats - sum(trial.strategy == REPEAT for trial in trials))


def repeats_due(config: CampaignConfig, trials: Iterable[Trial], *, ended_early: bool) -> int:
    """How many repeats come next: all that are left, once the search for new points is over."""
    trials = list(trials)
    left = repeats_left(config, trials)
    spent = sum(trial.counts for trial in trials)
    return left if ended_early or spent >= config.trials - left else 0


def repeat_event(
    run: Run, events: Sequence[Mapping[str, Any]], indices: Sequence[int]
) -> dict[str, Any]:
    """The event of evaluating the structures of some trials once more.

    Raises
    ------
    CampaignError
        There is no such trial, it was not completed, or its structure is not what z decodes to.
    """
    first, trials = first_of_structure(run.trials), {t.index: t for t in run.trials}
    asked = {p["index"]: p for e in events if e["kind"] == "ask" for p in e["trials"]}
    points = []
    for next_index, index in enumerate(indices, start=len(trials)):
        if index not in trials or trials[index].status != "completed" or trials[index].imported:
            raise CampaignError(
                f"{run.folder}: trial {index} cannot be repeated: give the index of a trial that "
                "was completed and not imported."
            )
        trial = trials[first[index]]
        point = {"index": next_index, "z": trial.z.tolist(), "repeat_of": trial.index}
        point |= {"space_id": trial.space_id or run.space_id}
        for name in ("voxel_sha256", "image_sha256"):
            if getattr(trial, name) is not None:
                point[name] = getattr(trial, name)
        screen = asked[trial.index].get("screen")  # its metrics belong to the structure
        points.append(point if screen is None else {**point, "screen": {**screen, "passed": True}})
    return {"kind": "ask", "strategy": REPEAT, "trials": points}


def incumbents(run: Run, q: int) -> list[int]:
    """Up to `q` of the best structures, by their first trials: those evaluated least come first."""
    first = first_of_structure(run.trials)
    trials = {trial.index: trial for trial in run.trials}
    best = [first[trial.index] for trial in run.best(len(run.trials))]
    best = [index for index in dict.fromkeys(best) if not trials[index].imported][:_INCUMBENTS]
    times = Counter(first[t.index] for t in run.trials if not t.copied)  # pending ones, too
    return sorted(best, key=lambda index: times[index])[:q]

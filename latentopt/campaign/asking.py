"""What a campaign asks for next: repeats, first points or proposals, each looked at before.

A point that decodes to a structure the campaign knows takes over its result, and one that the
screen rules out is not evaluated: others are proposed in the place of both. Neither is charged. A
strategy of the user's own that proposes a point which was evaluated, to the last bit, means it:
that is a repeat.
"""

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import numpy as np
from jaxtyping import Float

from latentopt.campaign.kept_structures import with_digest
from latentopt.campaign.ledger import Ledger
from latentopt.campaign.parts import CampaignParts
from latentopt.campaign.proposal import indexed, next_event, proposed_points
from latentopt.campaign.repeats import incumbents, repeat_event, repeats_due
from latentopt.campaign.stop_rule import StopRule
from latentopt.campaign.trial_history import history_of_trials
from latentopt.errors import CampaignError, ExhaustedError
from latentopt.evaluation.evaluation import Evaluation
from latentopt.runs.trial import Trial, apply_event
from latentopt.runs.true_values import noisy_metrics
from latentopt.strategies.prior import draw
from latentopt.strategies.registry import STRATEGIES

__all__ = ["asked_event", "repeated_event"]

_Structures = dict[int, np.ndarray]  # by trial

_OF_THE_STRATEGY = 5  # copies in one ask that are answered with further proposals, then with draws
_COPIES = 50  # copies in one ask after which the search is over


def asked_event(
    parts: CampaignParts,
    evaluation: Evaluation,
    ledger: Ledger,
    stop_rule: StopRule,
    q: int,
    *,
    start: Float[np.ndarray, "s d"] | None,
) -> tuple[dict[str, Any] | None, _Structures]:
    """The event of asking for up to `q` points, or of stopping, and the structures of the points.

    Parameters
    ----------
    parts
        Of the campaign: they propose and screen.
    evaluation
        Decodes, in the space that is searched.
    ledger
        What was asked before.
    stop_rule
        Of the campaign.
    q
        How many points that are evaluated.
    start
        Points that come first.

    Returns
    -------
    None in place of an event where nothing is worth an evaluation, or not before results come that
    are still to come.

    Raises
    ------
    ExhaustedError
        Only structures are found that are known.
    CampaignError
        What the strategy proposes, or the file of first points, is wrong.
    """
    config, trials, events = parts.config, ledger.trials, ledger.events
    over = ledger.run().final_gain is not None
    due = repeats_due(config, trials.values(), ended_early=over)
    if due and (chosen := incumbents(ledger.run(), min(q, due))):
        return repeated_event(ledger, chosen)
    if stop_rule.rests(events):
        return None, {}
    known = [trial for _, trial in sorted(trials.items())]
    told = history_of_trials(known, config, evaluation.space, noisy_metrics(known))
    event = next_event(parts.strategy, stop_rule, told, events, q, start=start)
    if event is None or event["kind"] != "ask":
        return event, {}
    return _Admission(parts, evaluation, event, trials).event(q)


def repeated_event(ledger: Ledger, indices: list[int]) -> tuple[dict[str, Any], _Structures]:
    """The event of evaluating some trials' structures once more, and the structures."""
    run = ledger.run()
    event, structures = repeat_event(run, ledger.events, indices), {}
    trials = {trial.index: trial for trial in run.trials}
    for point in event["trials"]:
        with suppress(CampaignError):  # without its file it is decoded again
            structures[point["index"]] = run.structure(trials[point["repeat_of"]])
    return event, structures


class _Admission:
    """Which points of a proposal are evaluated, and what comes in the place of the others."""

    def __init__(
        self,
        parts: CampaignParts,
        evaluation: Evaluation,
        event: Mapping[str, Any],
        trials: Mapping[int, Trial],
    ) -> None:
        self._parts, self._evaluation, self._event = parts, evaluation, event
        self._trials = dict(trials)
        self._known = {
            digest: index
            for index, trial in sorted(trials.items(), reverse=True)
            if (digest := self._digest(vars(trial))) is not None and _has_a_result(trial)
        }
        self._own = parts.config.strategy["kind"] not in STRATEGIES
        space_id = evaluation.space.id  # a digest of all its weights
        self._evaluated = {  # index by point, of those in the space that is searched now
            trials[index].z.tobytes(): index
            for index in sorted(self._known.values())
            if trials[index].space_id == space_id and not trials[index].imported
        }
        # One without a cache may depend on the trial or z.
        self._by_structure = all(getattr(s, "cache", True) for s in parts.simulators)
        self._copies = 0

    def event(self, q: int) -> tuple[dict[str, Any], _Structures]:
        """The event with all points that were looked at, and the structures of these."""
        points: list[dict[str, Any]] = []
        structures: _Structures = {}
        waiting, missing = list(self._event["trials"]), q
        first = self._event["strategy"] == "start"  # what is asked next comes in their place
        while waiting:
            for proposed in waiting:
                point, structure = self._looked_at(proposed)
                points.append(point)
                apply_event(self._trials, {**self._event, "trials": [point]})
                missing -= self._is_evaluated(point["index"])
                if structure is not None:
                    structures[point["index"]] = structure
            waiting = [] if first else self._others(missing)
        if self._copies >= _COPIES and missing == q and not first:
            raise ExhaustedError(
                f"the last {self._copies} points that were proposed and drawn all decode to "
                "structures that the campaign has evaluated already: the space may hold no others "
                "that the strategy can find. What was recorded is kept. Lower trials to what was "
                "evaluated, or go on with another strategy, seed or space."
            )
        return {**self._event, "trials": points}, structures

    def _looked_at(self, point: Mapping[str, Any]) -> tuple[dict[str, Any], np.ndarray | None]:
        """The point with its digests, and its original or what the screen says of it."""
        evaluation, screen = self._evaluation, self._parts.screen
        point, structure = with_digest(point, evaluation)
        digest = self._digest(point)
        original = self._known.get(digest) if self._by_structure else None
        z = np.array(point["z"], dtype=np.float64)
        if self._own and z.tobytes() in self._evaluated:
            point["repeat_of"] = self._evaluated[z.tobytes()]
        elif original is not None:
            self._copies += 1
            known = evaluation.latent_metrics(z)
            return {**point, "same_as": original, "known": known}, structure
        if screen is not None:
            budget = self._parts.config.trials
            point |= screen.verdict(evaluation, point["z"], self._trials.values(), budget)
        if digest is not None and point.get("screen", {}).get("passed", True):
            self._known.setdefault(digest, point["index"])
            self._evaluated.setdefault(z.tobytes(), point["index"])
        return point, structure

    def _others(self, missing: int) -> list[dict[str, Any]]:
        """As many further points, of the strategy or, where that finds copies only, drawn."""
        if missing <= 0 or self._copies >= _COPIES:
            return []
        parts, space = self._parts, self._evaluation.space
        trials = [self._trials[index] for index in sorted(self._trials)]
        noisy = noisy_metrics(trials)
        history = history_of_trials(trials, parts.config, space, noisy)
        if self._copies < _OF_THE_STRATEGY:
            return proposed_points(parts.strategy, history, missing)
        drawn = space.project(draw(history, missing)).tolist()
        return [{**point, "strategy": "prior"} for point in indexed(history, drawn)]

    def _is_evaluated(self, index: int) -> bool:
        trial = self._trials[index]
        return trial.status == "pending" and not trial.copied

    def _digest(self, point: Mapping[str, Any]) -> str | None:
        """What is equal where objectives are given the same image."""
        grey = self._parts.config.score == "decoded"
        return point.get("image_sha256" if grey else "voxel_sha256")


def _has_a_result(trial: Trial) -> bool:
    """Whether a trial has a result of its own, or will have one, which says what z decodes to."""
    if trial.copied or trial.repeat_of is not None or trial.status == "screened":
        return False
    return trial.state != "lost"

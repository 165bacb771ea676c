"""A screen before the solver: cheap metrics of every point that is proposed.

Cheap metrics are recorded for every point. One that violates a requirement never goes to the
solver, and another is proposed in its place; the strategy is told of both.
"""

import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float64

from latentopt.config import ROOT, ScreenConfig
from latentopt.errors import ConfigError, EvaluationError
from latentopt.evaluation import Evaluation, evaluate_images
from latentopt.expressions import Constraint, nearest, parse_constraint
from latentopt.measurement import journaled
from latentopt.parts import BUILT_IN_UNITS, resolve_objectives
from latentopt.proposal import proposed_points
from latentopt.protocols import Objective
from latentopt.run import Trial, apply_event
from latentopt.trial_history import history_of

if TYPE_CHECKING:
    from latentopt.campaign import Campaign

__all__ = ["Screen", "resolve_screen", "with_screen"]

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Screen:
    """What is computed of every point, and what it has to fulfil to be evaluated.

    Parameters
    ----------
    objectives
        Cheap, in the process that proposes.
    require
        Inequalities between their metrics.
    limit
        Times the budget: as many points are ruled out at most, then everything is evaluated.
    """

    objectives: tuple[Objective, ...]
    require: tuple[Constraint, ...]
    limit: float

    @classmethod
    def of(cls, objectives: Sequence[Objective], config: ScreenConfig | None) -> "Screen | None":
        """The screen of a config, None where it has none.

        Raises
        ------
        ConfigError
            A requirement names a metric that no objective promises.
        """
        if config is None:
            return None
        require = tuple(parse_constraint(text) for text in config.require)
        promised = [*BUILT_IN_UNITS, *(name for part in objectives for name in part.units)]
        needed = [name for constraint in require for name in constraint.margin.weights]
        unknown = [name for name in needed if name not in promised]
        if unknown and all(part.units for part in objectives):
            raise ConfigError(
                f"{ROOT}.screen.require: metric {unknown[0]!r} is not evaluated by the screen; "
                f"{nearest(unknown[0], promised)}"
            )
        return cls(tuple(objectives), require, config.limit)

    def look(self, evaluation: Evaluation, z: Float64[np.ndarray, " d"]) -> dict[str, Any]:
        """What the journal keeps: metrics, whether they fulfil what is required, seconds.

        Raises
        ------
        EvaluationError
            An objective failed, or a required metric is missing.
        """
        start = time.perf_counter()
        known = evaluation.latent_metrics(z)
        scored = evaluation.scored(z)
        metrics = known | evaluate_images(
            self.objectives, scored, taken=known, grid=evaluation.grid
        )
        for constraint in self.require:
            if missing := sorted(constraint.margin.weights.keys() - metrics.keys()):
                raise EvaluationError(f"{missing[0]} is missing among {', '.join(metrics)}")
        return {
            **journaled(metrics),
            "passed": all(bool(c.margin(metrics) >= 0) for c in self.require),
            "seconds": round(time.perf_counter() - start, 4),
        }


def resolve_screen(settings: Any) -> tuple[tuple[Objective, ...], Any]:
    """Objectives of a screen's settings, and the settings with complete specs of them.

    What is malformed otherwise is left to `CampaignConfig`; a `ConfigError` lists the problems of
    the objectives.
    """
    settings = settings.model_dump() if isinstance(settings, ScreenConfig) else settings
    if not isinstance(settings, Mapping) or not isinstance(settings.get("evaluate"), list | tuple):
        return (), settings
    try:
        objectives, specs = resolve_objectives(settings["evaluate"])
    except ConfigError as error:
        text = str(error).replace(f"{ROOT}.evaluate", f"{ROOT}.screen.evaluate")
        raise ConfigError(text) from None
    return objectives, {**settings, "evaluate": specs}


def with_screen(
    campaign: "Campaign", event: dict[str, Any], trials: Mapping[int, Trial]
) -> dict[str, Any]:
    """The event of an ask with what the screen says of its points, and more in place of some.

    As many points as the event asked for pass, or `limit` is reached and all of them do.

    Parameters
    ----------
    event
        As `latentopt.proposal.next_event` made it.
    trials
        All before it, by index.
    """
    screen, config = campaign.screen, campaign.config
    trials, points, waiting = dict(trials), [], list(event["trials"])
    ruled_out = sum(trial.status == "screened" for trial in trials.values())
    while waiting:
        for point in waiting:
            may_fail = ruled_out < screen.limit * config.trials
            points.append(point | _look(campaign, point["z"], may_fail=may_fail))
            apply_event(trials, {**event, "trials": points[-1:]})
            ruled_out += trials[point["index"]].status == "screened"
        missing = len(event["trials"]) - sum(trials[p["index"]].status == "pending" for p in points)
        waiting = []
        if missing:
            history = history_of([trials[i] for i in sorted(trials)], config, campaign.space)
            waiting = proposed_points(campaign.strategy, history, missing)
    return {**event, "trials": points}


def _look(campaign: "Campaign", row: Sequence[float], *, may_fail: bool) -> dict[str, Any]:
    """What the screen says of a point; a screen that breaks down lets it through."""
    try:
        found = campaign.screen.look(campaign.evaluation, np.array(row))
    except EvaluationError as error:
        _log.warning("The screen could not judge a point, which is evaluated: %s.", error)
        return {}
    return {"screen": {**found, "passed": found["passed"] or not may_fail}}

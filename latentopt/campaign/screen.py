"""A screen before the solver: cheap metrics of every point that is proposed.

Cheap metrics are recorded for every point. One that violates a requirement never goes to the
solver, and another is proposed in its place; the strategy is told of both.
"""

import logging
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float64

from latentopt.errors import ConfigError, EvaluationError
from latentopt.evaluation.evaluation import Evaluation
from latentopt.evaluation.objective import Objective
from latentopt.evaluation.objectives import BUILT_IN_UNITS, resolve_objectives
from latentopt.evaluation.scoring import evaluate_images
from latentopt.goal import Constraint, parse_constraint
from latentopt.measurement import journaled
from latentopt.runs.run import Trial
from latentopt.settings.campaign import ScreenConfig
from latentopt.settings.kinds import ROOT
from latentopt.wording import nearest

__all__ = ["Screen", "resolve_screen"]

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
                f"metric {unknown[0]!r} is not evaluated by the screen; "
                f"{nearest(unknown[0], promised)}",
                at=f"{ROOT}.screen.require",
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

    def verdict(
        self, evaluation: Evaluation, row: Sequence[float], trials: Iterable[Trial], budget: int
    ) -> dict[str, Any]:
        """What an ask keeps of a point: the screen's word, or nothing where it breaks down.

        Then the point is evaluated, as it is where `limit` is reached.

        Parameters
        ----------
        evaluation
            Decodes.
        row
            The point.
        trials
            All before it.
        budget
            Trials in all.
        """
        try:
            found = self.look(evaluation, np.array(row))
        except EvaluationError as error:
            _log.warning("The screen could not judge a point, which is evaluated: %s.", error)
            return {}
        ruled_out = sum(trial.status == "screened" for trial in trials)
        may_fail = ruled_out < self.limit * budget
        return {"screen": {**found, "passed": found["passed"] or not may_fail}}


def resolve_screen(settings: Any) -> tuple[tuple[Objective, ...], Any]:
    """Objectives of a screen's settings, and the settings with complete specs of them.

    What is malformed otherwise is left to `CampaignConfig`; a `ConfigError` lists the problems of
    the objectives.
    """
    settings = settings.model_dump() if isinstance(settings, ScreenConfig) else settings
    if not isinstance(settings, Mapping) or not isinstance(settings.get("evaluate"), list | tuple):
        return (), settings
    objectives, specs = resolve_objectives(settings["evaluate"], f"{ROOT}.screen.evaluate")
    return objectives, {**settings, "evaluate": specs}

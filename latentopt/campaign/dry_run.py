"""One evaluation before the first: of a training structure, so that a mistake costs no trial."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from latentopt.campaign.parts import CampaignParts
from latentopt.engines.worker import Work, WorkerObjectives, here
from latentopt.errors import CampaignError, EvaluationError
from latentopt.evaluation.evaluation import Evaluation
from latentopt.runs.trial import Trial
from latentopt.space.latent_space import LatentSpace
from latentopt.wording import nearest

__all__ = ["dry_work", "judge_dry_run", "wants_dry_run"]

_REMEDY = (
    "no trial was spent. Mend it and run the same command again, or set dry_run: false if this "
    "structure alone cannot be evaluated."
)


def wants_dry_run(parts: CampaignParts, trials: Sequence[Trial]) -> bool:
    """Whether nothing has been evaluated yet, and something is to be."""
    if not (parts.config.dry_run and parts.objectives):
        return False
    return all(trial.status in ("pending", "screened") for trial in trials)


def dry_work(
    evaluation: Evaluation, parts: WorkerObjectives, *, seed: int, timeout_s: float | None
) -> Work:
    """The evaluation of a structure that the space was trained on, or of a draw from its prior.

    Simulators have no part in it: they may cost hours.
    """
    z = _point(evaluation.space, seed)
    return Work(
        parts=parts,
        simulations=(),
        image=evaluation.scored(z)[0].cpu().numpy(),
        taken=tuple(evaluation.latent_metrics(z)),
        timeout_s=timeout_s,
        driver=here(),
        grid=evaluation.grid,
    )


def judge_dry_run(
    parts: CampaignParts, evaluation: Evaluation, work: Work, answer: dict[str, Any]
) -> str:
    """What is said of a dry evaluation that went well.

    Raises
    ------
    CampaignError
        It did not, or its metrics are not those that the goal and the screen need.
    """
    if answer["error"]:
        raise CampaignError(
            f"a training structure was evaluated for a test, and failed: "
            f"{answer['error']}; {_REMEDY}"
        )
    promised = {name for part in parts.simulators for name in part.units}
    if parts.screen is not None:
        try:
            z = _point(evaluation.space, parts.config.seed)
            promised |= parts.screen.look(evaluation, z)["metrics"].keys()
        except EvaluationError as error:
            raise CampaignError(
                f"a training structure was screened for a test, and failed: {error}; {_REMEDY}"
            ) from None
    known = {*work.taken, *answer["metrics"], *promised}
    missing = [name for name in parts.config.goal.metrics if name not in known]
    if missing and all(part.units for part in parts.simulators):
        raise CampaignError(
            f"a training structure was evaluated for a test, and gave no {missing[0]}, which the "
            f"goal needs; {nearest(missing[0], sorted(known))} "
            f"{_REMEDY[0].upper()}{_REMEDY[1:]}"
        )
    return f"The test took {answer['seconds']:.2g} s."


def _point(space: LatentSpace, seed: int) -> np.ndarray:
    known = space.reference_ if len(space.reference_) else space.sample(1, seed=seed)
    return np.asarray(known[0], dtype=np.float64)

"""The loop of a campaign: points are asked for, evaluated and told until the budget is spent."""

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from latentopt.errors import EvaluationError
from latentopt.evaluation import problem_of

if TYPE_CHECKING:
    from latentopt.campaign import Campaign
    from latentopt.run import Trial


def run_loop(campaign: "Campaign", n: int, show: Callable[[], None]) -> None:
    """Evaluate up to `n` trials, those that are pending first; `show` is called after each."""
    show()
    while n > 0 and (batch := _next_batch(campaign)):
        for trial in batch[:n]:
            _evaluate(campaign, trial)
            show()
        n -= len(batch)


def _next_batch(campaign: "Campaign") -> "list[Trial]":
    """Pending trials if there are any, else new ones, else none."""
    pending = campaign.pending()
    left = campaign.config.trials - campaign.asked
    return pending or (campaign.ask(min(campaign.config.batch, left)) if left > 0 else [])


def _evaluate(campaign: "Campaign", trial: "Trial") -> None:
    campaign.keep_structure(trial)
    start = time.perf_counter()
    try:
        metrics = campaign.evaluation.metrics(trial.z, trial.index)
        problem = problem_of(metrics, campaign.config.goal.metrics)
        state = "invalid"
    except EvaluationError as error:
        problem, state = str(error), getattr(error, "state", "crashed")
    seconds = round(time.perf_counter() - start, 4)
    if problem:
        campaign.fail(trial.index, problem, state=state, seconds=seconds)
    else:
        campaign.tell(trial.index, metrics, seconds=seconds)

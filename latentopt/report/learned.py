"""What the model of a campaign's strategy has learned: predictions of known values, and inputs."""

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch

from latentopt.campaign.trial_history import history_of_trials
from latentopt.errors import ConfigError
from latentopt.runs.run import Run
from latentopt.space.latent_space import LatentSpace
from latentopt.strategies.build import build_strategy
from latentopt.strategies.fallback import fit_failures

__all__ = ["Learned", "NothingLearned", "learned", "strategy_of"]

_LEAST = 5  # completed trials of which a fit says something


@dataclass(frozen=True, eq=False)
class Learned:
    """A fitted model of the metrics.

    Parameters
    ----------
    fits
        Of each metric: each value predicted from all others, with ``observed``, ``predicted`` and
        ``sigma``, ``(n,)`` each.
    importances
        Of each metric: the share of each input, by name.
    trials
        Index of the trial of each value, and maybe more: of the completed trials, then of those
        that were screened out.
    """

    fits: Mapping[str, Any]
    importances: Mapping[str, Mapping[str, float]]
    trials: tuple[int, ...]


class NothingLearned(Exception):
    """Why there is no model; `failed` if it could not be fitted."""

    def __init__(self, reason: str, *, failed: bool = False) -> None:
        super().__init__(reason)
        self.failed = failed


def strategy_of(run: Run) -> Any:
    """The strategy that the config names; None where it was given in Python."""
    try:
        return build_strategy(run.config.strategy)
    except ConfigError:
        return None


def learned(run: Run, space: LatentSpace | None, strategy: Any) -> Learned:
    """Fit the model of a strategy to all trials of a run.

    Raises
    ------
    NothingLearned
        There is no model, or too little for it to learn from.
    """
    if reason := _why_not(run, space, strategy):
        raise NothingLearned(reason)
    assert space is not None  # that would be a reason
    try:
        history = history_of_trials(run.trials, run.config, space)
        with torch.random.fork_rng(devices=[]), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a fit that ends early is seen in its figures
            torch.manual_seed(run.config.seed)
            model = strategy.model(history)
            fits, importances = model.cross_validate(), model.importances()
    except fit_failures() as error:
        raise NothingLearned(f"The model could not be fitted: {error}", failed=True) from error
    # The order of a history: those that were screened out come last, where a metric has them.
    kinds = ("completed", "screened")
    trials = tuple(t.index for kind in kinds for t in run.trials if t.status == kind)
    return Learned(fits, importances, trials)


def _why_not(run: Run, space: LatentSpace | None, strategy: Any) -> str:
    """Why the model cannot be shown; empty if it can."""
    kind = run.config.strategy.get("kind")
    completed = sum(trial.status == "completed" for trial in run.trials)
    if strategy is None:
        return (
            "The strategy was given in Python, so it cannot be made again here; "
            "write_report(run, strategy=...) shows its model."
        )
    if not hasattr(strategy, "model"):
        return f"Strategy {kind} has no model of the metrics."
    if space is None:
        return "The space is not at hand, and the model needs it."
    if completed < _LEAST:
        return f"A model is shown from {_LEAST} completed trials on; there are {completed}."
    return ""

"""What a campaign's trials are to its strategy."""

import math
from collections.abc import Collection, Iterable, Mapping

import torch
from torch import Tensor

from latentopt.history import History
from latentopt.runs.run import Trial
from latentopt.settings.campaign import CampaignConfig
from latentopt.space.latent_space import LatentSpace


def history_of_trials(
    trials: Iterable[Trial],
    config: CampaignConfig,
    space: LatentSpace,
    noisy: Collection[str] = (),
) -> History:
    """History of these trials, which come by index; `noisy` names metrics that scatter.

    Trials that were lost say nothing of their points, and are left out.
    """
    trials = list(trials)
    completed = [t for t in trials if t.status == "completed"]
    screened = [t for t in trials if t.status == "screened"]
    failed = [t for t in trials if t.status == "failed" and t.state != "lost"]
    return History(
        space,
        config.goal,
        seed=config.seed,
        z=_points(completed, space),
        metrics=_shared_metrics(completed),
        sem=_sems(completed),
        noisy=noisy,
        copied=torch.tensor([t.copied for t in completed], dtype=torch.bool),
        pending=_points([t for t in trials if t.status == "pending"], space),
        failed=_points(failed, space),
        screened=_points(screened, space),
        screened_metrics=_shared_metrics(screened),
        next_index=len(trials),
    )


def _points(trials: list[Trial], space: LatentSpace) -> Tensor:
    rows = [trial.point.tolist() for trial in trials]
    return torch.tensor(rows, dtype=torch.float64).reshape(-1, space.latent_dim)


def _sems(trials: list[Trial]) -> Mapping[str, Tensor]:
    """Standard errors of those shared metrics that some of these trials have one of."""
    return {
        name: torch.tensor([t.sem.get(name, math.nan) for t in trials], dtype=torch.float64)
        for name in _shared_metrics(trials)
        if any(name in t.sem for t in trials)
    }


def _shared_metrics(trials: list[Trial]) -> Mapping[str, Tensor]:
    """Metrics that all of these trials have."""
    shared = set.intersection(*(set(t.metrics) for t in trials)) if trials else set()
    return {
        name: torch.tensor([t.metrics[name] for t in trials], dtype=torch.float64)
        for name in sorted(shared)
    }

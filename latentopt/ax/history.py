"""An Ax experiment, read as the history that a strategy is told."""

import logging
import math
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any

import torch
from ax.core.trial_status import TrialStatus
from torch import Tensor

from latentopt.ax.goal import AxGoal
from latentopt.goal import Goal
from latentopt.history import History
from latentopt.space.ax_parameters import parameter_names, parameters_to_points
from latentopt.space.latent_space import LatentSpace

if TYPE_CHECKING:
    from ax.core.data import Data
    from ax.core.experiment import Experiment

_DONE = (TrialStatus.COMPLETED, TrialStatus.EARLY_STOPPED)
_FAILED = (TrialStatus.FAILED, TrialStatus.ABANDONED)
_WAITING = (TrialStatus.CANDIDATE, TrialStatus.STAGED, TrialStatus.RUNNING)

EXACT = "metrics"  # property of a trial: its values by our names, as they were before Ax rounds
EXACT_SEM = "sem"  # and their standard errors
_DECIMALS = 10  # of pandas.DataFrame.to_json, by which Ax saves data
_TINY = 1e-6  # where fewer than four digits would be left

_log = logging.getLogger(__name__)

# Parameters, metrics and standard errors of one arm.
_Row = tuple[Mapping[str, Any], Mapping[str, float], Mapping[str, float]]


def history_of_experiment(
    experiment: "Experiment",
    space: LatentSpace,
    goal: Goal,
    *,
    seed: int = 0,
    data: "Data | None" = None,
) -> History:
    """What a strategy is told of an Ax experiment.

    Completed trials are observations, if they have every metric of the goal and these are finite;
    else they failed, as failed and abandoned trials did. Trials that were stopped early before
    they had every metric were screened out. Running trials, and candidates, are pending. Stale
    ones were never evaluated, and are left out. Standard errors are taken over where Ax has them.

    Values are read to ten decimals, because Ax's storage keeps no more: a saved experiment then
    reads as it did. A metric that is tiny in its unit, such as a permeability in m2, is read in
    full, with a warning: Ax would save zeros. Trials of a campaign keep their values beside Ax's,
    and are exact.

    Parameters
    ----------
    experiment
        Its parameters are those of `LatentSpace.ax_parameters`.
    space
        Points beyond its radius are projected, as `LatentSpace.from_ax` projects them.
    goal
        Names the metrics that an observation needs.
    seed
        Fixes the strategy's random choices.
    data
        In place of all data of the experiment.

    Raises
    ------
    ValueError
        The experiment has other parameters.
    """
    _check_parameters(experiment, space)
    table = experiment.lookup_data() if data is None else data
    measured, errors = _measured(table, AxGoal(goal))
    observed, screened, pending, failed, known = [], [], [], [], 0
    for index, trial in sorted(experiment.trials.items()):
        for arm in trial.arms:
            known += 1
            metrics, sem = measured.get((index, arm.name), {}), errors.get((index, arm.name), {})
            if EXACT in trial._properties:
                metrics = trial._properties[EXACT]
                sem = trial._properties.get(EXACT_SEM, {})
            complete = all(name in metrics for name in goal.metrics)
            if trial.status in _DONE and complete:
                observed.append((arm.parameters, metrics, sem))
            elif trial.status is TrialStatus.EARLY_STOPPED:
                screened.append((arm.parameters, metrics, {}))
            elif trial.status in _DONE + _FAILED:
                failed.append((arm.parameters, {}, {}))
            elif trial.status in _WAITING:
                pending.append((arm.parameters, {}, {}))
    return History(
        space,
        goal,
        seed=seed,
        z=_points(space, observed),
        metrics=_columns(observed),
        sem=_sems(observed),
        pending=_points(space, pending),
        failed=_points(space, failed),
        screened=_points(space, screened),
        screened_metrics=_columns(screened),
        next_index=known,
    )


def _check_parameters(experiment: "Experiment", space: LatentSpace) -> None:
    expected, got = parameter_names(space.latent_dim), list(experiment.search_space.parameters)
    if sorted(got) != expected:
        raise ValueError(
            f"the experiment should have the parameters {expected[0]} to {expected[-1]} of "
            f"space.ax_parameters(), got {', '.join(got[:3])} and {max(len(got) - 3, 0)} more."
        )


_Values = dict[tuple[int, str], dict[str, float]]  # of each arm of each trial, by name


def _measured(data: "Data", words: AxGoal) -> tuple[_Values, _Values]:
    """Finite metrics, by our names, and those standard errors that are known."""
    rows: _Values = {}
    errors: _Values = {}
    table = data.df
    names = ("trial_index", "arm_name", "metric_name", "mean", "sem")
    for trial, arm, metric, mean, sem in zip(*(table[name] for name in names), strict=True):
        if not math.isfinite(mean):
            continue
        rows.setdefault((int(trial), arm), {})[metric] = float(mean)
        if sem is not None and math.isfinite(sem) and sem >= 0:
            sem = round(float(sem), _DECIMALS) if sem >= _TINY else float(sem)
            errors.setdefault((int(trial), arm), {})[metric] = sem
    _round(rows.values())
    return (
        {key: words.original(metrics) for key, metrics in rows.items()},
        {key: words.original(sems) for key, sems in errors.items()},
    )


def _round(rows: Collection[dict[str, float]]) -> None:
    """Round each metric in place, unless that would leave nothing of it."""
    for name in {name for metrics in rows for name in metrics}:
        having = [metrics for metrics in rows if name in metrics]
        largest = max(abs(metrics[name]) for metrics in having)
        if 0 < largest < _TINY:
            _log.warning(
                "metric %s is at most %.1e, of which Ax saves ten decimals; give it in another "
                "unit before the experiment is saved.",
                name,
                largest,
            )
            continue
        for metrics in having:
            metrics[name] = round(metrics[name], _DECIMALS)


def _points(space: LatentSpace, rows: list[_Row]) -> Tensor:
    z = parameters_to_points([parameters for parameters, *_ in rows], space.latent_dim)
    # Points that a strategy proposed stay what they were, to the last bit.
    beyond = z.norm(dim=1, keepdim=True) > space.radius * (1 + 1e-9)
    return torch.where(beyond, space.project(z), z)


def _columns(rows: list[_Row]) -> dict[str, Tensor]:
    """Values of the metrics that all rows have."""
    shared = set.intersection(*(set(metrics) for _, metrics, _ in rows)) if rows else set()
    return {
        name: torch.tensor([metrics[name] for _, metrics, _ in rows], dtype=torch.float64)
        for name in sorted(shared)
    }


def _sems(rows: list[_Row]) -> dict[str, Tensor]:
    """Standard errors of those metrics that some rows have one of; nan in the others."""
    return {
        name: torch.tensor([sem.get(name, math.nan) for *_, sem in rows], dtype=torch.float64)
        for name in _columns(rows)
        if any(name in sem for *_, sem in rows)
    }

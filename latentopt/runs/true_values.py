"""What is believed of the true values of a run's noisy metrics, and which metrics are noisy.

A metric is noisy if it was given with a standard error, or if one structure was evaluated again and
gave another value. All evaluations of a structure are combined, and what similar structures gave is
taken into account (`latentopt.runs.noisy_regression`).
"""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from jaxtyping import Float

from latentopt.errors import CampaignError
from latentopt.runs.correlation_features import correlation_features
from latentopt.runs.noisy_regression import smoothed
from latentopt.runs.trial import Trial

__all__ = ["TrueValues", "first_of_structure", "noisy_metrics"]

_ROUNDING = 1e-9  # of the largest value: values that differ by less do not scatter
_OF_Z = ("distance_from_data",)  # metrics of the point and not of the structure
_MOST = 20_000  # structures whose features are kept in memory
_features: dict[tuple[str, int, str | None], Float[np.ndarray, " k"]] = {}


@dataclass(frozen=True)
class TrueValues:
    """Posterior means and standard deviations of noisy metrics, by trial and name.

    Both are empty for a run without noise. Trials of one structure have the same ones.
    """

    mean: Mapping[int, Mapping[str, float]] = field(default_factory=dict)
    error: Mapping[int, Mapping[str, float]] = field(default_factory=dict)

    @classmethod
    def of(
        cls, trials: Sequence[Trial], folder: Path, structure: Callable[[Trial], np.ndarray]
    ) -> "TrueValues":
        """What the completed trials of a run tell, each of its noisy metrics for itself.

        Parameters
        ----------
        trials
            All of the run.
        folder
            Of the run.
        structure
            Reads the structure of a trial; a `CampaignError` if its file is missing or another's.
        """
        completed = [trial for trial in trials if trial.status == "completed"]
        names = noisy_metrics(completed)
        if not names:
            return cls()
        first, trial_of = first_of_structure(trials), {trial.index: trial for trial in trials}
        mean: dict[int, dict[str, float]] = {trial.index: {} for trial in completed}
        error: dict[int, dict[str, float]] = {trial.index: {} for trial in completed}
        for name in sorted(names):
            measured = [t for t in completed if name in t.metrics and not t.copied]
            structures = list(dict.fromkeys(first[t.index] for t in measured))
            row = {index: i for i, index in enumerate(structures)}
            found = smoothed(
                _features_of([trial_of[i] for i in structures], folder, structure),
                np.array([row[first[t.index]] for t in measured]),
                np.array([t.metrics[name] for t in measured], dtype=np.float64),
                np.array([t.sem.get(name, math.nan) for t in measured], dtype=np.float64),
            )
            for trial in completed:
                i = row.get(first[trial.index])
                if i is not None:
                    mean[trial.index][name] = float(found.mean[i])
                    error[trial.index][name] = float(found.error[i])
        return cls(mean, error)


def noisy_metrics(trials: Iterable[Trial]) -> frozenset[str]:
    """Metrics of these trials that are noisy."""
    completed = [trial for trial in trials if trial.status == "completed"]
    given = {name for trial in completed for name, sem in trial.sem.items() if sem > 0}
    values: dict[str, dict[int | str, list[float]]] = {}
    for trial in completed:
        if trial.copied or trial.imported:
            continue
        for name, value in trial.metrics.items():
            values.setdefault(name, {}).setdefault(_key(trial), []).append(value)
    for name in values.keys() - given - {*_OF_Z}:
        groups = values[name].values()
        largest = max(abs(value) for group in groups for value in group)
        if any(max(group) - min(group) > _ROUNDING * largest for group in groups):
            given.add(name)
    return frozenset(given)


def first_of_structure(trials: Sequence[Trial]) -> dict[int, int]:
    """For each trial the first one with its structure: itself, unless it repeats or copies one."""
    first: dict[int, int] = {}
    for trial in trials:  # by index: what it repeats or copies comes before it
        before = trial.repeat_of if trial.repeat_of is not None else trial.same_as
        first[trial.index] = trial.index if before is None else first.get(before, before)
    return first


def _key(trial: Trial) -> int:
    return trial.index if trial.repeat_of is None else trial.repeat_of


def _features_of(
    trials: Sequence[Trial], folder: Path, structure: Callable[[Trial], np.ndarray]
) -> Float[np.ndarray, "g k"]:
    """Features of the structures of some trials; their points, where a structure is lost."""
    try:
        rows = [_kept_features(trial, folder, structure) for trial in trials]
    except CampaignError:  # a file that is missing or another's
        return np.stack([trial.point for trial in trials])
    features = np.zeros((len(rows), max(map(len, rows))))  # 0: of a phase that is nowhere
    for i, row in enumerate(rows):
        features[i, : len(row)] = row
    return features


def _kept_features(
    trial: Trial, folder: Path, structure: Callable[[Trial], np.ndarray]
) -> Float[np.ndarray, " k"]:
    key = (str(folder.absolute()), trial.index, trial.voxel_sha256)
    if key not in _features:
        while len(_features) >= _MOST:
            del _features[next(iter(_features))]
        _features[key] = correlation_features(structure(trial))
    return _features[key]

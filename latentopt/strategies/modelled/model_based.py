"""What strategies with a Gaussian process have in common: first points, model, gain, fallback."""

import math
from abc import ABC, abstractmethod
from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar
from weakref import WeakKeyDictionary

import torch
from jaxtyping import Float, Float64, Integer
from pydantic import Field
from torch import Tensor

from latentopt.history import History
from latentopt.space.latent_space import LatentSpace
from latentopt.strategies.fallback import fit_failures, modelled_or_drawn, undisturbed
from latentopt.strategies.start import first_points
from objectives.settings import Settings

if TYPE_CHECKING:
    from latentopt.strategies.modelled.inputs import Inputs
    from latentopt.strategies.modelled.processes import SearchModel
    from latentopt.unit_free import UnitFree

_GAIN_SAMPLES = 512  # of the posterior, behind an expected gain
_fitted: "WeakKeyDictionary[History, dict[ModelBased, tuple[UnitFree, SearchModel]]]" = (
    WeakKeyDictionary()
)


class ModelBased(Settings, ABC):
    """A strategy that fits one Gaussian process a metric and maximizes expected improvement.

    The first points are training structures as different from one another as possible. A subclass
    says what the processes see of a point.
    """

    kind: str
    initial: int = Field(
        10,
        ge=2,
        description="Number of training structures that are evaluated before the first model fit.",
    )
    restarts: int = Field(
        4,
        ge=1,
        description="Number of ascents of the acquisition function for each point that is "
        "proposed.",
    )
    raw_samples: int = Field(
        512,
        ge=8,
        description="Approximate number of points from which the starts of the ascents of the "
        "acquisition function are chosen.",
    )
    max_iterations: int = Field(
        100,
        ge=1,
        description="Largest number of iterations of a model fit, and of an ascent of the "
        "acquisition function.",
    )
    most: int = Field(
        400,
        ge=2,
        description="Largest number of points that the model is fitted to. Half of them are the "
        "best, the others are spread evenly over the campaign.",
    )
    multi_objective: ClassVar[bool] = True

    @abstractmethod
    def inputs(self, space: LatentSpace) -> "Inputs":
        """What a Gaussian process is conditioned on."""

    def propose(self, history: History, q: int) -> Float64[Tensor, "q d"]:
        """The next `q` points: spread over the data at first, then where improvement is expected.

        A fit that fails numerically is logged, and answered with draws from the prior.
        """
        if history.next_index < self.initial or len(history.z) < 2:
            return first_points(history, q)
        return modelled_or_drawn(history, q, self.kind, lambda: self._improving(history, q))

    def model(self, history: History) -> "SearchModel":
        """The fitted processes, with `cross_validate` and `importances`; needs two evaluations.

        Of one history they are fitted once, for a proposal and for the gain expected of it.
        """
        with undisturbed(history):
            return self._fit(history)[1]

    def expected_gain(self, history: History, z: Float[Tensor, "q d"]) -> float:
        """Expected improvement of the best value, or hypervolume, by evaluating these points.

        No improvement counts for more than what lies between the best value found so far and the
        worst: data say nothing of what is farther away. Nothing is expected of an objective that
        has been the same everywhere.

        Returns
        -------
        In the unit of the objective, or the product of the units of several; infinite as long as
        nothing is known that meets the constraints, and where the fit fails.
        """
        from latentopt.strategies.modelled.gain import gain_of

        if len(history.z) < 2:
            return math.inf
        with undisturbed(history):
            try:
                free, model = self._fit(history)
                seed = history.seed_of(history.next_index)
                sampled = model.sample(z.double(), _GAIN_SAMPLES, seed=seed)
                gain = gain_of(free.history, *sampled)
            except fit_failures():
                return math.inf
        gain *= math.prod(free.objective_units)
        return math.inf if math.isnan(gain) else gain

    def _improving(self, history: History, q: int) -> Float64[Tensor, "q d"]:
        from latentopt.strategies.modelled.acquisition import improvement
        from latentopt.strategies.modelled.ascent import highest

        free, model = self._fit(history)
        acquisition = improvement(free.history, model)
        return highest(acquisition, model.inputs, free.history, q, self)

    def _fit(self, history: History) -> "tuple[UnitFree, SearchModel]":
        """The history without units, and the processes fitted to it; of one history once."""
        from latentopt.strategies.modelled.processes import SearchModel
        from latentopt.unit_free import UnitFree

        fitted = _fitted.setdefault(history, {})
        if self not in fitted:
            free = UnitFree.of(history)
            told = _fewer(free.history, self.most)
            inputs = self.inputs(history.space)
            model = SearchModel(told, inputs, max_iterations=self.max_iterations, units=free.units)
            # What is improved on is what is believed of noisy values, not the luckiest of them.
            free = replace(free, history=model.believed(free.history))
            fitted[self] = free, model
        return fitted[self]


def _fewer(history: History, most: int) -> History:
    """The history with at most so many points: half of them the best, half spread over time."""
    from latentopt.strategies.modelled.acquisition import ranking

    changes = {}
    if len(history.z) > most:
        order = ranking(history)
        rest = order[most // 2 :].sort().values
        rows = torch.cat([order[: most // 2], rest[_evenly(len(rest), most - most // 2)]])
        rows = rows.sort().values
        changes = {
            "z": history.z[rows],
            "metrics": {name: values[rows] for name, values in history.metrics.items()},
            "sem": {name: values[rows] for name, values in history.sem.items()},
            "copied": history.copied[rows],
        }
    if len(history.failed) > most:
        changes["failed"] = history.failed[_evenly(len(history.failed), most)]
    if len(history.screened) > most:
        rows = _evenly(len(history.screened), most)
        metrics = {name: values[rows] for name, values in history.screened_metrics.items()}
        changes |= {"screened": history.screened[rows], "screened_metrics": metrics}
    return replace(history, **changes)


def _evenly(n: int, k: int) -> Integer[Tensor, " k"]:
    return torch.linspace(0, n - 1, k).round().long()

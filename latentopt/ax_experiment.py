"""A campaign as an Ax experiment: the same trials in an Ax client, for its analyses and storage."""

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from ax.api.client import Client
from ax.utils.common.logger import ROOT_STREAM_HANDLER
from ax.utils.common.string_utils import SYMPY_GLOBALS

from latentopt.expressions import Constraint, Linear

if TYPE_CHECKING:
    from latentopt.config import CampaignConfig
    from latentopt.run import Trial
    from latentopt.space import LatentSpace


class AxExperiment:
    """An Ax client that is told what happens in a campaign.

    Trials have the campaign's indices there, because both count from 0 in one order, until Ax is
    asked for points of its own, which stay out of the campaign.

    Ax takes no constraint on a metric of the objective: the margin of one is a metric of its own
    there, ``margin_0 >= 0`` for the first constraint. Nor does it take names that SymPy has, such
    as ``E`` or ``beta``: there these are ``E_`` and ``beta_``.

    Parameters
    ----------
    config
        Name and goal of the experiment.
    space
        Its parameters are those of `LatentSpace.ax_parameters`.
    """

    def __init__(self, config: "CampaignConfig", space: "LatentSpace") -> None:
        self.space, self.goal = space, config.goal
        in_objectives = {name for form in self.goal.objectives for name in form.weights}
        self._margins: dict[str, Linear] = {
            f"margin_{i}": constraint.margin
            for i, constraint in enumerate(self.goal.constraints)
            if in_objectives & set(constraint.margin.weights)
        }
        with _quiet():
            self.client = Client(random_seed=config.seed)
            self.client.configure_experiment(parameters=space.ax_parameters(), name=config.name)
            self.client.configure_optimization(
                objective=", ".join(str(_renamed(form)) for form in self.goal.objectives),
                outcome_constraints=[
                    self._constraint_text(i, c) for i, c in enumerate(self.goal.constraints)
                ],
            )
            # Ax's analyses and Pareto front ask for one; ours are points enough to begin with.
            self.client.configure_generation_strategy(
                initialization_budget=0, initialize_with_center=False
            )
        self._in_ax: dict[int, int] = {}  # our index to Ax's

    def record(self, trial: "Trial") -> None:
        """Bring one trial of the client up to date; trials must first come in order."""
        with _quiet():
            if trial.index not in self._in_ax:
                (parameters,) = self.space.to_ax(trial.z[None])
                # Without a name: Ax takes equal points for one arm, which cannot have two.
                self._in_ax[trial.index] = self.client.attach_trial(parameters)
            if trial.status == "completed":
                self._complete(trial)
            elif trial.status == "failed":
                index = self._in_ax[trial.index]
                self.client.mark_trial_failed(index, failed_reason=trial.reason)

    def _complete(self, trial: "Trial") -> None:
        margins = {name: form(trial.metrics) for name, form in self._margins.items()}
        metrics = {**{_ax_name(name): value for name, value in trial.metrics.items()}, **margins}
        known = self.client._experiment.metrics
        self.client.configure_tracking_metrics([name for name in metrics if name not in known])
        self.client.complete_trial(self._in_ax[trial.index], raw_data=metrics)

    def _constraint_text(self, i: int, constraint: Constraint) -> str:
        if f"margin_{i}" in self._margins:
            return f"margin_{i} >= 0"
        return f"{_renamed(constraint.margin)} >= {-constraint.margin.constant!r}"


def _ax_name(metric: str) -> str:
    return f"{metric}_" if metric in SYMPY_GLOBALS else metric


def _renamed(form: Linear) -> Linear:
    """The form without its constant, its metrics by the names they have in Ax."""
    return Linear({_ax_name(name): weight for name, weight in form.weights.items()})


@contextmanager
def _quiet() -> Iterator[None]:
    """Ax's warnings are let through, but not its lines with all 64 parameters of every trial.

    It logs each trial, and warns of each outside the parameters' bounds, where a few in a hundred
    draws of the prior are; it uses those all the same.
    """
    level = ROOT_STREAM_HANDLER.level
    ROOT_STREAM_HANDLER.setLevel(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", ".*out-of-design", RuntimeWarning)
            yield
    finally:
        ROOT_STREAM_HANDLER.setLevel(level)

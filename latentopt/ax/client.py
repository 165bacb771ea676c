"""A history as an Ax experiment that is asked for points: the part of `ax` and `saas` in Ax."""

import math
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

import pandas as pd
from ax.api.client import Client
from ax.core.arm import Arm
from ax.core.data import Data
from jaxtyping import Float64
from torch import Tensor

from latentopt.ax.goal import AxGoal
from latentopt.ax.quiet import quiet_ax
from latentopt.history import History
from latentopt.space.latent_space import LatentSpace
from latentopt.unit_free import UnitFree


def points_of_ax(
    history: History, q: int, configure: Callable[[Client], None]
) -> Float64[Tensor, "q d"]:
    """What Ax proposes next, moved into the space's radius where it lies beyond.

    Parameters
    ----------
    history
        Every observation, pending and failed point is a trial of the experiment.
    q
        How many.
    configure
        Sets the generation strategy of the client, which has the experiment and its goal.
    """
    history = UnitFree.of(history).history
    with _quiet():
        client = _client(history, seed=history.seed_of(history.next_index))
        configure(client)
        _attach(client, history)
        return _points(history.space, client.get_next_trials(q))


def beginning_of_ax(history: History, n: int) -> Float64[Tensor, "n d"]:
    """The first points of Ax's default: the middle, then Sobol's in the box, inside the radius.

    They depend on the seed alone, and the first are the same for every n.
    """
    with _quiet():
        client = _client(history, seed=history.seed)
        client.configure_generation_strategy(
            initialization_budget=n, initialization_random_seed=history.seed
        )
        return _points(history.space, client.get_next_trials(n))


def _points(
    space: LatentSpace, asked: Mapping[int, Mapping[str, float | str]]
) -> Float64[Tensor, "q d"]:
    """Points of the trials that Ax asks for, whose parameters are all numbers."""
    return space.from_ax(
        [{name: float(value) for name, value in each.items()} for each in asked.values()]
    )


def _client(history: History, seed: int) -> Client:
    goal = AxGoal(history.goal)
    client = Client(random_seed=seed)
    client.configure_experiment(parameters=history.space.ax_parameters())
    client.configure_optimization(goal.objective, goal.constraints)
    return client


def _attach(client: Client, history: History) -> None:
    """Trials of the history, all data at once: sixty times faster than by the client's methods."""
    experiment, to_ax = client._experiment, history.space.to_ax
    trials = {
        name: [
            experiment.new_trial().add_arm(Arm(parameters=parameters)).mark_running(True)
            for parameters in to_ax(getattr(history, name))
        ]
        for name in ("z", "failed", "pending")
    }
    for trial in trials["failed"]:
        trial.mark_failed()
    if not trials["z"]:
        return
    needed = {name: history.metrics[name] for name in history.goal.metrics}
    columns, sems = AxGoal(history.goal).metrics(needed), _sems(history, needed)
    rows = [
        {
            "trial_index": trial.index,
            "arm_name": trial.arm.name,
            "metric_name": name,
            "metric_signature": name,
            "mean": value,
            "sem": sem,
        }
        for name, column in columns.items()
        for trial, value, sem in zip(
            trials["z"],
            column.tolist(),
            sems[name].tolist() if name in sems else [math.nan] * len(column),
            strict=True,
        )
    ]
    experiment.attach_data(Data(df=pd.DataFrame(rows)))
    for trial in trials["z"]:
        trial.mark_completed()


def _sems(history: History, metrics: dict[str, Tensor]) -> dict[str, Tensor]:
    """Standard errors for Ax, of metrics of which all are known and some are more than 0.

    Where one is not known Ax infers one for all.
    """
    known = {
        name: sem
        for name, sem in history.sem.items()
        if name in metrics and not sem.isnan().any() and (sem > 0).any()
    }
    return AxGoal(history.goal).sems(metrics, known)


@contextmanager
def _quiet() -> Iterator[None]:
    with quiet_ax(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # dozens an ask, of deprecations and of its own settings
        yield

"""Ax as a strategy proposes what Ax proposes, and takes every goal that we take."""

import pytest
import torch
from ax.api.client import Client

from latentopt.ax.goal import AxGoal
from latentopt.goal import Goal
from latentopt.history import History
from latentopt.strategies.ax_default import AxDefault
from latentopt.strategies.saas import Saas
from latentopt.unit_free import UnitFree


def told(space, goal, n=9, **changes):
    z = space.sample(n, seed=1)
    metrics = {"a": torch.sin(z[:, 0]) + z[:, 1], "b": 0.3 * z[:, 2], "c": z[:, 3] ** 2}
    return History(space, goal, z=z, metrics=metrics, **changes)


def test_it_begins_as_a_client_does_in_which_nothing_is_configured(tiny_space):
    client = Client(random_seed=0)
    client.configure_experiment(parameters=tiny_space.ax_parameters())
    client.configure_optimization(objective="a")
    client.configure_generation_strategy(initialization_random_seed=0)  # else another each time
    z = tiny_space.from_ax(list(client.get_next_trials(5).values()))
    for start, q in ((0, 5), (2, 3), (4, 1)):
        history = History(tiny_space, Goal.parse("a"), next_index=start)
        torch.testing.assert_close(AxDefault().propose(history, q), z[start : start + q])


@pytest.mark.slow
def test_it_goes_on_as_a_client_that_is_told_by_its_own_methods(tiny_space):
    goal = Goal.parse("a - 2*b", ["c <= 1"])
    waiting, failed = tiny_space.sample(2, seed=2), tiny_space.sample(1, seed=3)
    history = told(tiny_space, goal, pending=waiting, failed=failed)
    # The numbers that Ax is told are without units; an ascent ends elsewhere for another last bit.
    words = AxGoal(UnitFree.of(history).history.goal)
    metrics = UnitFree.of(history).history.metrics
    client = Client(random_seed=history.seed_of(history.next_index))
    client.configure_experiment(parameters=tiny_space.ax_parameters())
    client.configure_optimization(objective=words.objective, outcome_constraints=words.constraints)
    client.configure_generation_strategy(initialization_budget=0, initialize_with_center=False)
    for i, parameters in enumerate(tiny_space.to_ax(history.z)):
        values = {name: float(column[i]) for name, column in metrics.items()}
        client.complete_trial(client.attach_trial(parameters), values)
    client.mark_trial_failed(client.attach_trial(*tiny_space.to_ax(failed)))
    for parameters in tiny_space.to_ax(waiting):
        client.attach_trial(parameters)
    (parameters,) = client.get_next_trials(1).values()
    expected = tiny_space.from_ax(parameters)
    torch.testing.assert_close(AxDefault().propose(history, 1)[0], expected)


@pytest.mark.slow
@pytest.mark.parametrize("strategy", [AxDefault(), Saas(initial=8, ensemble=2)])
@pytest.mark.parametrize(
    ("objective", "constraints"),
    [("a, -b", ["c <= 1", "b >= -1"]), ("-distance(a - 1, 2*b)", ["a <= 2"])],
)
def test_several_objectives_constraints_and_targets_are_taken(
    tiny_space, strategy, objective, constraints
):
    history = told(tiny_space, Goal.parse(objective, constraints))
    assert torch.isfinite(strategy.propose(history, 1)).all()


def test_a_metric_of_two_objectives_is_in_one_of_them_for_ax():
    words = AxGoal(Goal.parse("a - 2*b, b, c", ["b <= 1", "c + d >= 0", "d <= 2"]))
    assert words.objective == "1.0*a + -2.0*b, objective_1, 1.0*c"
    assert words.constraints == ["margin_0 >= 0", "margin_1 >= 0", "-1.0*d >= -2.0"]
    values = {"a": 1.0, "b": 3.0, "c": 0.5, "d": 1.0}
    assert words.metrics(values) == {
        **values,
        "objective_1": 3.0,
        "margin_0": -2.0,
        "margin_1": 1.5,
    }
    assert words.original(words.metrics(values)) == values


def test_names_of_the_goal_are_kept_and_those_that_ax_refused_come_back():
    words = AxGoal(Goal.parse("E"))
    assert words.original(words.metrics({"E": 1.0, "beta": 2.0})) == {"E": 1.0, "beta": 2.0}
    assert AxGoal(Goal.parse("E_")).original({"E_": 1.0}) == {"E_": 1.0}

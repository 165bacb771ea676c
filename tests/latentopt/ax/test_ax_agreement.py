"""A strategy's goal and that of its Ax experiment say the same, or nothing is proposed."""

import pytest
from ax.api.client import Client

from latentopt.ax.agreement import check_agreement
from latentopt.ax.goal import AxGoal
from latentopt.errors import ConfigError
from latentopt.goal import Goal
from latentopt.strategies.ax_node import generation_strategy


def client_of(space, objective, constraints=()):
    client = Client()
    client.configure_experiment(parameters=space.ax_parameters())
    client.configure_optimization(objective=objective, outcome_constraints=list(constraints))
    return client


SAME = [
    ("-loss", (), "-loss", ()),
    ("-loss", (), "-2*loss", ()),
    ("a - 2*b", (), "-4*b + 2*a", ()),
    ("a, -b", (), "-b, a", ()),
    ("a", ("c <= 1",), "a", ("2*c <= 2",)),
    ("a", ("c <= 1", "d >= 0"), "a", ("d >= 0", "c <= 1")),
    ("a", ("c - d >= 1",), "a", ("-c + d <= -1",)),
    ("a, b", ("a >= 1",), "a, b", ("a >= 1",)),  # which Ax takes for a threshold
    ("a, b", (), "a, b", ("a >= 1",)),
    ("a", ("a <= 9",), "a", ()),  # Ax has no words for it
    ("-distance(a - 1, b)", ("c <= 1",), "-mismatch", ("c <= 1",)),
]
OTHER = [
    ("loss", (), "-loss", ()),
    ("a", (), "b", ()),
    ("a - 2*b", (), "a + 2*b", ()),
    ("a - 2*b", (), "a - 3*b", ()),
    ("a", (), "a - 2*b", ()),
    ("a, b", (), "a", ()),
    ("a, b", (), "a, -b", ()),
    ("a", ("c <= 1",), "a", ("c <= 2",)),
    ("a", ("c <= 1",), "a", ("c >= 1",)),
    ("a", ("c <= 1",), "a", ("d <= 1",)),
    ("a", ("c <= 1",), "a", ()),
    ("a", (), "a", ("c <= 1",)),
    ("a", ("c <= 1",), "a", ("c <= 1 * baseline",)),
    ("-distance(a - 1, b)", ("c <= 1",), "-mismatch", ("c <= 2",)),
]


@pytest.mark.parametrize(("goal", "constraints", "objective", "outcome_constraints"), SAME)
def test_the_same_goal_in_other_words_is_taken(
    tiny_space, goal, constraints, objective, outcome_constraints
):
    client = client_of(tiny_space, objective, outcome_constraints)
    check_agreement(Goal.parse(goal, constraints), client._experiment.optimization_config)


@pytest.mark.parametrize(("goal", "constraints", "objective", "outcome_constraints"), OTHER)
def test_another_goal_is_refused_and_both_are_named(
    tiny_space, goal, constraints, objective, outcome_constraints
):
    config = client_of(tiny_space, objective, outcome_constraints)._experiment.optimization_config
    with pytest.raises(ConfigError, match="maximizes") as error:
        check_agreement(Goal.parse(goal, constraints), config)
    for text in (*constraints, config.objective.expression):
        assert text in str(error.value)


@pytest.mark.parametrize(
    ("goal", "constraints"),
    [("E - 2*b, b", ["b <= 1", "E <= 1"]), ("-distance(a - 1)", ["a <= 2"])],
)
def test_our_own_words_for_ax_agree(tiny_space, goal, constraints):
    words = AxGoal(Goal.parse(goal, constraints))
    config = client_of(tiny_space, words.objective, words.constraints)._experiment
    check_agreement(Goal.parse(goal, constraints), config.optimization_config)


def test_an_experiment_without_a_goal_of_its_own_contradicts_nothing():
    check_agreement(Goal.parse("a"), None)


def test_the_first_point_is_refused_and_after_it_is_corrected_given(tiny_space, tiny_space_folder):
    client = client_of(tiny_space, "-loss")
    client.set_generation_strategy(generation_strategy("prior", tiny_space_folder, "loss"))
    with pytest.raises(ConfigError, match=r"maximizes 1\.0\*loss, but .* maximizes -loss"):
        client.get_next_trials(1)
    client.set_generation_strategy(generation_strategy("prior", tiny_space_folder, "-loss"))
    assert len(client.get_next_trials(1)) == 1

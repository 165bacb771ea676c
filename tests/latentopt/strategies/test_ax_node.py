"""A strategy in the user's own Ax loop: proposes, is saved, and goes on elsewhere."""

import json
import subprocess
import sys

import pytest
import torch
from ax.analysis import CrossValidationPlot
from ax.analysis.plotly.plotly_analysis import PlotlyAnalysisCard
from ax.api.client import Client
from ax.api.configs import RangeParameterConfig, StorageConfig
from ax.exceptions.core import UnsupportedError
from ax.generation_strategy.generation_strategy import GenerationStrategy
from ax.generation_strategy.transition_criterion import MinTrials

from latentopt.ax.history import history_of_experiment
from latentopt.errors import CampaignError, ConfigError, ModelFileError
from latentopt.goal import Goal
from latentopt.history import History
from latentopt.space.latent_space import LatentSpace
from latentopt.strategies import STRATEGIES
from latentopt.strategies.ax_node import StrategyNode, generation_strategy

OBJECTIVE, CONSTRAINTS = "a - 2*b", ["c <= 1"]
GOAL = Goal.parse(OBJECTIVE, CONSTRAINTS)
CHEAP = {
    "restarts": 1,
    "raw_samples": 16,
    "candidates": 32,
    "pool": 32,
    "max_iterations": 5,
    "ensemble": 1,
}
LIKE_ANOTHER = {"gp": "gp_typical", "saas": "ax"}  # is told the same, and reads it by the same code
KINDS = [
    pytest.param(kind, marks=[pytest.mark.slow] * (kind == "ax"))
    for kind in STRATEGIES
    if LIKE_ANOTHER.get(kind) not in STRATEGIES
]


def small(kind="gp_typical"):
    """The strategy with its cheapest options."""
    known = STRATEGIES[kind].model_fields
    return STRATEGIES[kind](**{name: value for name, value in CHEAP.items() if name in known})


def measure(z):
    """Metrics with no more decimals than Ax saves."""
    exact = {"a": torch.sin(z[0]), "b": z[1] ** 2, "c": z[2]}
    return {name: round(float(value), 10) for name, value in exact.items()}


def make(space, strategy, *, storage=None, name="mine"):
    """A client whose points are those of the strategy."""
    client = Client(storage_config=storage)
    client.configure_experiment(parameters=space.ax_parameters(), name=name)
    client.configure_optimization(objective=OBJECTIVE, outcome_constraints=CONSTRAINTS)
    client.set_generation_strategy(strategy)
    return client


def fill(client, space, n=14):
    """Trials of every status: the last two run, two failed, one was abandoned, one stopped."""
    for z in space.sample(n, seed=1):
        (parameters,) = space.to_ax(z[None])
        index = client.attach_trial(parameters)
        if index == 3:
            client.mark_trial_failed(index)
        elif index == 4:
            client.mark_trial_abandoned(index)
        elif index == 5:
            client.attach_data(index, {"c": 0.5})
            client.mark_trial_early_stopped(index)
        elif index == 6:
            client.complete_trial(index, {**measure(z), "a": float("nan")})
        elif index < n - 2:
            client.complete_trial(index, measure(z))


def expected_history(space, n=14, seed=0):
    z = space.sample(n, seed=1)
    done = [i for i in range(n - 2) if i not in (3, 4, 5, 6)]
    values = [measure(row) for row in z[done]]
    return History(
        space,
        GOAL,
        seed=seed,
        z=z[done],
        metrics={
            name: torch.tensor([v[name] for v in values], dtype=torch.float64) for name in "abc"
        },
        pending=z[n - 2 :],
        failed=z[[3, 4, 6]],
        screened=z[[5]],
        screened_metrics={"c": torch.tensor([0.5]).double()},
    )


def next_point(client, space):
    (parameters,) = client.get_next_trials(1).values()
    return space.from_ax(parameters)


@pytest.fixture(scope="module")
def space(tiny_space_folder):
    return LatentSpace.load(tiny_space_folder)


def test_an_experiment_reads_as_the_history_of_its_trials(space, tiny_space_folder):
    client = make(space, generation_strategy("prior", tiny_space_folder, OBJECTIVE, CONSTRAINTS))
    fill(client, space)
    read, expected = history_of_experiment(client._experiment, space, GOAL), expected_history(space)
    for name in ("z", "pending", "failed", "screened"):
        assert torch.equal(getattr(read, name), getattr(expected, name))
    for name in "abc":
        assert torch.equal(read.metrics[name], expected.metrics[name])
    assert torch.equal(read.screened_metrics["c"], expected.screened_metrics["c"])
    assert read.next_index == 14


@pytest.mark.parametrize("kind", KINDS)
def test_ax_read_back_is_given_what_the_strategy_proposes(kind, space, tiny_space_folder, tmp_path):
    strategy = small(kind)
    node = generation_strategy(strategy, tiny_space_folder, OBJECTIVE, CONSTRAINTS, seed=3)
    client = make(space, node)
    fill(client, space)
    client.save_to_json_file(str(tmp_path / "ax.json"))
    again = Client.load_from_json_file(str(tmp_path / "ax.json"))
    proposed = strategy.propose(expected_history(space, seed=3), 1)
    assert torch.equal(next_point(again, space), space.project(proposed)[0])


def test_points_asked_together_are_those_asked_one_by_one(space, tiny_space_folder):
    points = []
    for q in ([2], [1, 1]):
        client = make(
            space, generation_strategy(small(), tiny_space_folder, OBJECTIVE, CONSTRAINTS)
        )
        fill(client, space)
        asked = [p for n in q for p in client.get_next_trials(n).values()]
        points.append(space.from_ax(asked))
    assert torch.equal(*points)
    assert (points[0].norm(dim=1) <= space.radius * (1 + 1e-9)).all()


def test_options_seed_and_criteria_are_saved(space, tiny_space_folder, tmp_path):
    first = StrategyNode(
        {"kind": "gp_typical", "initial": 7},
        tiny_space_folder,
        "-distance(a - 1, 2*b)",
        ["c <= 1"],
        seed=5,
        name="first",
        transition_criteria=[MinTrials(threshold=2, transition_to="second")],
        should_deduplicate=False,
    )
    second = StrategyNode("prior", tiny_space_folder, OBJECTIVE, CONSTRAINTS, name="second")
    client = make(space, GenerationStrategy(name="two", nodes=[first, second]))
    client.get_next_trials(1)
    client.save_to_json_file(str(tmp_path / "ax.json"))
    again = Client.load_from_json_file(str(tmp_path / "ax.json"))
    node = again._generation_strategy._nodes[0]
    assert StrategyNode.serialize_init_args(node) == StrategyNode.serialize_init_args(first)
    assert torch.equal(next_point(again, space), next_point(client, space))
    again.get_next_trials(1)
    assert again._generation_strategy.current_node_name == "second"


GO_ON = """
import json, sys
import latentopt.strategies.ax_node
from ax.analysis import CrossValidationPlot
from ax.analysis.plotly.plotly_analysis import PlotlyAnalysisCard
from ax.api.client import Client
client = Client.load_from_json_file(sys.argv[1])
print("ANSWER" + json.dumps(list(client.get_next_trials(2).values())))
"""


@pytest.mark.slow
def test_a_saved_client_goes_on_in_another_process(space, tiny_space_folder, tmp_path):
    client = make(space, generation_strategy(small(), tiny_space_folder, OBJECTIVE, CONSTRAINTS))
    fill(client, space)
    client.save_to_json_file(str(tmp_path / "ax.json"))
    command = [sys.executable, "-c", GO_ON, str(tmp_path / "ax.json")]
    printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    theirs = json.loads(printed.split("ANSWER")[1])
    assert theirs == list(client.get_next_trials(2).values())


def test_a_client_in_a_database_goes_on_with_the_same_point(space, tiny_space_folder, tmp_path):
    pytest.importorskip("sqlalchemy")
    from ax.storage.sqa_store.db import (
        create_all_tables,
        get_engine,
        init_engine_and_session_factory,
    )

    url = f"sqlite:///{tmp_path / 'ax.db'}"
    init_engine_and_session_factory(url=url)
    create_all_tables(get_engine())
    storage = StorageConfig(url=url)
    strategy = generation_strategy(small(), tiny_space_folder, OBJECTIVE, CONSTRAINTS)
    client = make(space, strategy, storage=storage)
    client.get_next_trials(1)
    fill(client, space)
    again = Client.load_from_database("mine", storage_config=storage)
    assert torch.equal(
        history_of_experiment(again._experiment, space, GOAL).z,
        history_of_experiment(client._experiment, space, GOAL).z,
    )
    assert torch.equal(next_point(again, space), next_point(client, space))


def test_it_proposes_before_anything_is_known_and_after_everything_failed(space, tiny_space_folder):
    client = make(space, generation_strategy(small(), tiny_space_folder, OBJECTIVE, CONSTRAINTS))
    for index in client.get_next_trials(3):
        client.mark_trial_failed(index)
    assert next_point(client, space).norm() <= space.radius * (1 + 1e-9)


def test_ax_knows_the_best_trial(space, tiny_space_folder):
    client = make(space, generation_strategy("prior", tiny_space_folder, OBJECTIVE, CONSTRAINTS))
    fill(client, space)
    told = expected_history(space)
    values = torch.where(told.metrics["c"] <= 1, GOAL.values(told.metrics)[0], -torch.inf)
    parameters, *_ = client.get_best_parameterization(use_model_predictions=False)
    assert torch.equal(space.from_ax(parameters), told.z[values.argmax()])


@pytest.mark.slow
def test_ax_fits_a_model_of_its_own_for_its_analyses(space, tiny_space_folder, tmp_path):
    client = make(space, generation_strategy("prior", tiny_space_folder, OBJECTIVE, CONSTRAINTS))
    fill(client, space)
    (parameters,) = client.get_next_trials(1).values()
    with pytest.raises(UnsupportedError, match="not predictive"):
        client.predict([parameters])
    (cards,) = client.compute_analyses([CrossValidationPlot(["c"])], display=False)
    assert {type(card) for card in cards.children} == {PlotlyAnalysisCard}
    told = expected_history(space)
    predicted = [float(p["c"][0]) for p in client.predict(space.to_ax(told.z))]
    both = torch.stack([torch.tensor(predicted, dtype=torch.float64), told.metrics["c"]])
    assert torch.corrcoef(both)[0, 1] > 0.9
    client.save_to_json_file(str(tmp_path / "ax.json"))
    again = Client.load_from_json_file(str(tmp_path / "ax.json"))
    assert torch.equal(next_point(again, space), next_point(client, space))


def test_fixed_parameters_are_refused(space, tiny_space_folder):
    client = make(space, generation_strategy("prior", tiny_space_folder, OBJECTIVE, CONSTRAINTS))
    with pytest.raises(UnsupportedError, match="takes no fixed parameters"):
        client.get_next_trials(1, fixed_parameters={"z0": 0.0})


def test_a_repeated_point_is_not_answered_by_sobol(space, tiny_space_folder):
    strategy = generation_strategy("prior", tiny_space_folder, OBJECTIVE, CONSTRAINTS)
    client = make(space, strategy)
    repeated = STRATEGIES["prior"]().propose(History(space, GOAL, next_index=1), 1)
    client.attach_trial(*space.to_ax(repeated))
    point = next_point(client, space)  # trial 1 would be the point that trial 0 has
    assert torch.equal(
        point, STRATEGIES["prior"]().propose(History(space, GOAL, next_index=2), 1)[0]
    )


def test_other_parameters_are_refused(tiny_space_folder):
    client = Client()
    other = [RangeParameterConfig(name="x", bounds=(0.0, 1.0), parameter_type="float")]
    client.configure_experiment(parameters=other)
    client.configure_optimization(objective="a")
    client.set_generation_strategy(generation_strategy("prior", tiny_space_folder, "a"))
    with pytest.raises(ValueError, match=r"parameters z0 to z3 of space.ax_parameters\(\), got x"):
        client.get_next_trials(1)


def test_a_space_in_memory_is_to_be_saved_first(tiny_space):
    with pytest.raises(ValueError, match=r"space.save\(folder\)"):
        generation_strategy("prior", tiny_space, OBJECTIVE)
    assert StrategyNode("prior", LatentSpace.default(), OBJECTIVE).space.latent_dim == 64


def test_a_strategy_of_the_users_own_is_refused(tiny_space_folder):
    class Mine:
        def propose(self, history, q):
            return history.space.sample(q)

    with pytest.raises(ConfigError, match="Mine is your own"):
        generation_strategy(Mine(), tiny_space_folder, OBJECTIVE)
    with pytest.raises(ConfigError, match="did you mean gp_typical"):
        generation_strategy("gp_typicl", tiny_space_folder, OBJECTIVE)


def test_metrics_too_small_for_the_storage_of_ax_are_read_and_reported(
    space, tiny_space_folder, caplog
):
    client = make(space, generation_strategy("prior", tiny_space_folder, OBJECTIVE, CONSTRAINTS))
    for parameters in space.to_ax(space.sample(2)):
        client.complete_trial(client.attach_trial(parameters), {"a": 3.5e-13, "b": 1 / 3, "c": 0})
    read = history_of_experiment(client._experiment, space, GOAL)
    assert read.metrics["a"].tolist() == [3.5e-13] * 2
    assert read.metrics["b"].tolist() == [0.3333333333] * 2
    assert "metric a is at most 3.5e-13" in caplog.text


def test_a_folder_without_a_space_is_refused(tmp_path):
    with pytest.raises(ModelFileError, match="nowhere"):
        generation_strategy("prior", tmp_path / "nowhere", OBJECTIVE)


def test_another_space_in_the_folder_is_noticed(tiny_space, tmp_path):
    folder = tiny_space.save(tmp_path / "space")
    client = make(tiny_space, generation_strategy("prior", folder, OBJECTIVE, CONSTRAINTS))
    client.save_to_json_file(str(tmp_path / "ax.json"))
    other = LatentSpace.fit(tiny_space.model, torch.rand(30, 1, 8, 8))
    other.save(folder)
    again = Client.load_from_json_file(str(tmp_path / "ax.json"))
    with pytest.raises(CampaignError, match=f"{other.id}.*{tiny_space.id}"):
        again.get_next_trials(1)

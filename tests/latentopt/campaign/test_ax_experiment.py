"""The Ax client of a campaign holds what the campaign holds."""

import logging

import pandas
import pytest
import torch
from ax.api.client import Client
from ax.api.configs import StorageConfig

from latentopt.ax import history as ax_history
from latentopt.campaign import trial_history
from latentopt.campaign.ax_experiment import AxExperiment
from latentopt.campaign.campaign import Campaign
from latentopt.runs.run import Trial
from latentopt.settings.campaign import CampaignConfig

STATUS = {"completed": "COMPLETED", "failed": "FAILED", "pending": "RUNNING"}

# Eight points without a model, then a small one.
MODELS = {
    "kind": "gp_typical",
    "initial": 8,
    "restarts": 1,
    "raw_samples": 16,
    "max_iterations": 5,
}


def strength(images):
    """Two metrics of the grey image, and a failure for bright ones."""
    mean = float(images.mean())
    if mean > 0.6:
        raise ValueError("too bright")
    return {"strength": mean, "E": 1 - mean, "top": float(images[:, 0, 0].mean())}


@pytest.fixture
def make(tiny_space, tmp_path):
    def call(folder="run", **changes):
        settings = {
            "name": "tiny search",
            "space": tiny_space,
            "objective": "strength",
            "constraints": ["top <= 0.55"],
            "objectives": [strength],
            "strategy": "prior",
            "engine": "serial",
            "score": "decoded",
            "trials": 12,
            "batch": 4,
            **changes,
        }
        return Campaign(folder=tmp_path / folder, **settings)

    return call


def assert_same(campaign):
    """Every trial of the campaign is in its client, with its point, status and metrics."""
    table = campaign.client.summarize().set_index("trial_index")
    trials = campaign.result.trials
    assert table.index.tolist() == [trial.index for trial in trials]
    for trial in trials:
        row = table.loc[trial.index]
        assert row["trial_status"] == STATUS[trial.status]
        assert row[["z0", "z1", "z2", "z3"]].tolist() == pytest.approx(trial.z.tolist(), rel=1e-12)
        for name, value in trial.metrics.items():
            assert row[f"{name}_" if name == "E" else name] == pytest.approx(value, rel=1e-12)
    return table


def test_trials_statuses_and_metrics_are_those_of_the_campaign(make):
    campaign = make()
    assert isinstance(campaign.client, Client)
    campaign.run(10)  # two stay pending
    table = assert_same(campaign)
    assert set(table["trial_status"]) == {"COMPLETED", "FAILED", "RUNNING"}
    assert campaign.client._experiment.name == "tiny search"


def test_it_is_live(make):
    campaign = make()
    client = campaign.client
    campaign.ask(2)
    assert_same(campaign)
    campaign.tell(1, {"strength": 1.0, "top": 0.0, "cost": 3.0})
    campaign.fail(0, "lost")
    campaign.run()
    assert_same(campaign)
    assert campaign.client is client


def test_a_campaign_that_goes_on_has_the_same_client(make):
    first = make()
    first.run(5)
    before = first.client.summarize()
    second = make()
    assert second.client.summarize().equals(before)
    second.run()
    assert_same(second)
    first.ask(1)  # sees what the second has added
    assert_same(first)


def test_its_points_are_read_back_by_the_space(make, tiny_space):
    campaign = make()
    run = campaign.run()
    table = campaign.client.summarize()
    z = tiny_space.from_ax(table[["z0", "z1", "z2", "z3"]].to_dict("records"))
    expected = torch.stack([torch.from_numpy(trial.z) for trial in run.trials])
    torch.testing.assert_close(z, expected, rtol=1e-12, atol=1e-12)


def test_ax_finds_the_same_best_trial_and_it_is_feasible(make):
    campaign = make()
    campaign.run()
    best = campaign.best()[0]
    _, outcome, index, _ = campaign.client.get_best_parameterization(use_model_predictions=False)
    assert index == best.index
    assert outcome["strength"][0] == pytest.approx(best.metrics["strength"])
    assert outcome["top"][0] <= 0.55


def test_a_constraint_on_a_metric_of_the_objective_is_a_margin_in_ax(make):
    campaign = make(objective="strength - top", constraints=["strength <= 0.5", "top >= 0.1"])
    run = campaign.run()
    table = assert_same(campaign)
    completed = [trial for trial in run.trials if trial.status == "completed"]
    margins = table["margin_0"].dropna().tolist()
    assert margins == pytest.approx([0.5 - trial.metrics["strength"] for trial in completed])
    *_, index, _ = campaign.client.get_best_parameterization(use_model_predictions=False)
    assert index == campaign.best()[0].index


def test_names_that_mean_something_else_to_ax_are_no_obstacle(make):
    campaign = make(objective="E", constraints=["strength - 2*E <= 1"])
    campaign.run()
    assert_same(campaign)
    *_, index, _ = campaign.client.get_best_parameterization(use_model_predictions=False)
    assert index == campaign.best()[0].index


def test_several_objectives_are_several_in_ax(make):
    campaign = make(objective="strength, -top", constraints=[])
    campaign.run()
    assert_same(campaign)
    front = campaign.client.get_pareto_frontier(use_model_predictions=False)
    found = {index for _, _, index, _ in front}
    values = {
        t.index: (t.metrics["strength"], -t.metrics["top"])
        for t in campaign.result.trials
        if t.status == "completed"
    }
    beaten = {
        i
        for i, mine in values.items()
        if any(a >= mine[0] and b >= mine[1] and (a, b) != mine for a, b in values.values())
    }
    assert found <= values.keys() - beaten
    assert found


def test_one_point_proposed_twice_is_two_trials(make):
    class Stubborn:
        def propose(self, history, q):
            return 0.1 * torch.ones(q, 4, dtype=torch.float64)

    campaign = make(strategy=Stubborn(), trials=3)
    campaign.run()
    assert len(assert_same(campaign)) == 3


def test_points_that_ax_proposes_stay_out_of_the_campaign(make):
    campaign = make()
    campaign.run(8)
    client = campaign.client
    (index,) = client.get_next_trials(1)
    assert index == 8
    campaign.run()
    assert [trial.index for trial in campaign.result.trials] == list(range(12))
    table = client.summarize().set_index("trial_index").drop(index=8)
    for trial, (_, row) in zip(campaign.result.trials, table.iterrows(), strict=True):
        assert row[["z0", "z1", "z2", "z3"]].tolist() == pytest.approx(trial.z.tolist())
        assert row["trial_status"] == STATUS[trial.status]
    assert "strength" in client.predict([dict.fromkeys(["z0", "z1", "z2", "z3"], 0.0)])[0]


def test_a_client_saved_to_json_reads_back_in_ax(make, tmp_path):
    campaign = make()
    campaign.run()
    campaign.client.save_to_json_file(str(tmp_path / "ax.json"))
    again = Client.load_from_json_file(str(tmp_path / "ax.json"))
    pandas.testing.assert_frame_equal(again.summarize(), campaign.client.summarize())


def test_ax_asked_for_points_gives_those_of_the_strategy(make, tiny_space, tiny_space_folder):
    campaign = make(space=tiny_space_folder, strategy=MODELS)
    campaign.run(6)  # two stay pending
    parameters = list(campaign.client.get_next_trials(1).values())
    (trial,) = campaign.ask(1)
    assert torch.equal(tiny_space.from_ax(parameters)[0], torch.from_numpy(trial.z))


def test_every_end_of_a_trial_is_told_to_strategies_alike(tiny_space, tiny_space_folder):
    config = CampaignConfig(
        space=str(tiny_space_folder), objective="E", constraints=["top <= 1"], evaluate=["mine"]
    )
    ends = [
        {"status": "completed", "metrics": {"E": 1 / 3, "top": 2e-13, "cost": 4.0}},
        {"status": "completed", "metrics": {"E": 2 / 3, "top": 0.5}},
        {"status": "screened", "metrics": {"top": 2 / 3}, "seconds": 0.1},
        {"status": "failed", "reason": "a hole", "state": "infeasible"},
        {"status": "failed", "reason": "the machine", "state": "lost"},
        {"status": "pending"},
    ]
    unknown = {"metrics": {}, "reason": None, "strategy": "prior", "seconds": None}
    z = tiny_space.sample(len(ends)).numpy()
    trials = [Trial(**{"index": i, "z": z[i], **unknown, **end}) for i, end in enumerate(ends)]
    experiment = AxExperiment(config, tiny_space)
    for trial in trials:
        experiment.record(trial)
    ours = trial_history.history_of_trials(trials, config, tiny_space)
    theirs = ax_history.history_of_experiment(
        experiment.client._experiment, tiny_space, config.goal
    )
    for name in ("z", "pending", "failed", "screened"):
        assert torch.equal(getattr(theirs, name), getattr(ours, name))
    for name in ("metrics", "screened_metrics"):
        assert getattr(theirs, name).keys() == getattr(ours, name).keys()
        for metric, values in getattr(ours, name).items():
            assert torch.equal(getattr(theirs, name)[metric], values)
    assert theirs.next_index == ours.next_index


def test_a_target_is_one_metric_in_ax(make):
    campaign = make(objective="-distance(strength - 0.5, 2*top - 1)", constraints=["top >= 0.4"])
    campaign.run()
    table = assert_same(campaign)
    completed = [trial for trial in campaign.result.trials if trial.status == "completed"]
    distances = [
        ((t.metrics["strength"] - 0.5) ** 2 + (2 * t.metrics["top"] - 1) ** 2) ** 0.5
        for t in completed
    ]
    assert (-table["objective_0"].dropna()).tolist() == pytest.approx(distances)
    *_, index, _ = campaign.client.get_best_parameterization(use_model_predictions=False)
    assert index == campaign.best()[0].index


def test_a_client_read_back_from_json_goes_on_with_the_strategy(make, tiny_space_folder, tmp_path):
    campaign = make(space=tiny_space_folder, strategy=MODELS)
    campaign.run(6)
    client = campaign.client
    client.save_to_json_file(str(tmp_path / "ax.json"))
    again = Client.load_from_json_file(str(tmp_path / "ax.json"))
    assert again.get_next_trials(1) == client.get_next_trials(1)


def test_a_client_in_a_database_goes_on_with_the_strategy(make, tiny_space_folder, tmp_path):
    pytest.importorskip("sqlalchemy")
    from ax.storage.sqa_store import db, save

    campaign = make(space=tiny_space_folder, strategy=MODELS)
    campaign.run(6)
    client = campaign.client
    url = f"sqlite:///{tmp_path / 'ax.db'}"
    db.init_engine_and_session_factory(url=url)
    db.create_all_tables(db.get_engine())
    save.save_experiment(client._experiment)
    save.save_generation_strategy(client._generation_strategy)
    again = Client.load_from_database("tiny search", storage_config=StorageConfig(url=url))
    assert again.get_next_trials(1) == client.get_next_trials(1)


def test_ax_is_as_talkative_afterwards_as_before(make, capsys):
    from ax.utils.common.logger import ROOT_STREAM_HANDLER

    level = ROOT_STREAM_HANDLER.level
    campaign = make()
    campaign.run(3, progress=False)
    assert len(campaign.client.summarize()) == 4
    assert ROOT_STREAM_HANDLER.level == level != logging.WARNING
    assert "Trial" not in capsys.readouterr().err

"""A cheap surrogate rules points out before the solver is asked."""

import numpy as np
import pytest
import torch

from latentopt.campaign.campaign import Campaign
from latentopt.campaign.load import load_config
from latentopt.errors import ConfigError


class Cheap:
    """The fraction of phase 1, under a name of its own."""

    units = {"cheap_fraction": "1"}  # noqa: RUF012

    def __call__(self, images):
        return {"cheap_fraction": images.double().mean((1, 2, 3))}


class Solver:
    """The same fraction, and how often it was asked."""

    units = {"fraction": "1"}  # noqa: RUF012

    def __init__(self):
        self.calls = 0

    def __call__(self, images):
        self.calls += 1
        return {"fraction": images.double().mean((1, 2, 3))}


@pytest.fixture
def open_campaign(tiny_space, tmp_path):
    def open_one(solver=None, cheap=None, require="cheap_fraction >= 0.5", limit=20, **settings):
        fields = {"objective": "fraction", "strategy": "prior", "trials": 6, "batch": 2}
        return Campaign(
            space=tiny_space,
            objectives=[solver or Solver()],
            screen={"evaluate": [cheap or Cheap()], "require": [require], "limit": limit},
            engine="serial",
            dry_run=False,
            **{"folder": tmp_path / "run", **fields, **settings},
        )

    return open_one


def test_the_solver_sees_only_points_that_pass(open_campaign):
    solver = Solver()
    run = open_campaign(solver).run(progress=False)
    completed = [t for t in run.trials if t.status == "completed"]
    screened = [t for t in run.trials if t.status == "screened"]
    assert len(completed) == solver.calls == 6
    assert screened
    assert all(t.metrics["cheap_fraction"] >= 0.5 for t in completed)
    assert all(t.metrics["cheap_fraction"] < 0.5 for t in screened)


def test_a_point_that_passes_has_both_metrics(open_campaign):
    run = open_campaign().run(progress=False)
    for trial in run.trials:
        if trial.status == "completed":
            assert trial.metrics["fraction"] == trial.metrics["cheap_fraction"]
        else:
            assert "fraction" not in trial.metrics


def test_the_strategy_is_told_what_was_ruled_out(open_campaign):
    campaign = open_campaign()
    run = campaign.run(progress=False)
    screened = [t for t in run.trials if t.status == "screened"]
    history = campaign.history()
    assert history.screened.tolist() == [t.z.tolist() for t in screened]
    cheap = [t.metrics["cheap_fraction"] for t in screened]
    assert history.screened_metrics["cheap_fraction"].tolist() == cheap
    assert len(history.failed) == 0


def test_ask_returns_as_many_points_as_asked_for(open_campaign):
    with open_campaign() as campaign:
        trials = campaign.ask(4)
        assert [t.status for t in trials] == ["pending"] * 4
        assert all(t.metrics["cheap_fraction"] >= 0.5 for t in trials)
        assert campaign.result.trials[-1].index == len(campaign.result.trials) - 1


def test_beyond_the_limit_everything_goes_through(open_campaign):
    run = open_campaign(require="cheap_fraction >= 2", limit=0.5).run(progress=False)
    assert [t.status for t in run.trials] == ["screened"] * 3 + ["completed"] * 6


def test_a_killed_campaign_goes_on_as_if_undisturbed(open_campaign, tmp_path):
    whole = open_campaign().run(progress=False)
    for moment in ("before the first ask", "after it"):
        part = {"folder": tmp_path / moment}
        with open_campaign(**part) as killed:
            if moment == "after it":
                assert killed.ask()
        again = open_campaign(**part).run(progress=False)
        assert [t.z.tolist() for t in again.trials] == [t.z.tolist() for t in whole.trials]
        assert [t.metrics for t in again.trials] == [t.metrics for t in whole.trials]


def test_a_goal_may_use_a_cheap_metric(open_campaign):
    run = open_campaign(objective="fraction + cheap_fraction").run(progress=False)
    (best,) = run.best()
    assert run.value(best) == 2 * best.metrics["fraction"]


def test_a_screen_that_breaks_down_lets_points_through(open_campaign, caplog):
    def broken(images):
        raise RuntimeError("out of memory")

    run = open_campaign(cheap=broken).run(progress=False)
    assert [t.status for t in run.trials] == ["completed"] * 6
    assert "could not judge a point" in caplog.text


def test_a_screened_structure_is_kept(open_campaign):
    run = open_campaign().run(progress=False)
    screened = next(t for t in run.trials if t.status == "screened")
    phases = run.candidate(screened.index).microstructure.phases
    assert phases.mean() == pytest.approx(screened.metrics["cheap_fraction"])


@pytest.mark.parametrize(
    ("screen", "message"),
    [
        (
            "{evaluate: [volume_fraction], require: [fraction <= 1]}",
            "screen.require.*'fraction' is",
        ),
        ("{evaluate: [volume_fraction], require: []}", "screen.require"),
        ("{evaluate: [], require: [volume_fraction <= 1]}", "screen.evaluate"),
        ("{evaluate: [volum_fraction], require: [volume_fraction <= 1]}", "did you mean volume_f"),
        ("{evaluate: [volume_fraction], require: [volume_fraction]}", "compares nothing"),
        ("{evaluate: [volume_fraction], requires: [a <= 1]}", "did you mean require"),
        ("volume_fraction <= 1", "campaign.screen"),
        (
            "{evaluate: [effective_conductivity], require: [k_xx <= 1]}",
            "metric 'k_xx' is returned twice",
        ),
    ],
)
def test_a_wrong_screen_is_refused_by_its_path(tmp_path, screen, message):
    file = tmp_path / "campaign.yaml"
    file.write_text(f"objective: k_xx\nevaluate: [effective_conductivity]\nscreen: {screen}\n")
    with pytest.raises(ConfigError, match=message) as refusal:
        load_config(file)
    assert all("campaign." in line for line in str(refusal.value).splitlines())


def test_a_surrogate_beside_the_file_screens(tmp_path):
    from objectives.surrogates import SURROGATES

    images = torch.rand(12, 1, 8, 8, generator=torch.Generator().manual_seed(1))
    fitted = SURROGATES["two_point_gp"](components=2)
    fitted.fit(images, {"k_xx": images.double().flatten(1).mean(1)}).save(tmp_path / "fast")
    file = tmp_path / "campaign.yaml"
    file.write_text(
        "objective: k_xx\nevaluate: [effective_conductivity]\nscreen:\n"
        "  evaluate: [{kind: surrogate, folder: fast, prefix: gp_}]\n"
        "  require: [gp_k_xx + 2*gp_k_xx_std >= 0.5]\n"
    )
    config = load_config(file)
    assert config.screen.evaluate[0]["folder"] == str(tmp_path / "fast")


def test_first_points_that_are_ruled_out_leave_the_file_of_first_points_as_it_is(
    open_campaign, tiny_space, tmp_path
):
    start = tmp_path / "start.npy"
    np.save(start, tiny_space.sample(4, seed=3).numpy())
    settings = {"start": str(start), "require": "cheap_fraction >= 0.52"}
    open_campaign(trials=1, batch=1, **settings).run(progress=False)
    run = open_campaign(batch=1, **settings).run(progress=False)
    assert sum(t.strategy == "start" for t in run.trials) == 4
    assert any(t.status == "screened" for t in run.trials[:4])
    assert sum(t.status == "completed" for t in run.trials) == 6


def test_standard_errors_of_a_screen_are_kept(open_campaign):
    class Told(Cheap):
        def __call__(self, images):
            return {"cheap_fraction": (float(images.double().mean()), 0.25)}

    run = open_campaign(cheap=Told(), trials=2).run(progress=False)
    completed = [t for t in run.trials if t.status == "completed"]
    assert all(t.sem == {"cheap_fraction": 0.25} for t in completed)

"""Noisy objectives: standard errors kept, repeats of the best, and the best by posterior mean."""

import json

import numpy as np
import pytest
import torch

from latentopt.campaign.campaign import Campaign
from latentopt.errors import CampaignError, ConfigError
from latentopt.report import write_report
from latentopt.runs.journal import read_events
from latentopt.runs.run import Run
from latentopt.runs.trial import REPEAT
from latentopt.settings.campaign import CampaignConfig

NOISE = 0.3


class Noisy:
    """The mean of an image and an error, which is told or not."""

    def __init__(self, seed=0, told=False, noise=NOISE):
        self.random, self.told, self.noise = np.random.default_rng(seed), told, noise

    def __call__(self, images):
        value = float(images.double().mean()) + self.random.normal(0, self.noise)
        return {"m": (value, self.noise) if self.told else value}


@pytest.fixture
def make(tiny_space, tmp_path):
    def call(objective=None, folder="run", **changes):
        settings = {
            "space": tiny_space,
            "objective": "m",
            "objectives": [objective or Noisy()],
            "strategy": "prior",
            "engine": "serial",
            "dry_run": False,
            "trials": 30,
            **changes,
        }
        return Campaign(folder=tmp_path / folder, **settings)

    return call


def truth(campaign, trial):
    return float(campaign.evaluation.scored(trial.z).mean())


@pytest.mark.slow
@pytest.mark.parametrize("settings", [{"told": True}, {"repeats": 10}], ids=["sem", "repeats"])
def test_the_best_by_posterior_mean_is_hardly_too_large(make, settings):
    believed, measured = [], []
    for seed in range(2):
        objective = Noisy(seed, told=settings.get("told", False))
        repeats = settings.get("repeats", 0)
        campaign = make(objective, f"{seed}", seed=seed, repeats=repeats)
        run = campaign.run(progress=False)
        best, lucky = run.best()[0], run.best_observed()
        mean = run.posterior(best)
        believed.append((mean - truth(campaign, best)) / mean.sem)
        measured.append(run.value(lucky) - truth(campaign, lucky))
        assert 0 < mean.sem < NOISE
    assert np.mean(measured) > NOISE  # what was reported before
    assert np.abs(believed).mean() < 2


def test_the_last_of_the_budget_repeat_the_best_and_their_results_are_combined(make):
    run = make(Noisy(1), trials=16, repeats=6).run(progress=False)
    assert [t.strategy for t in run.trials] == ["prior"] * 10 + [REPEAT] * 6
    assert sum(trial.counts for trial in run.trials) == 16
    assert run.budget_left == run.evaluations_left == 0
    for trial in run.trials[10:]:
        first = run.trials[trial.repeat_of]
        assert trial.z.tolist() == first.z.tolist()
        assert trial.voxel_sha256 == first.voxel_sha256
        assert trial.metrics["m"] != first.metrics["m"]
        assert run.posterior(trial) == run.posterior(first)
        np.testing.assert_array_equal(run.structure(trial), run.structure(first))
    structures = [t.repeat_of or t.index for t in run.best(16)]
    assert len(structures) == len(set(structures)) == 10


def test_without_noise_the_best_is_what_was_measured_whether_repeated_or_not(make):
    def brightness(images):
        return {"m": images.double().mean((1, 2, 3))}

    plain = make(brightness, "plain", trials=8).run(progress=False)
    repeated = make(brightness, "repeated", trials=11, repeats=3).run(progress=False)
    assert not plain.noisy
    assert not repeated.noisy
    assert [t.index for t in plain.best(8)] == [t.index for t in repeated.best(8)]
    best = repeated.best()[0]
    assert (
        repeated.posterior(best)
        == repeated.value(best)
        == max(t.metrics["m"] for t in plain.trials)
    )
    assert repeated.posterior(best).sem == 0


def test_more_trials_go_on_with_new_points_and_more_repeats_with_repeats(make):
    make(trials=6, repeats=2).run(progress=False)
    run = make(trials=9, repeats=2).run(progress=False)
    assert [t.strategy for t in run.trials[6:]] == ["prior"] * 3
    run = make(trials=11, repeats=4).run(progress=False)
    assert [t.strategy for t in run.trials[9:]] == [REPEAT] * 2


def test_a_standard_error_that_is_told_is_kept_and_read_again(make, tmp_path):
    with make() as campaign:
        first, second = campaign.ask(2)
        told = campaign.tell(first.index, {"m": (0.5, 0.1), "other": 2.0})
        assert (told.metrics["m"], told.sem) == (0.5, {"m": 0.1})
        campaign.tell(second.index, {"m": torch.tensor([0.25])})
    tells = [event for event in read_events(tmp_path / "run") if event["kind"] == "tell"]
    assert tells[0]["metrics"]["m"] == 0.5
    assert [event.get("sem") for event in tells] == [{"m": 0.1}, None]
    run = Run.read(tmp_path / "run")
    assert dict(run.trials[0].sem) == {"m": 0.1}
    assert run.noisy
    assert campaign.history().sem["m"][0] == 0.1


@pytest.mark.parametrize("sem", [-0.1, float("nan"), float("inf"), "0,1", True])
def test_an_error_that_is_none_is_refused_and_changes_nothing(make, sem):
    with make() as campaign:
        (trial,) = campaign.ask(1)
        with pytest.raises(ValueError, match="standard error of m should be"):
            campaign.tell(trial.index, {"m": (0.5, sem)})
        assert [t.index for t in campaign.pending()] == [trial.index]


def test_one_structure_can_be_asked_for_once_more(make):
    with make(trials=4) as campaign:
        first, second = campaign.ask(2)
        campaign.tell(first.index, {"m": 1.0})
        campaign.fail(second.index, "broke down")
        again = campaign.repeat()
        assert again.repeat_of == first.index
        assert campaign.budget_left == 1
        campaign.tell(again.index, {"m": 0.0})
        assert 0 < campaign.result.posterior(again) < 1
        assert campaign.repeat(again.index).repeat_of == first.index
        for index in (second.index, 99):
            with pytest.raises(CampaignError, match=f"trial {index} cannot be repeated"):
                campaign.repeat(index)


def test_repeats_are_fewer_than_trials():
    with pytest.raises(ConfigError, match=r"repeats \(5\) are part of trials \(5\)"):
        CampaignConfig.checked(
            {"objective": "m", "evaluate": ["volume_fraction"], "trials": 5, "repeats": 5}
        )


CALLS = []


def simulated(microstructure):
    """A simulator whose results are kept: found by its name."""
    CALLS.append(1)
    return {"m": float(microstructure.phases.mean()) + 0.01 * len(CALLS)}


def test_a_repeat_is_simulated_again_where_results_of_equal_structures_are_kept(make):
    CALLS.clear()
    run = make(objectives=[], simulators=[simulated], trials=5, repeats=2).run(progress=False)
    assert len(CALLS) == len(run.trials) == 5
    assert run.noisy


def test_the_best_is_shown_with_its_error_beside_the_best_measured(make, run, tmp_path):
    found = make(Noisy(2, told=True), trials=8).run(progress=False)
    best, lucky = found.best()[0], found.best_observed()
    code, out, _ = run("status", found.folder)
    assert code == 0
    mean = found.posterior(best)
    assert f"{float(mean):.4g} ± {mean.sem:.2g}" in out
    assert f"best measured (trial {lucky.index})" in out
    _, out, _ = run("status", "--json", found.folder)
    told = json.loads(out)
    assert (told["best"][0]["value"], told["best"][0]["error"]) == (float(mean), mean.sem)
    assert told["best_observed"]["observed"] == found.value(lucky)
    page = write_report(found, tmp_path / "page.html").read_text(encoding="utf-8")
    assert "best value, posterior mean" in page
    assert "best measured" in page
    assert "m_sem" in page


def test_true_values_are_had_without_the_files_of_structures_too(make):
    found = make(Noisy(3, told=True), trials=8).run(progress=False)
    for path in (found.folder / "candidates").iterdir():
        path.unlink()
    read = Run.read(found.folder)
    best = read.posterior(read.best()[0])
    assert best < read.value(read.best_observed())
    assert 0 < best.sem < 2 * NOISE

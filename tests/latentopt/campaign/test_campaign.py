"""Campaigns in a tiny space: budget, failures, stopping and going on, what is refused."""

import json
import math
import os

import numpy as np
import pytest
import torch

from generative import PCA
from latentopt.campaign.campaign import Campaign
from latentopt.errors import CampaignError, CampaignLockedError, ConfigError
from latentopt.microstructure import to_phases
from latentopt.runs.candidates import candidate_path
from latentopt.runs.run import Run
from latentopt.settings.campaign import CampaignConfig
from latentopt.space.latent_space import LatentSpace
from objectives.volume_fraction import VolumeFraction


def mean(images):
    """A smooth objective that tells all points apart."""
    return {"mean": images.double().mean((1, 2, 3)), "top": images[:, 0, 0].double().mean(1)}


@pytest.fixture
def make(tiny_space, tmp_path):
    """A campaign of `mean`; with the same folder it goes on."""

    def call(folder="run", **changes):
        settings = {
            "space": tiny_space,
            "objective": "mean - 0.5*top",
            "objectives": [mean],
            "strategy": "prior",
            "engine": "serial",
            "dry_run": False,
            "score": "decoded",
            "trials": 6,
            "batch": 2,
            **changes,
        }
        return Campaign(folder=tmp_path / folder, **settings)

    return call


def rows(run):
    """All that must not depend on when a campaign was stopped."""
    return [(t.index, t.z.tolist(), t.status, dict(t.metrics), t.reason) for t in run.trials]


def statuses(run):
    return [trial.status for trial in run.trials]


# -- the budget -----------------------------------------------------------------------------------


def test_run_evaluates_exactly_the_budget_even_where_batches_do_not_divide_it(make):
    calls = []
    run = make(trials=7, batch=3, objectives=[lambda images: calls.append(1) or mean(images)]).run()
    assert len(run.trials) == len(calls) == 7
    assert statuses(run) == ["completed"] * 7
    assert [trial.index for trial in run.trials] == list(range(7))


def test_running_again_after_the_budget_does_nothing(make, tmp_path):
    campaign = make()
    campaign.run()
    journal = (tmp_path / "run" / "journal.jsonl").read_bytes()
    assert len(campaign.run().trials) == 6
    assert len(make().run().trials) == 6
    assert (tmp_path / "run" / "journal.jsonl").read_bytes() == journal


def test_metrics_are_those_of_the_decoded_point(make, tiny_space):
    run = make().run()
    for trial in run.trials:
        images = tiny_space.decode(torch.from_numpy(trial.z)[None])
        assert trial.metrics["mean"] == float(mean(images)["mean"])
        distance = float(tiny_space.distance_from_data(trial.z[None])[0])
        assert trial.metrics["distance_from_data"] == pytest.approx(distance)
        assert trial.seconds >= 0
        assert trial.strategy == "prior"


def test_every_point_is_inside_the_radius(make, tiny_space):
    run = make(trials=40, batch=40).run()
    assert max(np.linalg.norm(trial.z) for trial in run.trials) <= tiny_space.radius * (1 + 1e-9)


def test_a_batch_gives_the_draws_that_single_points_give(make):
    one, three = make("one", batch=1).run(), make("three", batch=3).run()
    assert rows(one) == rows(three)


def test_seeds_differ(make):
    assert rows(make("a").run()) == rows(make("b").run()) != rows(make("c", seed=1).run())


def test_every_candidate_is_kept_as_the_structure_that_was_scored(make, tiny_space, tmp_path):
    run = make(score="phases", objective="volume_fraction", objectives=[VolumeFraction()]).run()
    for trial in run.trials:
        with np.load(candidate_path(tmp_path / "run", trial.index)) as file:
            np.testing.assert_array_equal(file["z"], trial.z)
            phases = file["phases"]
        np.testing.assert_array_equal(phases, to_phases(tiny_space.decode(trial.z[None]))[0])
        assert phases.mean() == pytest.approx(trial.metrics["volume_fraction"])
    names = sorted(path.name for path in (tmp_path / "run" / "candidates").iterdir())
    assert names == [f"{i:04d}.npz" for i in range(6)]


def test_a_candidate_without_the_highest_phase_is_exported_with_its_name(tmp_path):
    images = torch.rand(20, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    images[:, 2] = 0.0
    space = LatentSpace.fit(PCA((3, 8, 8), components=4).fit(images), images)
    campaign = Campaign(
        space=space, objective="volume_fraction", evaluate=["volume_fraction"],
        strategy="prior", engine="serial", trials=1, folder=tmp_path / "run",
    )  # fmt: skip
    structure = campaign.run(progress=False).candidate(0).microstructure
    assert structure.phases.max() < 2
    assert structure.phase_names == ("phase 0", "phase 1", "phase 2")


def test_the_folder_reads_as_the_result(make, tmp_path):
    campaign = make()
    campaign.run(4)
    read, result = Run.read(tmp_path / "run"), campaign.result
    assert rows(read) == rows(result)
    assert (read.config, read.space_id, read.units) == (
        result.config,
        result.space_id,
        result.units,
    )
    assert read.provenance == result.provenance
    assert [t.index for t in read.best(3)] == [t.index for t in campaign.best(3)]


def test_best_is_the_largest_objective_among_those_that_meet_every_constraint(make):
    campaign = make(trials=20, batch=5, constraints=["top <= 0.5", "mean - top >= 0"])
    run = campaign.run()
    feasible = [t for t in run.trials if t.metrics["top"] <= min(0.5, t.metrics["mean"])]
    assert 0 < len(feasible) < 20
    values = [t.metrics["mean"] - 0.5 * t.metrics["top"] for t in feasible]
    assert [run.value(t) for t in campaign.best(100)] == pytest.approx(sorted(values)[::-1])


def test_nothing_feasible_is_an_empty_list(make):
    campaign = make(constraints=["top >= 2"])
    assert campaign.best() == []
    campaign.run()
    assert campaign.best(3) == []


def test_global_random_state_is_left_alone(make):
    torch.manual_seed(0)
    expected = torch.rand(1)
    torch.manual_seed(0)
    make().run()
    assert torch.equal(torch.rand(1), expected)


def test_the_progress_bar_names_the_best_so_far(make, capsys):
    best = make().run(progress=True).best(1)[0]
    assert f"(trial {best.index})" in capsys.readouterr().out


# -- ask and tell ---------------------------------------------------------------------------------


def test_ask_and_tell_by_hand_is_a_campaign(make, tiny_space):
    with make() as campaign:
        first, second = campaign.ask(2)
        assert (first.status, first.z.shape, first.z.dtype) == ("pending", (4,), np.float64)
        told = campaign.tell(second.index, {"mean": 0.4, "top": torch.tensor([0.2])}, seconds=3.0)
        assert (told.status, told.metrics["top"], told.seconds) == (
            "completed",
            pytest.approx(0.2),
            3.0,
        )
        failed = campaign.fail(first.index, "the sample broke")
        assert (failed.status, failed.reason) == ("failed", "the sample broke")
        history = campaign.history()
        assert torch.equal(history.z, torch.from_numpy(second.z)[None])
        assert torch.equal(history.failed, torch.from_numpy(first.z)[None])
        assert len(campaign.ask()) == 2  # a batch
        assert campaign.history().next_index == 4


def test_run_finishes_what_was_asked_and_not_told(make):
    campaign = make()
    campaign.ask(3)
    campaign.tell(1, {"mean": 9.0, "top": 0.0})
    run = campaign.run()
    assert statuses(run) == ["completed"] * 6
    assert run.trials[1].metrics["mean"] == 9.0
    assert run.best(1)[0].index == 1


def test_what_cannot_be_told_is_refused_and_changes_nothing(make, tmp_path):
    campaign = make()
    campaign.ask(2)
    campaign.fail(1, "no")
    journal = (tmp_path / "run" / "journal.jsonl").read_bytes()
    values = {"mean": 1.0, "top": 1.0}
    for call, problem in (
        (lambda: campaign.tell(7, values), "there is no trial 7; ask"),
        (lambda: campaign.fail(-1, "no"), "there is no trial -1"),
        (lambda: campaign.tell(1, values), "trial 1 is failed already"),
        (lambda: campaign.fail(1, "no"), "trial 1 is failed already"),
        (lambda: campaign.tell(0, {"mean": 1.0}), "trial 0 needs top for its goal, got mean"),
        (lambda: campaign.tell(0, {}), "trial 0 needs mean, top for its goal, got no metrics"),
        (lambda: campaign.tell(0, {**values, "top": "high"}), "top is not one number, got 'high'"),
        (lambda: campaign.tell(0, {**values, "top": [1, 2]}), "trial 0: top is not one number"),
        (lambda: campaign.tell(0, values, seconds=math.nan), "JSON"),
        (lambda: campaign.ask(0), "q should be at least 1 point, got 0"),
    ):
        with pytest.raises(ValueError, match=problem) as caught:
            call()
        assert "\n" not in str(caught.value)
    assert (tmp_path / "run" / "journal.jsonl").read_bytes() == journal
    assert campaign.tell(0, values).status == "completed"
    with pytest.raises(ValueError, match="trial 0 is completed already"):
        campaign.tell(0, values)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_value_told_that_is_not_finite_fails_its_trial(make, value):
    campaign = make()
    campaign.ask(1)
    told = campaign.tell(0, {"mean": value, "top": 0.0})
    assert (told.status, told.reason) == ("failed", f"mean is {value}")


def test_a_structure_that_a_kill_prevented_is_kept_when_its_trial_is_told(make, tmp_path):
    campaign = make()
    campaign.ask(1)
    candidate_path(tmp_path / "run", 0).unlink()
    campaign.tell(0, {"mean": 1.0, "top": 0.0})
    assert campaign.result.candidate(0).microstructure.phases.shape == (8, 8)


class Ones:
    """A user's own strategy without kind, that proposes the same point for ever."""

    def __init__(self, width=4):
        self.width = width

    def propose(self, history, q):
        return torch.ones(q, self.width, dtype=torch.float64)


def test_a_strategy_of_ones_own_is_asked(make):
    campaign = make(strategy=Ones())
    run = campaign.run()
    assert {trial.strategy for trial in run.trials} == {"Ones"}
    assert len({trial.metrics["mean"] for trial in run.trials}) == 1


def test_a_point_beyond_the_radius_is_brought_back(make, tiny_space):
    class Far(Ones):
        def propose(self, history, q):
            return 100 * super().propose(history, q)

    (trial,) = make(strategy=Far()).ask(1)
    assert np.linalg.norm(trial.z) == pytest.approx(tiny_space.radius)


def test_a_strategy_that_proposes_other_than_asked_is_refused_before_anything_is_written(make):
    class Few(Ones):
        def propose(self, history, q):
            return super().propose(history, q - 1)

    campaign = make(strategy=Few())
    with pytest.raises(CampaignError, match=r"Few should propose shape \(2, 4\), got \(1, 4\)"):
        campaign.ask(2)
    assert campaign.result.trials == ()
    campaign.close()
    with pytest.raises(ValueError, match="4"), make("wide", strategy=Ones(5)) as campaign:
        campaign.ask(2)


# -- objectives that fail -------------------------------------------------------------------------


def every_third(what):
    """`mean`, but every third call does something else."""
    calls = []

    def objective(images):
        calls.append(1)
        return what() if len(calls) % 3 == 0 else mean(images)

    return objective


def explode():
    raise ZeroDivisionError("the solver\n  broke down")


@pytest.mark.parametrize(
    ("what", "reason"),
    [
        (lambda: {"mean": math.nan, "top": 1.0}, "mean is nan"),
        (lambda: {"mean": 1.0, "top": -math.inf}, "top is -inf"),
        (lambda: {"mean": 1.0}, "top is missing among distance_from_data, mean"),
        (
            lambda: {"mean": [1.0, 2.0], "top": 1.0},
            "mean is not one number, got list of 2 values for one structure",
        ),
        (explode, "objective raised ZeroDivisionError: the solver broke down"),
    ],
)
def test_a_bad_answer_fails_its_own_trial_with_the_reason(make, what, reason):
    run = make(objectives=[every_third(what)]).run()
    assert statuses(run) == ["completed", "completed", "failed"] * 2
    assert {trial.reason for trial in run.trials} == {None, reason}
    assert run.trials[2].metrics == {}


def test_two_objectives_with_one_name_fail_every_trial_by_name(make):
    def other(images):
        return {"mean": 1.0}

    run = make(trials=2, objectives=[mean, other]).run()
    assert {trial.reason for trial in run.trials} == {"other returned mean, which another has"}


def test_two_objectives_that_promise_one_name_are_refused_at_once(make, tmp_path):
    with pytest.raises(ConfigError, match="'volume_fraction' is returned twice"):
        make(objective="volume_fraction", objectives=[VolumeFraction(), VolumeFraction()])
    assert not (tmp_path / "run").exists()


def test_an_objective_that_changes_its_images_harms_no_other(make):
    def spoil(images):
        images.zero_()
        return {"spoilt": 1.0}

    spoilt, whole = make("a", objectives=[spoil, mean]).run(), make("b").run()
    for one, other in zip(spoilt.trials, whole.trials, strict=True):
        assert one.metrics == {**other.metrics, "spoilt": 1.0}


def test_a_campaign_where_everything_fails_reaches_its_end_where_that_is_wanted(make):
    run = make(objectives=[lambda images: explode()], stop_failures=None).run()
    assert statuses(run) == ["failed"] * 6
    assert run.best(3) == []


# -- stopping and going on ------------------------------------------------------------------------


@pytest.mark.parametrize("n", [1, 2, 3, 5])
def test_stopped_after_n_it_goes_on_bit_for_bit_as_if_undisturbed(make, n):
    whole = make("whole").run()
    part = make("part").run(n)
    assert sum(status != "pending" for status in statuses(part)) == n
    assert rows(make("part").run()) == rows(whole)


@pytest.mark.slow
def test_a_model_is_fitted_again_to_the_same_points_after_each_stop(make):
    cheap = {"raw_samples": 32, "restarts": 1, "max_iterations": 10}
    strategy = {"kind": "gp_typical", "initial": 4, **cheap}
    settings = {"strategy": strategy, "trials": 9, "batch": 2, "constraints": ["top <= 0.6"]}
    whole = make("whole", **settings).run()
    for n in (3, 3, 3):
        run = make("part", **settings).run(n)
    assert rows(run) == rows(whole)


def test_one_campaign_object_runs_in_parts_as_well(make):
    campaign = make("part")
    for _ in range(4):
        campaign.run(2)
    assert rows(campaign.result) == rows(make("whole").run())


def test_run_of_no_evaluations_proposes_nothing(make):
    assert make().run(0).trials == ()


def test_more_trials_may_be_asked_of_a_finished_campaign(make, tmp_path):
    make(trials=4).run()
    journal = (tmp_path / "run" / "journal.jsonl").read_bytes()
    run = make(trials=8).run()
    assert (tmp_path / "run" / "journal.jsonl").read_bytes().startswith(journal)
    assert (len(run.trials), run.config.trials) == (8, 8)
    assert rows(run) == rows(make("whole", trials=8).run())
    assert Run.read(tmp_path / "run").config.trials == 8


def test_fewer_trials_than_there_are_already_end_the_campaign(make):
    make(trials=4).run()
    assert len(make(trials=2).run().trials) == 4


def test_batch_and_strategy_may_change_and_are_written_down(make, tmp_path):
    make(trials=2).run()
    make(trials=6, batch=4, strategy=Ones()).run()
    run = Run.read(tmp_path / "run")
    assert [trial.strategy for trial in run.trials] == ["prior"] * 2 + ["Ones"] * 4
    assert run.config.batch == 4


def test_resume_takes_the_settings_from_the_folder(make, tiny_space, tmp_path):
    make().run(3)
    campaign = Campaign.resume(tmp_path / "run", space=tiny_space, objectives=[mean])
    assert rows(campaign.run()) == rows(make("whole").run())


def test_resume_needs_what_was_given_in_python_and_says_so(make, tiny_space, tmp_path):
    folder = tmp_path / "run"
    make(strategy=Ones()).run(1)
    for given, problem in (
        ({"objectives": [mean], "strategy": "prior"}, "space was given in Python: give space"),
        ({"space": tiny_space, "strategy": "prior"}, "mean was given in Python"),
        ({"space": tiny_space, "objectives": [mean]}, "Ones was given in Python"),
    ):
        with pytest.raises((CampaignError, ConfigError), match=problem):
            Campaign.resume(folder, **given)
    with Campaign.resume(folder, space=tiny_space, objectives=[mean], strategy=Ones()) as campaign:
        assert len(campaign.run().trials) == 6


def test_a_campaign_of_specs_resumes_from_its_folder_alone(tiny_space_folder, tmp_path):
    config = CampaignConfig(
        space=str(tiny_space_folder),
        objective="-volume_fraction",
        evaluate=["volume_fraction"],
        strategy="prior",
        engine="serial",
        trials=4,
        folder=str(tmp_path / "run"),
    )
    Campaign(config).run(1)
    assert statuses(Campaign.resume(tmp_path / "run").run()) == ["completed"] * 4


@pytest.mark.parametrize(
    ("change", "name"),
    [
        ({"objective": "top"}, "objective mean - 0.5\\*top, not top"),
        ({"constraints": ["top <= 1"]}, "constraints"),
        ({"seed": 1}, "seed 0, not 1"),
        ({"score": "phases"}, "score decoded, not phases"),
        ({"objectives": [mean, VolumeFraction()]}, "evaluate"),
    ],
)
def test_another_goal_in_the_same_folder_is_refused_by_name(make, change, name, tmp_path):
    make().run(2)
    journal = (tmp_path / "run" / "journal.jsonl").read_bytes()
    with pytest.raises(CampaignError, match=f"holds a campaign with {name}.*another folder") as bad:
        make(**change)
    assert "\n" not in str(bad.value)
    assert str(tmp_path / "run") in str(bad.value)
    assert (tmp_path / "run" / "journal.jsonl").read_bytes() == journal
    assert statuses(make().run()) == ["completed"] * 6  # the refusal held no lock


def test_another_space_in_the_same_folder_is_refused(make, tiny_space):
    from generative import PCA
    from latentopt.space.latent_space import LatentSpace

    make().run(2)
    images = torch.rand(30, 1, 8, 8, generator=torch.Generator().manual_seed(1))
    other = LatentSpace.fit(PCA((1, 8, 8), components=4).fit(images), images)
    with pytest.raises(CampaignError, match=f"space {tiny_space.id}, not {other.id}"):
        make(space=other)


def test_a_goal_that_nothing_evaluates_is_refused_with_the_nearest_name(make, tmp_path):
    with pytest.raises(ConfigError, match=r"'volume_fractoin' is not.*mean volume_fraction"):
        make(objective="volume_fractoin", objectives=[VolumeFraction()])
    assert not (tmp_path / "run").exists()


def test_an_interrupted_trial_stays_pending_and_is_evaluated_by_the_next_run(make, tmp_path):
    calls = []

    def interrupted(images):
        calls.append(1)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return mean(images)

    with pytest.raises(KeyboardInterrupt):
        make(objectives=[interrupted]).run()
    assert statuses(Run.read(tmp_path / "run")) == ["completed", "completed", "pending", "pending"]
    run = make(objectives=[interrupted]).run()
    assert rows(run) == rows(make("whole").run())
    assert len(calls) == 7  # six trials, one of them begun twice


def test_an_interrupt_between_file_and_memory_is_settled_by_the_file(make, monkeypatch):
    campaign = make()
    trials = campaign.ask(2)
    fsync = os.fsync

    def interrupt(descriptor):
        fsync(descriptor)
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupt)
    with pytest.raises(KeyboardInterrupt):
        campaign.tell(0, {"mean": 1.0, "top": 0.0})
    monkeypatch.undo()
    with pytest.raises(ValueError, match="trial 0 is completed already"):
        campaign.tell(0, {"mean": 2.0, "top": 0.0})
    assert statuses(campaign.run()) == ["completed"] * 6
    assert campaign.result.trials[1].z.tolist() == trials[1].z.tolist()


def test_an_objective_is_evaluated_once_a_trial_however_often_the_campaign_is_made_again(
    make, tmp_path
):
    def counted(images):
        with (tmp_path / "calls").open("a") as file:
            file.write(json.dumps(float(images.double().sum())) + "\n")
        return mean(images)

    for n in (0, 1, 2, 1, 5, 5):
        run = make(objectives=[counted]).run(n)
    calls = (tmp_path / "calls").read_text().splitlines()
    assert len(calls) == len(set(calls)) == len(run.trials) == 6


def test_an_objective_that_changes_the_working_folder_moves_nothing(make, tmp_path, monkeypatch):
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path)

    def wander(images):
        os.chdir(tmp_path / "elsewhere")
        return mean(images)

    campaign = make(objectives=[wander], folder="ignored")
    campaign.close()
    campaign = Campaign(campaign.config, space=campaign.space, objectives=[wander], folder="here")
    campaign.run()
    assert len(list((tmp_path / "here" / "candidates").iterdir())) == 6
    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_a_folder_is_held_until_the_campaign_is_closed(make):
    campaign = make()
    with pytest.raises(CampaignLockedError, match=r"campaign.close\(\)"):
        make()
    campaign.close()
    with make():
        pass
    campaign.ask(1)  # takes it again
    with pytest.raises(CampaignLockedError):
        make()


def test_what_another_process_added_is_seen_when_the_folder_is_taken_again(make):
    first = make()
    first.run(2)
    make().run(2)
    assert [trial.index for trial in first.ask(1)] == [4]
    assert statuses(first.result) == ["completed"] * 4 + ["pending"]


def test_a_torn_last_line_costs_that_line_only(make, tmp_path, caplog):
    make().run()
    path = tmp_path / "run" / "journal.jsonl"
    path.write_bytes(path.read_bytes()[:-9])
    assert rows(make().run()) == rows(make("whole").run())
    assert "torn" in caplog.text


def test_a_config_and_its_fields_together_are_refused(tmp_path):
    config = CampaignConfig(objective="a", evaluate=["volume_fraction"])
    with pytest.raises(TypeError, match="a config or its fields, not both: got trials"):
        Campaign(config, trials=3)


def test_a_yaml_file_makes_a_campaign_and_keywords_replace_its_fields(tiny_space_folder, tmp_path):
    path = tmp_path / "campaign.yaml"
    path.write_text(
        f"space: {tiny_space_folder}\nobjective: volume_fraction\nevaluate: [volume_fraction]\n"
        f"strategy: prior\nengine: serial\ndry_run: false\ntrials: 50\nfolder: {tmp_path / 'run'}\n"
    )
    with Campaign.from_yaml(path, trials=3) as campaign:
        assert len(campaign.run().trials) == 3

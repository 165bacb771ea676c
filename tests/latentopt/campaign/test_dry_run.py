"""A mistake in what evaluates costs no budget: a dry evaluation first, an end after five alike."""

import sys
import time

import pytest

from latentopt.campaign.campaign import Campaign
from latentopt.errors import CampaignError
from latentopt.runs.journal import read_events
from latentopt.runs.run import Run

OBJECTIVE = """
from pathlib import Path

def value(images):
    with Path("calls").open("a") as calls:
        calls.write("x")
    {body}
"""


def mean(images):
    return {"mean": float(images.mean())}


class Counting:
    """Fails from one call on, each time in words of its own numbers."""

    def __init__(self, failing, text="licence {} is taken"):
        self.calls, self.failing, self.text = 0, failing, text

    def __call__(self, images):
        self.calls += 1
        if self.failing(self.calls):
            raise RuntimeError(self.text.format(self.calls))
        return mean(images)


@pytest.fixture
def make(tiny_space, tmp_path):
    def call(evaluates=mean, **changes):
        settings = {"objective": "mean", "strategy": "prior", "engine": "serial", "trials": 12}
        settings |= changes
        return Campaign(
            space=tiny_space, objectives=[evaluates], folder=tmp_path / "run", **settings
        )

    return call


def statuses(run):
    return [trial.status for trial in run.trials]


# -- the dry evaluation ---------------------------------------------------------------------------


def test_an_error_in_an_objective_is_found_before_the_first_trial(make, tmp_path):
    failing = Counting(lambda call: True)
    with pytest.raises(
        CampaignError, match=r"for a test, and failed: .*licence 1 is taken; no tri"
    ):
        make(failing).run(progress=False)
    assert failing.calls == 1
    assert Run.read(tmp_path / "run").trials == ()


@pytest.mark.parametrize("engine", ["serial", {"kind": "process", "workers": 1}])
def test_a_metric_that_no_objective_gives_is_found_before_the_first_trial(
    forked_workers, make, tmp_path, engine
):
    with pytest.raises(CampaignError, match=r"no maen, which the goal needs; did you mean mean\?"):
        make(objective="maen", engine=engine).run(progress=False)
    assert Run.read(tmp_path / "run").trials == ()


def test_it_is_made_once_and_leaves_no_trace(make, tmp_path):
    counting = Counting(lambda call: False)
    make(counting, trials=3).run(progress=False)
    assert counting.calls == 4
    make(counting, trials=5).run(progress=False)
    assert counting.calls == 6
    assert {event["kind"] for event in read_events(tmp_path / "run")} == {
        "campaign",
        "ask",
        "tell",
        "settings",
    }


def test_it_changes_no_point_and_can_be_left_out(make, tmp_path):
    counting = Counting(lambda call: False)
    with_it = make(counting, trials=3).run(progress=False)
    assert counting.calls == 4
    (tmp_path / "run").rename(tmp_path / "first")
    without = make(counting, trials=3, dry_run=False).run(progress=False)
    assert counting.calls == 7
    assert [t.z.tolist() for t in with_it.trials] == [t.z.tolist() for t in without.trials]


def test_an_objective_that_hangs_or_ends_its_worker_is_found_too(
    forked_workers, tiny_space, tmp_path, monkeypatch
):
    (tmp_path / "hangs.py").write_text(
        "import os, time\ndef hang(x): time.sleep(60)\ndef die(x): os._exit(3)\n"
    )
    monkeypatch.chdir(tmp_path)
    for name, message in (("hang", "longer than 0.5 s"), ("die", "for a test, and failed")):
        with pytest.raises(CampaignError, match=message):
            Campaign(
                space=tiny_space,
                objective="mean",
                evaluate=[{"kind": "import", "target": f"hangs:{name}"}],
                strategy="prior",
                engine={"kind": "process", "workers": 1, "timeout_s": 0.5},
                folder=tmp_path / name,
            ).run(progress=False)
        assert Run.read(tmp_path / name).trials == ()


def test_a_screen_that_breaks_down_is_found_too(make):
    screen = {"evaluate": ["volume_fraction"], "require": ["volume_fraction <= 1"]}
    make(screen=screen, trials=1).run(progress=False)


# -- failures alike -------------------------------------------------------------------------------


def test_five_failures_alike_in_a_row_end_the_run_with_the_reason(make, tmp_path):
    failing = Counting(lambda call: call > 3)  # the test, and two trials
    with pytest.raises(CampaignError, match=r"5 evaluations in a row .*: .* licence 8 is taken"):
        make(failing).run(progress=False)
    assert statuses(Run.read(tmp_path / "run")) == ["completed"] * 2 + ["failed"] * 5


def test_other_failures_and_results_in_between_do_not_add_up(make):
    calls = Counting(lambda call: call % 5 not in (0, 1))
    assert len(make(calls).run(progress=False).trials) == 12
    assert statuses(make(calls).result).count("failed") == 8


def test_failures_of_different_kinds_do_not_add_up(make, tmp_path):
    words = iter("abcdefghijklmnopq")

    def fails(images):
        raise RuntimeError(next(words))

    assert statuses(make(fails, dry_run=False, trials=8).run(progress=False)) == ["failed"] * 8


def test_the_limit_can_be_set_and_left_out(make, tmp_path):
    with pytest.raises(CampaignError, match="2 evaluations in a row"):
        make(Counting(lambda call: call > 1), stop_failures=2).run(progress=False)
    run = make(Counting(lambda call: call > 0), stop_failures=None, dry_run=False)
    assert statuses(run.run(progress=False)) == ["failed"] * 12


def test_evaluations_that_take_too_long_add_up_too(make, tmp_path):
    def hangs(images):
        time.sleep(60)

    engine = {"kind": "serial", "timeout_s": 0.05}
    with pytest.raises(CampaignError, match=r"2 evaluations in a row .*took longer than 0\.05 s"):
        make(hangs, engine=engine, stop_failures=2, dry_run=False).run(progress=False)
    assert [trial.state for trial in Run.read(tmp_path / "run").trials] == ["timeout"] * 2


# -- again ----------------------------------------------------------------------------------------


def test_failed_trials_are_evaluated_again_at_no_charge(make, tmp_path):
    failing = Counting(lambda call: call > 3)
    with pytest.raises(CampaignError):
        make(failing).run(progress=False)
    campaign = make(Counting(lambda call: False))  # mended
    before = Run.read(tmp_path / "run")
    assert [trial.index for trial in campaign.retry_failed()] == [2, 3, 4, 5, 6]
    run = campaign.run(progress=False)
    assert statuses(run) == ["completed"] * 12
    assert [t.z.tolist() for t in run.trials[:7]] == [t.z.tolist() for t in before.trials]
    assert statuses(Run.read(tmp_path / "run")) == ["completed"] * 12
    assert campaign.retry_failed() == []


def test_a_campaign_goes_on_after_all_of_it_was_evaluated_again(make):
    with pytest.raises(CampaignError):
        make(Counting(lambda call: True), dry_run=False).run(progress=False)
    make(Counting(lambda call: False), dry_run=False).retry_failed()
    run = make(Counting(lambda call: False), dry_run=False).run(progress=False)
    assert statuses(run) == ["completed"] * 12


def test_the_ax_client_knows_what_was_evaluated_again(make):
    campaign = make(Counting(lambda call: call == 2), trials=3)
    campaign.run(progress=False)
    campaign.client  # noqa: B018  made before
    campaign.retry_failed()
    campaign.run(progress=False)
    assert len(campaign.client.summarize()) == 3
    assert campaign.client.summarize()["mean"].notna().all()


# -- the command ----------------------------------------------------------------------------------

YAML = """
space: {space}
objective: mean
evaluate: [{{kind: import, target: "own:value"}}]
strategy: prior
engine: serial
score: decoded
trials: 3
dry_run: {dry}
folder: {folder}
"""


def test_a_campaign_in_which_nothing_worked_exits_4_and_can_be_mended(
    run, tiny_space_folder, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    module = tmp_path / "own.py"
    settings = {"space": tiny_space_folder, "folder": tmp_path / "run", "dry": "false"}
    (tmp_path / "c.yaml").write_text(YAML.format(**settings))

    def write(body):
        module.write_text(OBJECTIVE.format(body=body))
        sys.modules.pop("own", None)

    write("raise RuntimeError('no licence')")
    code, out, error = run("optimize", "c.yaml")
    assert code == 4
    assert "no evaluation succeeded; the last one failed" in error
    assert "no licence" in error
    assert "Traceback" not in error
    assert run("optimize", "c.yaml")[0] == 4  # nothing is left to do, and nothing has worked
    write("return {'mean': float(images.mean())}")
    code, out, error = run("optimize", "c.yaml", "--retry-failed")
    assert code == 0, error
    assert "3 failed trials are evaluated again" in out
    assert statuses(Run.read(tmp_path / "run")) == ["completed"] * 3


def test_the_command_says_what_the_test_took(run, tiny_space_folder, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "own.py").write_text(OBJECTIVE.format(body="return {'mean': float(images.mean())}"))
    sys.modules.pop("own", None)
    settings = {"space": tiny_space_folder, "folder": tmp_path / "run", "dry": "true"}
    (tmp_path / "c.yaml").write_text(YAML.format(**settings))
    code, out, _ = run("optimize", "c.yaml")
    assert code == 0
    assert "The test took" in out
    assert (tmp_path / "calls").read_text() == "xxxx"

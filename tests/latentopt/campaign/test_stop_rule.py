"""When a campaign ends before its budget is spent, and that it stays so when it is resumed."""

from concurrent.futures import ThreadPoolExecutor

import pytest
import torch

from latentopt.campaign.campaign import Campaign
from latentopt.campaign.stop_rule import StopRule
from latentopt.errors import ConfigError
from latentopt.runs.ending import ended_early
from latentopt.runs.journal import read_events
from latentopt.runs.run import Run


class Fading:
    """Draws, and expects a tenth less of each further evaluation."""

    initial = 2

    def propose(self, history, q):
        return history.space.sample(q, seed=history.seed_of(history.next_index))

    def expected_gain(self, history, z):
        return 0.9 ** len(history.z)


def mean(images):
    return {"mean": float(images.double().mean())}


@pytest.fixture
def make(tiny_space, tmp_path):
    def call(name="run", stop_gain=0.7, **settings):
        settings = {"trials": 20, "batch": 1, "engine": "serial"} | settings
        return Campaign(
            space=tiny_space,
            objective="mean",
            objectives=[mean],
            strategy=Fading(),
            stop_gain=stop_gain,
            folder=tmp_path / name,
            **settings,
        )

    return call


def test_a_campaign_ends_when_little_is_expected_twice_in_a_row(make, tmp_path):
    run = make().run(progress=False)
    # 0.9**4 is the first below 0.7; it is evaluated, and after 0.9**5 nothing is.
    assert len(run.trials) == 5
    assert run.final_gain == pytest.approx(0.9**5)
    events = read_events(tmp_path / "run")
    assert events[-1]["kind"] == "stop"
    assert [e.get("gain") for e in events if e["kind"] == "ask"] == pytest.approx(
        [None, None, 0.81, 0.729, 0.6561]
    )


def test_a_resumed_campaign_stays_ended_unless_the_setting_changes(make, tmp_path):
    make().run(progress=False)
    before = (tmp_path / "run" / "journal.jsonl").read_bytes()
    campaign = make()
    assert campaign.budget_left == 0
    assert campaign.ask(1) == []
    assert len(campaign.run(progress=False).trials) == 5
    assert (tmp_path / "run" / "journal.jsonl").read_bytes() == before
    assert len(make(stop_gain=0.5).run(progress=False).trials) == 8
    assert len(make(stop_gain=None).run(progress=False).trials) == 20
    assert Run.read(tmp_path / "run").final_gain is None


@pytest.mark.parametrize("n", range(1, 6))
def test_it_ends_where_an_undisturbed_one_does(make, n):
    part = make("part")
    part.run(n, progress=False)
    rows = [
        [trial.z.tolist() for trial in run.trials]
        for run in (make("part").run(progress=False), make("whole").run(progress=False))
    ]
    assert rows[0] == rows[1]


def test_a_batch_counts_once(make):
    run = make(batch=4).run(progress=False)
    # gains before each batch: initial, 0.9**4, 0.9**8
    assert len(run.trials) == 8


def test_nothing_is_stopped_while_results_may_change_the_mind(make):
    campaign = make()
    for trial in campaign.ask(6):
        campaign.tell(trial.index, {"mean": 0.5})
    first, second = campaign.ask(1)[0], campaign.ask(1)[0]  # little is expected of both
    campaign.tell(first.index, {"mean": 0.5})
    assert campaign.ask(1) == []
    assert campaign.result.final_gain is None
    assert campaign.budget_left > 0
    campaign.tell(second.index, {"mean": 0.5})
    assert campaign.ask(1) == []
    assert campaign.result.final_gain == pytest.approx(0.9**8)


def test_a_campaign_with_several_workers_ends_when_none_is_busy(make):
    with ThreadPoolExecutor(3) as workers:
        run = make(engine=workers).run(progress=False)
    assert run.final_gain < 0.7
    assert 5 <= len(run.trials) <= 9
    assert {trial.status for trial in run.trials} == {"completed"}


def test_without_the_rule_nothing_is_asked_of_the_strategy(make, tmp_path):
    make(stop_gain=None, trials=3).run(progress=False)
    assert not any("gain" in event for event in read_events(tmp_path / "run"))


def test_gains_that_rise_again_start_the_count_anew():
    rule = StopRule(1.0, Fading())
    ask = {"kind": "ask", "strategy": "s", "trials": [{"index": 0, "z": []}]}
    tell = {"kind": "tell", "trial": 0}
    assert rule.verdict([], 0.5) == "go on"
    assert rule.verdict([{**ask, "gain": 0.5}, tell], 0.4) == "stop"
    assert rule.verdict([{**ask, "gain": 0.5}, tell], 2.0) == "go on"
    assert rule.verdict([{**ask, "gain": 2.0}, tell], 0.4) == "go on"
    assert rule.verdict([{**ask, "gain": 0.5}], 0.4) == "go on"  # nothing was learned since


def test_imported_data_let_a_campaign_look_again():
    stop = {"kind": "stop", "gain": 0.1}
    imported = {"kind": "ask", "strategy": "imported", "trials": [{"index": 9, "metrics": {}}]}
    assert ended_early([stop], 1.0) == 0.1
    assert ended_early([stop, imported], 1.0) is None
    assert ended_early([], 1.0) is None
    assert ended_early([stop], None) is None


def test_an_unbounded_gain_is_none_to_be_written(tiny_space):
    class Hopeful(Fading):
        def expected_gain(self, history, z):
            return torch.inf

    history = make_history(tiny_space)
    assert StopRule(1.0, Hopeful()).gain(history, history.z) is None
    assert StopRule(1.0, Fading()).gain(history, history.z) == pytest.approx(0.9**3)


def make_history(space):
    from latentopt.goal import Goal
    from latentopt.history import History

    z = space.sample(3, seed=0)
    return History(space, Goal.parse("mean"), z=z, metrics={"mean": z[:, 0]})


def test_a_strategy_without_a_model_is_refused(tiny_space, tmp_path):
    with pytest.raises(ConfigError, match="strategy prior has no model that would expect a gain"):
        Campaign(
            space=tiny_space, objective="mean", objectives=[mean], strategy="prior",
            stop_gain=1.0, folder=tmp_path / "run",
        )  # fmt: skip
    assert not (tmp_path / "run").exists()


def test_status_and_report_say_that_it_ended_early(make, run, tmp_path):
    make().run(progress=False)
    _, out, _ = run("status", tmp_path / "run")
    assert "Ended early, after " in out
    assert "further points are expected to gain 0.59" in out
    assert run("report", tmp_path / "run")[0] == 0
    assert "Ended early, after " in (tmp_path / "run" / "report.html").read_text()


@pytest.mark.slow
def test_a_model_of_ours_ends_a_campaign_whose_best_is_found(tiny_space, tmp_path):
    """A constant objective: after the first points there is nothing to gain."""
    campaign = Campaign(
        space=tiny_space,
        objective="one",
        objectives=[lambda images: {"one": 1.0}],
        strategy={"kind": "gp_typical", "initial": 3},
        stop_gain=0.1,
        trials=12,
        batch=1,
        engine="serial",
        folder=tmp_path / "run",
    )
    result = campaign.run(progress=False)
    assert result.final_gain is not None
    assert 3 < len(result.trials) < 12


def test_what_is_retried_is_waited_for_and_what_has_a_known_structure_is_not():
    class Small:
        def expected_gain(self, history, z):
            return 0.0

    ask = {"kind": "ask", "strategy": "s", "gain": 0.0}
    first = {**ask, "trials": [{"index": 0, "z": []}]}
    copy = {**ask, "trials": [{"index": 1, "z": [], "same_as": 0}, {"index": 2, "z": []}]}
    fail, tell = {"kind": "fail", "trial": 0}, {"kind": "tell", "trial": 2}
    rule = StopRule(0.1, Small())
    assert rule.verdict([first, fail, copy, tell], 0.0) == "stop"
    retried = [first, fail, copy, {"kind": "retry", "trials": [0, 1]}, tell]
    assert rule.verdict(retried, 0.0) == "wait"
    assert rule.verdict([*retried, {"kind": "tell", "trial": 0}], 0.0) == "stop"


def test_repeats_of_the_best_after_an_early_end_do_not_begin_the_search_again():
    stop = {"kind": "stop", "gain": 0.01}
    repeat = {"kind": "ask", "strategy": "repeat", "trials": [{"index": 3, "repeat_of": 0}]}
    assert ended_early([stop, repeat], 0.1) == 0.01

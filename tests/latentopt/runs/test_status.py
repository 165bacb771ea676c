"""What `status` reads of a folder: while nobody, this process or another one runs the campaign."""

import json
import os
import time
from dataclasses import replace

import pytest

from latentopt.campaign.campaign import Campaign
from latentopt.runs.baseline import baseline_of
from latentopt.runs.journal import Journal, read_events
from latentopt.runs.pace import Pace
from latentopt.runs.run import Run
from latentopt.runs.status import read_status
from latentopt.settings.campaign import RetrainConfig


def halves(images):
    """Fails for a structure in two; slow enough to be timed."""
    time.sleep(0.01)
    value = float(images.double().mean())
    if value > 0.55:
        raise ValueError("too full")
    return {"mean": value, "square": value**2}


@pytest.fixture
def make(tiny_space_folder, tmp_path):
    def call(**settings):
        settings = {"strategy": "prior", "engine": "serial", "trials": 8, "batch": 2} | settings
        return Campaign(
            space=tiny_space_folder,
            objective="mean",
            constraints=["square <= 0.2"],
            objectives=[halves],
            score="decoded",
            folder=tmp_path / "run",
            **settings,
        )

    return call


def test_nobody_runs_a_campaign_that_was_released(make, tmp_path):
    make().run(3, progress=False)
    state = read_status(tmp_path / "run")
    assert state.driver is None
    assert state.evaluations_per_hour is None
    assert state.seconds_left is None
    assert state.left == 5
    assert sum(state.counts.values()) == 4  # a batch of two was begun
    assert (state.running, state.queued) == ({}, [3])


def test_a_running_campaign_tells_who_runs_it_how_fast_and_how_long_still(make, tmp_path):
    campaign = make()
    began = time.time()
    for trial in campaign.ask(4):
        campaign.tell(trial.index, {"mean": 0.1, "square": 0.01 * trial.index})
    (pending,) = campaign.ask(1)
    state = read_status(tmp_path / "run")
    campaign.close()
    assert state.driver.startswith(f"process {os.getpid()} on ")
    assert state.ended == 4
    assert state.evaluations_per_hour > 4 / (time.time() - began)
    assert 0 < state.seconds_left <= state.driver_seconds  # four done, four to go
    assert 0 <= state.running[pending.index] <= time.time() - began + 1


@pytest.mark.parametrize(
    ("ended", "now", "left"),
    [
        (4, 1.0, None),  # the first points were quick: what the model takes is not known
        (4, 300.0, None),
        (5, 61.0, None),
        (6, 121.0, 4 * 60),
        (7, 181.0, 3 * 60),
        (7, 900.0, 3 * 225),  # the next choice takes longer than those before it
        (9, 301.0, 60),
        (10, 361.0, None),  # nothing is left
    ],
)
def test_the_time_left_counts_what_the_model_takes_to_choose(make, tmp_path, ended, now, left):
    """Four quick first points, then one a minute, of ten."""
    with make(strategy={"kind": "gp_typical", "initial": 4}, trials=10) as campaign:
        campaign.ask(max(4, ended))
    told = {"kind": "tell", "metrics": {"mean": 0.1, "square": 0.01}, "seconds": 0.01}
    times = [0.1 * i if i < 4 else 0.3 + 60 * (i - 3) for i in range(ended)]
    events = [
        *read_events(tmp_path / "run"),
        *({**told, "trial": i, "at": 1e9 + seconds} for i, seconds in enumerate(times)),
    ]
    pace = Pace.of(events, Run.of_events(tmp_path, events), 1e9, 1e9 + now)
    assert pace.left == (left if left is None else pytest.approx(left, rel=0.02))


def test_the_time_left_is_not_told_with_retraining_to_come_nor_needs_a_model(make, tmp_path):
    with make(trials=9) as campaign:
        campaign.ask(3)
    told = {"kind": "tell", "metrics": {"mean": 0.1, "square": 0.01}, "seconds": 0.01}
    events = [
        *read_events(tmp_path / "run"),
        *({**told, "trial": i, "at": 1e9 + 10.0 * (i + 1)} for i in range(3)),
    ]
    run = Run.of_events(tmp_path, events)
    assert Pace.of(events, run, 1e9, 1e9 + 31).left == pytest.approx(60)  # draws are all alike
    later = run.config.model_copy(update={"retrain": RetrainConfig(every=5)})
    assert Pace.of(events, replace(run, config=later), 1e9, 1e9 + 31).left is None
    one = run.config.model_copy(update={"strategy": {"kind": "gp", "initial": 20}})
    assert Pace.of(events, replace(run, config=one), 1e9, 1e9 + 31).left == pytest.approx(60)


def test_while_nothing_is_under_way_the_next_points_are_being_chosen(make, run, tmp_path):
    with make() as campaign:
        (trial,) = campaign.ask(1)
        assert read_status(tmp_path / "run").pace.choosing is None
        campaign.tell(trial.index, {"mean": 0.1, "square": 0.01})
        time.sleep(1.1)
        assert 1 < read_status(tmp_path / "run").pace.choosing < 60
        assert "choosing the next points for" in run("status", tmp_path / "run")[1]


def test_failures_are_counted_by_state_and_the_last_told_first(make, tmp_path):
    with make() as campaign:
        states = ("invalid", "timeout", "invalid")
        for trial, how in zip(campaign.ask(3), states, strict=True):
            campaign.fail(trial.index, f"reason {trial.index}", state=how)
    state = read_status(tmp_path / "run")
    assert state.failed_by_state == {"invalid": 2, "timeout": 1}
    assert [t["reason"] for t in state.as_data()["failures"]] == [
        "reason 2",
        "reason 1",
        "reason 0",
    ]


def test_the_journal_of_an_older_version_has_no_pace_but_the_rest(make, tmp_path):
    make().run(3, progress=False)
    events = read_events(tmp_path / "run")
    with Journal(tmp_path / "old") as journal:
        for event in events:
            journal.append({key: value for key, value in event.items() if key != "at"})
        state = read_status(tmp_path / "old")
        assert state.driver
        assert state.evaluations_per_hour is None
        assert list(state.running) == [3]


def test_trials_wait_for_a_worker_lowest_index_first(make, tmp_path):
    """Two workers, four trials: the third begins when the second ends."""
    campaign = make(engine={"kind": "process", "workers": 2})
    campaign.ask(4)
    state = read_status(tmp_path / "run")
    assert (list(state.running), state.queued) == ([0, 1], [2, 3])
    time.sleep(0.3)
    campaign.tell(1, {"mean": 0.1, "square": 0.01})
    state = read_status(tmp_path / "run")
    campaign.close()
    assert (list(state.running), state.queued) == ([0, 2], [3])
    assert state.running[0] > state.running[2] + 0.25


def test_the_baseline_is_the_best_of_the_points_before_the_first_model(make):
    run = make().run(progress=False)
    assert baseline_of(run) is None  # draws alone: there is nothing they should surpass
    strategy = {"kind": "gp_typical", "initial": 4}
    modelled = replace(run, config=run.config.model_copy(update={"strategy": strategy}))
    baseline = baseline_of(modelled)
    assert baseline.name == "4 initial points"
    values = [run.value(t) for t in run.best(9) if t.index < 4]
    assert baseline.value == (max(values) if values else None)


def test_imported_structures_are_the_baseline_of_a_search(make):
    run = make().run(progress=False)
    trials = [replace(t, strategy="imported") if t.index in (1, 2) else t for t in run.trials]
    baseline = baseline_of(replace(run, trials=tuple(trials)))
    assert baseline.name == "2 imported structures"
    assert [t.index for t in baseline.run.trials] == [1, 2]


def test_the_command_prints_what_was_read(make, run, tmp_path):
    make().run(5, progress=False)
    code, out, err = run("status", tmp_path / "run")
    read = Run.read(tmp_path / "run")
    assert (code, err) == (0, "")
    assert "of 8 trials completed" in out
    assert "no process runs it; the Python script that began it goes on, 3 evaluations left" in out
    for trial in read.best(3):
        assert f"trial {trial.index}" in out
        assert f"{read.margins(trial)['square <= 0.2']:+.4g}" in out
    assert "margin of square <= 0.2" in out
    _, out, _ = run("status", tmp_path / "run", "--json")
    state = json.loads(out)
    assert state["completed"] + state["failed"] == 5
    assert state["best"][0]["value"] == read.value(read.best(1)[0])


def test_text_of_the_user_is_no_markup(make, run, tmp_path):
    with make() as campaign:
        (trial,) = campaign.ask(1)
        campaign.fail(trial.index, "[bold]loud[/bold] [/]")
    _, out, _ = run("status", tmp_path / "run")
    assert "[bold]loud[/bold] [/]" in out


def test_watching_a_campaign_ends_with_it(make, run, tmp_path):
    make(trials=3).run(progress=False)
    code, out, _ = run("status", tmp_path / "run", "--watch")
    assert code == 0
    assert len(out.splitlines()) == 1
    assert "of 3 trials completed" in out
    _, out, _ = run("status", tmp_path / "run", "--watch", "--json")
    assert json.loads(out)["driver"] is None


def test_watching_follows_a_campaign_that_goes_on(make, tmp_path, capsys):
    """One line for each change, here by a thread of this process."""
    import threading

    from latentopt.cli.options.campaigns import StatusOptions
    from latentopt.cli.status import status

    campaign = make(trials=4, batch=1)
    campaign.ask(1)
    thread = threading.Thread(target=lambda: (time.sleep(0.4), campaign.run(progress=False)))
    thread.start()
    status(StatusOptions(run=tmp_path / "run", watch=True, every=0.1))
    thread.join()
    lines = capsys.readouterr().out.splitlines()
    assert "0 of 4 trials completed, 0 failed, 1 under way" in lines[0]
    assert "0 under way" in lines[-1]
    assert len(lines) == len(set(lines))


def mean_of_each(images):
    """A cheap metric."""
    return {"cheap": images.double().mean((1, 2, 3))}


def test_points_that_a_screen_rules_out_are_counted_and_queue_for_nobody(tiny_space, run, tmp_path):
    campaign = Campaign(
        space=tiny_space,
        objective="mean",
        objectives=[halves],
        screen={"evaluate": [mean_of_each], "require": ["cheap >= 0.4"]},
        strategy="prior",
        engine="serial",
        trials=4,
        batch=4,
        folder=tmp_path / "run",
    )
    asked = campaign.ask(4)
    state = read_status(tmp_path / "run")
    assert state.counts["screened"] > 0
    assert [*state.running, *state.queued] == [trial.index for trial in asked]
    assert state.left == 4
    campaign.run(progress=False)
    screened = state.counts["screened"]
    assert f"{screened} screened out" in run("status", tmp_path / "run")[1]
    assert run("report", tmp_path / "run")[0] == 0
    assert "screened out" in (tmp_path / "run" / "report.html").read_text()

"""Whole campaigns whose values come from simulators."""

import json
import sys
import time
from pathlib import Path

import pytest

from latentopt import Campaign
from latentopt.campaign.load import load_config
from latentopt.errors import CampaignError, ConfigError
from latentopt.runs.run import Run
from latentopt.simulators.python_function import PythonSimulator

# Strength is what the task says of the trial; thin structures are refused.
SCRIPT = """
import json, sys
task = json.load(open(sys.argv[1]))
open("../../ran", "a").write(f"{task['trial']}\\n")
answer = {"state": "ok", "metrics": {"strength": sum(task["z"])}}
if task["trial"] == 1:
    answer = {"state": "infeasible", "message": "walls are too thin"}
json.dump(answer, open("result.json", "w"))
"""


@pytest.fixture
def solver(tmp_path):
    """Spec of a real program."""
    (tmp_path / "solver.py").write_text(SCRIPT)
    command = [sys.executable, "-S", str(tmp_path / "solver.py"), "{task}"]
    return {"kind": "subprocess", "command": command, "units": {"strength": "MPa"}, "label": "fem"}


@pytest.fixture
def start(tiny_space, tmp_path):
    def make(**settings):
        fields = {
            "objective": "strength",
            "trials": 3,
            "batch": 3,
            "strategy": "prior",
            "engine": "serial",
            "folder": tmp_path / "run",
        }
        return Campaign(space=tiny_space, **(fields | settings))

    return make


def test_a_campaign_needs_simulators_only(start, solver, tmp_path):
    run = start(simulate=[solver]).run(progress=False)
    assert [trial.status for trial in run.trials] == ["completed", "failed", "completed"]
    for trial in (run.trials[0], run.trials[2]):
        assert trial.metrics["strength"] == pytest.approx(trial.z.sum())
    assert run.units["strength"] == "MPa"
    assert (tmp_path / "run" / "simulations" / "0002" / "fem" / "structure.h5").exists()


def test_a_refusal_is_the_reason_of_the_trial_and_its_state(start, solver, tmp_path):
    start(simulate=[solver]).run(progress=False)
    trial = Run.read(tmp_path / "run").trials[1]
    assert (trial.state, trial.reason) == ("infeasible", "fem infeasible: walls are too thin")


def test_a_constraint_on_a_simulated_metric_is_kept(start, solver):
    run = start(
        objective="volume_fraction",
        constraints=["strength >= 1000"],
        evaluate=["volume_fraction"],
        simulate=[solver],
    ).run(progress=False)
    assert not run.best(1)
    assert run.margins(run.trials[0])["strength >= 1000"] < 0


def test_a_campaign_that_goes_on_simulates_nothing_twice(start, solver, tmp_path):
    start(simulate=[solver]).run(1, progress=False)
    start(simulate=[solver]).run(progress=False)
    ran = (tmp_path / "run" / "simulations" / "ran").read_text().split()
    assert ran == ["0", "1", "2"]


def test_another_timeout_is_the_same_campaign_and_another_program_is_not(start, solver, tmp_path):
    start(simulate=[solver]).run(1, progress=False)
    start(simulate=[solver | {"timeout_s": 7.0}]).run(1, progress=False)
    assert Run.read(tmp_path / "run").config.simulate[0]["timeout_s"] == 7.0
    for other in (solver | {"version": "2"}, solver | {"command": ["true"]}):
        with pytest.raises(CampaignError, match="holds a campaign with simulate"):
            start(simulate=[other])


def test_a_function_of_microstructures_is_a_simulator(start, tmp_path):
    def fractions(structure):
        return {"strength": structure.phase_fractions["phase 1"]}

    campaign = start(simulators=[fractions])
    assert campaign.run(progress=False).best(1)[0].metrics["strength"] > 0
    with pytest.raises(ConfigError, match="cannot be imported"):
        Campaign.resume(tmp_path / "run", space=campaign.space)
    resumed = Campaign.resume(tmp_path / "run", space=campaign.space, simulators=[fractions])
    assert len(resumed.result.trials) == 3
    resumed.close()


@pytest.mark.slow
def test_simulators_run_in_worker_processes(forked_workers, start, solver):
    run = start(simulate=[solver], engine={"kind": "process", "workers": 2}).run(progress=False)
    assert [trial.state for trial in run.trials] == [None, "infeasible", None]


@pytest.mark.slow
def test_an_engine_that_ends_an_evaluation_ends_its_program_too(
    forked_workers, start, solver, tmp_path
):
    script = "import os, time; open('../../pid', 'w').write(str(os.getpid())); time.sleep(60)"
    hanging = solver | {"command": [sys.executable, "-S", "-c", script]}
    engine = {"kind": "process", "workers": 1, "timeout_s": 1.0}
    run = start(simulate=[hanging], engine=engine, trials=1, batch=1).run(progress=False)
    assert run.trials[0].state == "timeout"
    pid = (tmp_path / "run" / "simulations" / "pid").read_text()
    for _ in range(100):
        if not Path(f"/proc/{pid}").exists():
            return
        time.sleep(0.05)
    raise AssertionError(f"process {pid} is left behind")


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({}, "campaign: evaluate or simulate should name at least one part, got none."),
        (
            {"simulate": [{"kind": "subproces"}]},
            "campaign.simulate[0].kind: 'subproces' is unknown; did you mean subprocess?",
        ),
        (
            {"simulate": [{"kind": "subprocess", "command": ["no-such"], "units": {"a": "1"}}]},
            "campaign.simulate[0].command: 'no-such' is no program that can be run; install it, "
            "or give its whole path.",
        ),
        (
            {"simulate": [{"kind": "subprocess", "comand": ["true"], "units": {"a": "1"}}]},
            "campaign.simulate[0].comand: unknown key; did you mean command?",
        ),
        (
            {"simulate": [{"kind": "python", "target": "no_such:f"}]},
            "campaign.simulate[0]: no_such:f cannot be imported",
        ),
        (
            {"simulate": [PythonSimulator(target=len), PythonSimulator(target=len)]},
            "campaign.simulate[1]: another simulator is called python; give this one a label.",
        ),
        (
            {"simulate": [3]},
            "campaign.simulate[0]: a simulator should be callable with a Microstructure, got int",
        ),
        (
            {
                "evaluate": ["volume_fraction"],
                "simulate": [PythonSimulator(target=len, units={"volume_fraction": "1"})],
            },
            "metric 'volume_fraction' is returned twice",
        ),
        (
            {"simulate": [PythonSimulator(target=len, units={"strengh": "MPa"})]},
            "metric 'strength' is not evaluated; did you mean strengh?",
        ),
    ],
)
def test_a_wrong_simulator_is_refused_before_anything_is_written(
    start, tmp_path, settings, problem
):
    with pytest.raises(ConfigError) as refused:
        start(**settings)
    assert problem in str(refused.value)
    assert not (tmp_path / "run").exists()


def test_a_program_beside_the_settings_file_is_found(tmp_path):
    (tmp_path / "solve.sh").write_text("#!/bin/sh\n")
    (tmp_path / "solve.sh").chmod(0o755)
    simulate = [
        {"kind": "subprocess", "command": ["./solve.sh", "{structure}"], "units": {"a": "1"}}
    ]
    (tmp_path / "c.yaml").write_text(json.dumps({"objective": "a", "simulate": simulate}))
    config = load_config(tmp_path / "c.yaml")
    assert config.simulate[0]["command"] == [str(tmp_path / "solve.sh"), "{structure}"]


def test_all_that_is_wrong_with_a_settings_file_is_told_at_once(tmp_path):
    simulate = [{"kind": "subprocess", "command": ["no-such"]}, {"kind": "http", "url": "ftp://h"}]
    settings = {"objective": "a", "evaluate": ["volume_fractoin"], "simulate": simulate}
    (tmp_path / "c.yaml").write_text(json.dumps(settings))
    with pytest.raises(ConfigError) as refused:
        load_config(tmp_path / "c.yaml")
    lines = [line.partition("c.yaml: campaign.")[2] for line in str(refused.value).splitlines()]
    assert [line.partition(":")[0] for line in lines] == [
        "evaluate[0].kind",
        "simulate[0].units",
        "simulate[1].units",
        "simulate[1].url",
    ]

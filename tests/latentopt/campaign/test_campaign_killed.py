"""Campaigns whose process is killed or not alone: nothing lost, nothing evaluated twice."""

import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter

import numpy as np
import pytest

from latentopt.campaign.campaign import Campaign
from latentopt.errors import CampaignLockedError
from latentopt.microstructure import to_phases
from latentopt.runs.candidates import candidate_path, read_phases
from latentopt.runs.run import Run

pytestmark = pytest.mark.skipif(os.name != "posix", reason="signals are a POSIX thing")

TRIALS = 16
SLOW_OBJECTIVE = f"""
import os, sys, time

def slow(images):
    value = float(images.double().mean())
    descriptor = os.open(os.environ["CALLS"], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.write(descriptor, f"{{value!r}}\\n".encode())
    os.close(descriptor)
    time.sleep(float(os.environ["SECONDS"]))
    return {{"mean": value}}

def campaign(space, folder):
    from latentopt.campaign.campaign import Campaign
    return Campaign(space=space, objective="mean", objectives=[slow], strategy="prior", batch=4,
                    engine="serial", dry_run=False, score="decoded", trials={TRIALS}, folder=folder)
"""
YAML = """
space: {space}
objective: mean
evaluate: [{{kind: import, target: "slow_objective:slow"}}]
strategy: prior
dry_run: false
engine: {{kind: serial, drain_s: 0.5}}
score: decoded
trials: 3
batch: 2
folder: {folder}
"""


@pytest.fixture
def environment(tmp_path, monkeypatch):
    """Settings of the objective, for the processes of a test."""
    (tmp_path / "slow_objective.py").write_text(SLOW_OBJECTIVE)
    monkeypatch.setenv("CALLS", str(tmp_path / "calls"))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), os.getcwd()]))
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "slow_objective", raising=False)
    return monkeypatch.setenv


@pytest.fixture
def start(fork, environment, tiny_space_folder, tmp_path):
    """Start the campaign of a folder in a process of its own, which has imported everything."""

    def run():
        from slow_objective import campaign

        campaign(tiny_space_folder, sys.argv[1]).run(progress=False)

    return lambda folder, seconds: fork(folder, main=run, cwd=tmp_path, SECONDS=seconds)


def wait_for(path, lines, is_alive):
    """Until the file has so many lines."""
    for _ in range(3000):
        if path.exists() and len(path.read_bytes().splitlines()) >= lines:
            return
        assert is_alive()
        time.sleep(0.01)
    raise AssertionError(f"{path} has too few lines")


def rows(run):
    return [(t.index, t.z.tolist(), t.status, dict(t.metrics)) for t in run.trials]


def completed(folder):
    """Values of the trials that the journal knows the end of."""
    if not (folder / "journal.jsonl").exists():
        return Counter()
    return Counter(t.metrics["mean"] for t in Run.read(folder).trials if t.status == "completed")


@pytest.mark.slow
def test_killed_again_and_again_it_ends_as_if_undisturbed(start, environment, tiny_space, tmp_path):
    folder, calls = tmp_path / "killed", tmp_path / "calls"
    moments, kills = random.Random(0), 0
    calls.touch()
    while True:
        ended, before = completed(folder), calls.read_text().splitlines()
        process = start(folder, seconds=0.03)
        begun = len(before) + moments.randrange(5)  # evaluations after which it is killed
        while process.poll() is None:
            if len(calls.read_bytes().splitlines()) > begun:
                time.sleep(moments.uniform(0, 0.03))
                process.kill()
        kills += process.returncode == -signal.SIGKILL
        again = Counter(map(float, calls.read_text().splitlines()[len(before) :]))
        assert not ended & again  # what was completed is not evaluated again
        assert not ended - completed(folder)  # nor lost
        if process.returncode != -signal.SIGKILL:
            break
    assert process.returncode == 0
    assert kills >= 2
    # Each kill costs at most the evaluation it hit.
    assert TRIALS <= len(calls.read_text().splitlines()) <= TRIALS + kills

    environment("CALLS", os.devnull)
    environment("SECONDS", "0")
    from slow_objective import campaign

    whole = campaign(tiny_space, tmp_path / "whole").run(progress=False)
    run = Run.read(folder)
    assert rows(run) == rows(whole)
    names = {path.name for path in (folder / "candidates").iterdir()}
    assert names == {f"{i:04d}.npz" for i in range(TRIALS)}
    for trial in run.trials:
        expected = to_phases(tiny_space.decode(trial.z[None]))[0]
        np.testing.assert_array_equal(read_phases(folder, trial.index), expected)


def test_a_kill_between_proposing_and_decoding_is_made_good(tiny_space, tmp_path):
    """Points in the journal without structures, and the half of a file, are what it leaves."""

    def mean(images):
        return {"mean": float(images.mean())}

    def make():
        return Campaign(
            space=tiny_space,
            objective="mean",
            objectives=[mean],
            strategy="prior",
            engine="serial",
            dry_run=False,
            trials=4,
            folder=tmp_path,
        )

    with make() as campaign:
        campaign.ask(4)
    whole = candidate_path(tmp_path, 2).read_bytes()
    for index in (1, 2, 3):
        candidate_path(tmp_path, index).unlink()
    (tmp_path / "candidates" / ".0002.npz.part").write_bytes(whole[:100])
    run = make().run(progress=False)
    assert [run.candidate(i).microstructure.phases.shape for i in range(4)] == [(8, 8)] * 4
    assert len(list((tmp_path / "candidates").iterdir())) == 4


@pytest.mark.slow
def test_a_second_process_is_refused_and_the_first_goes_on(start, tiny_space_folder, tmp_path):
    folder, calls = tmp_path / "run", tmp_path / "calls"
    first = start(folder, seconds=0.1)
    wait_for(calls, 1, lambda: first.poll() is None)
    from slow_objective import slow

    with pytest.raises(CampaignLockedError, match=f"process {first.pid} on .*stop it"):
        Campaign.resume(folder, space=tiny_space_folder, objectives=[slow])
    assert first.wait(timeout=60) == 0
    assert len(calls.read_text().splitlines()) == TRIALS


@pytest.mark.slow
@pytest.mark.usefixtures("environment")
def test_on_the_command_line_a_second_process_exits_4_and_sigterm_drains(
    fork, request, tiny_space_folder, tmp_path
):
    config, folder = tmp_path / "campaign.yaml", tmp_path / "run"
    config.write_text(YAML.format(space=tiny_space_folder, folder=folder))
    first = subprocess.Popen(  # an interpreter of its own, as a user has
        [sys.executable, "-m", "latentopt", "optimize", config],
        env={**os.environ, "SECONDS": "60"},
        stderr=subprocess.PIPE,
        text=True,
    )
    request.addfinalizer(first.kill)
    wait_for(tmp_path / "calls", 1, lambda: first.poll() is None)
    second = fork("optimize", config, cwd=tmp_path, SECONDS=0)
    _, error = second.communicate(timeout=60)
    assert second.returncode == 4
    (line,) = error.splitlines()
    assert line.startswith(f"latentopt: {folder}: process {first.pid} on ")
    first.send_signal(signal.SIGTERM)
    _, error = first.communicate(timeout=20)
    assert first.returncode == 0
    (line,) = error.splitlines()
    assert line.startswith("SIGTERM: stopped after 0 evaluations, 2 are left pending; the same")
    assert [trial.status for trial in Run.read(folder).trials] == ["pending", "pending"]
    third = fork("optimize", config, cwd=tmp_path, SECONDS=0)
    out, error = third.communicate(timeout=60)
    assert third.returncode == 0, error
    assert "3 of 3 trials completed" in out
    assert len((tmp_path / "calls").read_text().splitlines()) == 4

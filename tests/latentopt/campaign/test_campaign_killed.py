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
RUN = """
import sys
from slow_objective import campaign
campaign(*sys.argv[1:]).run(progress=False)
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
def start(tiny_space_folder, tmp_path):
    """Start the campaign of a folder in a process of its own, and see it end."""
    (tmp_path / "slow_objective.py").write_text(SLOW_OBJECTIVE)
    started = []

    def call(folder, seconds=0.0, command=None):
        environment = {
            **os.environ,
            "CALLS": str(tmp_path / "calls"),
            "SECONDS": str(seconds),
            "PYTHONPATH": os.pathsep.join([str(tmp_path), os.getcwd()]),
        }
        command = command or ["-c", RUN, str(tiny_space_folder), str(folder)]
        process = subprocess.Popen(
            [sys.executable, *command],
            env=environment,
            cwd=tmp_path,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        started.append(process)
        return process

    yield call
    for process in started:
        process.kill()
        process.communicate()


def wait_for(path, lines, process):
    """Until the file has so many lines."""
    for _ in range(3000):
        if path.exists() and len(path.read_bytes().splitlines()) >= lines:
            return
        assert process.poll() is None, process.communicate()
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
def test_killed_again_and_again_it_ends_as_if_undisturbed(start, tiny_space, tmp_path):
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
        kills += process.wait() == -signal.SIGKILL
        again = Counter(map(float, calls.read_text().splitlines()[len(before) :]))
        assert not ended & again  # what was completed is not evaluated again
        assert not ended - completed(folder)  # nor lost
        if process.returncode != -signal.SIGKILL:
            break
    assert process.returncode == 0, process.communicate()
    assert kills >= 2
    # Each kill costs at most the evaluation it hit.
    assert TRIALS <= len(calls.read_text().splitlines()) <= TRIALS + kills

    os.environ["CALLS"], os.environ["SECONDS"] = os.devnull, "0"
    sys.path.insert(0, str(tmp_path))
    try:
        from slow_objective import campaign
    finally:
        sys.path.remove(str(tmp_path))
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
    wait_for(calls, 1, first)
    with pytest.raises(CampaignLockedError, match=f"process {first.pid} on .*stop it"):
        Campaign.resume(folder, space=tiny_space_folder, objectives=[slow_of(tmp_path)])
    assert first.wait(timeout=60) == 0
    assert len(calls.read_text().splitlines()) == TRIALS


def slow_of(folder):
    """The objective of `SLOW_OBJECTIVE`, imported under its own name."""
    sys.path.insert(0, str(folder))
    try:
        import slow_objective
    finally:
        sys.path.remove(str(folder))
    return slow_objective.slow


@pytest.mark.slow
def test_on_the_command_line_a_second_process_exits_4_and_sigterm_drains(
    start, tiny_space_folder, tmp_path
):
    config, folder = tmp_path / "campaign.yaml", tmp_path / "run"
    config.write_text(YAML.format(space=tiny_space_folder, folder=folder))
    optimize = ["-m", "latentopt", "optimize", str(config)]
    first = start(folder, seconds=60, command=optimize)
    wait_for(tmp_path / "calls", 1, first)
    second = start(folder, command=optimize)
    assert second.wait(timeout=60) == 4
    (line,) = second.stderr.read().splitlines()
    assert line.startswith(f"latentopt: {folder}: process {first.pid} on ")
    first.send_signal(signal.SIGTERM)
    assert first.wait(timeout=20) == 0
    (line,) = first.stderr.read().splitlines()
    assert line.startswith("SIGTERM: stopped after 0 evaluations, 2 are left pending; the same")
    assert [trial.status for trial in Run.read(folder).trials] == ["pending", "pending"]
    third = start(folder, command=optimize)
    assert third.wait(timeout=60) == 0, third.stderr.read()
    assert "3 of 3 trials completed" in third.stdout.read()
    assert len((tmp_path / "calls").read_text().splitlines()) == 4

"""Campaigns with worker processes, stopped or killed from outside: nothing lost, nobody left."""

import os
import signal
import time
from pathlib import Path
from runpy import run_path

import pytest

from latentopt.campaign.draining import DrainEnded, draining
from latentopt.runs.run import Run

pytestmark = pytest.mark.skipif(os.name != "posix", reason="signals are a POSIX thing")

ROOT = Path(__file__).parents[3]
OBJECTIVE = """
import os, pathlib, subprocess, time

def slow(images):
    began = pathlib.Path({began!r})
    began.mkdir(exist_ok=True)
    child = subprocess.Popen(["sleep", "600"])
    (began / str(os.getpid())).write_text(str(child.pid))
    time.sleep({seconds})
    child.kill()
    return {{"mean": float(images.double().mean())}}
"""
YAML = """
space: {space}
objective: mean
evaluate: [{{kind: import, target: "slow_objective:slow"}}]
strategy: prior
engine: {{kind: process, workers: {workers}, drain_s: {drain_s}}}
score: decoded
dry_run: false
trials: 50
batch: 2
folder: run
"""


@pytest.fixture
def start(forked_workers, fork, tiny_space_folder, tmp_path):
    """Start a campaign; once its workers evaluate: its process, and all it has started."""
    began = tmp_path / "began"

    def call(seconds, drain_s=30, workers=1):
        (tmp_path / "campaign.yaml").write_text(
            YAML.format(space=tiny_space_folder, drain_s=drain_s, workers=workers)
        )
        objective = OBJECTIVE.format(began=str(began), seconds=seconds)
        (tmp_path / "slow_objective.py").write_text(objective)
        driver = fork("optimize", "campaign.yaml", cwd=tmp_path)
        end = time.monotonic() + 120
        while not (began.is_dir() and len(list(began.iterdir())) == workers):
            assert driver.poll() is None, driver.communicate()
            assert time.monotonic() < end
            time.sleep(0.05)
        time.sleep(0.1)  # the names are written
        pids = [int(path.name) for path in began.iterdir()]
        return driver, pids + [int(path.read_text()) for path in began.iterdir()]

    return call


def alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def left_of(pids, seconds=10):
    """Processes that are still there when the seconds are over."""
    end = time.monotonic() + seconds
    while any(map(alive, pids)) and time.monotonic() < end:
        time.sleep(0.05)
    return [pid for pid in pids if alive(pid)]


def statuses(folder):
    return sorted(trial.status for trial in Run.read(folder / "run").trials)


@pytest.mark.slow
def test_a_signal_lets_what_is_under_way_end_and_begins_nothing_more(start, tmp_path):
    driver, pids = start(seconds=1, workers=2)
    for pid in (driver.pid, *pids[:2]):  # a queue sends it to every process of the job
        os.kill(pid, signal.SIGTERM)
    out, err = driver.communicate(timeout=60)
    assert driver.returncode == 0, err
    said = "SIGTERM: stopped after 2 evaluations, 0 are left pending; the same command goes on."
    assert err == f"{said}\n"
    assert "2 of 50 trials completed" in out
    assert statuses(tmp_path) == ["completed"] * 2
    assert not left_of(pids)


@pytest.mark.slow
def test_what_does_not_end_in_time_is_left_pending(start, tmp_path):
    driver, pids = start(seconds=600, drain_s=0.5)
    driver.send_signal(signal.SIGUSR1)
    _, err = driver.communicate(timeout=30)
    assert driver.returncode == 0, err
    assert "SIGUSR1: stopped after 0 evaluations, 2 are left pending" in err
    assert statuses(tmp_path) == ["pending"] * 2
    assert not left_of(pids)


@pytest.mark.slow
def test_ctrl_c_stops_at_once(start, tmp_path):
    driver, pids = start(seconds=600)
    driver.send_signal(signal.SIGINT)
    _, err = driver.communicate(timeout=30)
    assert driver.returncode == 130, err
    assert "Traceback" not in err
    assert statuses(tmp_path) == ["pending"] * 2
    assert not left_of(pids)


@pytest.mark.slow
def test_a_driver_that_is_killed_leaves_no_process_behind(start, tmp_path):
    driver, pids = start(seconds=600)
    driver.kill()
    driver.wait()
    assert not left_of(pids)
    assert statuses(tmp_path) == ["pending"] * 2


@pytest.mark.slow
def test_a_worker_that_is_killed_loses_its_own_trial_only(start, tmp_path):
    driver, pids = start(seconds=1, workers=2)
    os.kill(pids[0], signal.SIGKILL)
    driver.send_signal(signal.SIGUSR1)
    driver.communicate(timeout=60)
    assert driver.returncode == 0
    assert "completed" in statuses(tmp_path)
    assert not left_of(pids)


def test_a_second_signal_ends_the_patience():
    before = signal.getsignal(signal.SIGTERM)
    with draining(60.0) as drain:
        assert drain.signal is None
        signal.raise_signal(signal.SIGUSR1)
        assert drain.signal == "SIGUSR1"
        with pytest.raises(DrainEnded):
            signal.raise_signal(signal.SIGTERM)
    assert signal.getsignal(signal.SIGTERM) is before


def test_the_patience_ends_by_itself():
    with draining(0.1):
        signal.raise_signal(signal.SIGTERM)
        with pytest.raises(DrainEnded):
            time.sleep(10)


GUARDLESS = """
from latentopt import Campaign
import slow_objective

campaign = Campaign(space={space!r}, objective="mean", evaluate=[slow_objective.slow],
                    strategy="prior", folder="run", trials=2, batch=2, dry_run=False,
                    engine={{"kind": "process", "workers": 1}})
campaign.run(progress=False)
"""


@pytest.mark.slow
def test_a_script_that_forgot_its_guard_is_told(fork, tiny_space_folder, tmp_path):
    (tmp_path / "slow_objective.py").write_text(OBJECTIVE.format(began="", seconds=0))
    script = str(tmp_path / "script.py")
    Path(script).write_text(GUARDLESS.format(space=str(tiny_space_folder)))
    ran = fork(main=lambda: run_path(script, run_name="__main__"), cwd=tmp_path, PYTHONPATH=ROOT)
    _, error = ran.communicate(timeout=120)
    assert ran.returncode == 1
    *_, last = error.splitlines()
    assert 'call it under if __name__ == "__main__":' in last
    assert error.count("Traceback") == 1
    assert statuses(tmp_path) == ["pending"] * 2

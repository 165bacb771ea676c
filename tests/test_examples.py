"""Every example runs to its end from an empty folder; every settings file is valid."""

import os
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

from latentopt.campaign.load import load_config
from latentopt.training.train_space import TrainingSettings

ROOT = Path(__file__).parent.parent
SCRIPTS = sorted((ROOT / "examples").glob("[0-9]*.py"))
# Those that ask for no engine have worker processes, as campaigns do.
WITH_WORKERS = [
    path
    for path in SCRIPTS
    if "Campaign(" in path.read_text() and "engine=" not in path.read_text()
]
HERE = [path for path in SCRIPTS if path not in WITH_WORKERS]
SETTINGS = sorted((ROOT / "examples" / "configs").glob("*.yaml"))


def test_there_are_examples_and_settings():
    assert len(SCRIPTS) >= 5
    assert HERE
    assert WITH_WORKERS
    assert len(SETTINGS) >= 2


def seconds_used():
    """Processor time of this process and of those it has started, so that a busy neighbour
    does not count.
    """
    return sum(os.times()[:4])


@pytest.fixture
def play(embedded_once, tmp_path, monkeypatch, capfd):
    """Run a script as ``python script`` does, in this process: what it printed."""

    def call(script):
        monkeypatch.chdir(tmp_path)
        monkeypatch.setenv("SMOKE", "1")
        monkeypatch.setattr(sys, "argv", [str(script)])
        runpy.run_path(str(script), run_name="__main__")
        return capfd.readouterr().out

    return call


@pytest.mark.slow
@pytest.mark.parametrize("script", HERE, ids=lambda path: path.stem)
def test_example_runs_within_a_minute(script, play):
    started = seconds_used()
    assert play(script).strip(), "an example prints what it found"
    assert seconds_used() - started < 60


@pytest.mark.slow
@pytest.mark.parametrize("script", WITH_WORKERS, ids=lambda path: path.stem)
def test_example_with_workers_runs_within_a_minute(script, tmp_path):
    """In a process of its own, whose main module its workers import."""
    environment = {**os.environ, "SMOKE": "1", "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    started = seconds_used()
    ran = subprocess.run(
        [sys.executable, str(script)],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert ran.stdout.strip(), "an example prints what it found"
    assert seconds_used() - started < 60


@pytest.mark.parametrize("path", SETTINGS, ids=lambda path: path.stem)
def test_settings_file_is_valid(path):
    read = TrainingSettings.read if "data:" in path.read_text() else load_config
    assert read(path)

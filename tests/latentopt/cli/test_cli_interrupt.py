"""Ctrl-C, sent as a signal to real processes."""

import os
import signal
import subprocess
import sys
import time
from itertools import product
from pathlib import Path

import numpy as np
import pytest

from generative.data.synthetic import gaussian_random_field

ROOT = Path(__file__).parents[3]
CAMPAIGN = """
space: {space}
objective: mean
evaluate: [{{kind: import, target: "sleepy:sleepy"}}]
strategy: prior
engine: serial
score: decoded
trials: 3
folder: {folder}
"""
SLEEPY = """
import time
def sleepy(images):
    open("began", "w").close()
    time.sleep(60)
    return {"mean": 0.0}
"""

# Sends a signal at the import of a module, in the driver or in a worker, as a terminal does: to the
# driver and to workers that have no group of their own yet.
SITECUSTOMIZE = """
import os, signal, sys

class Interrupting:
    def find_spec(self, name, path=None, target=None):
        worker = "--multiprocessing-fork" in sys.orig_argv
        if name == os.environ["AT"] and worker == ("IN_WORKERS" in os.environ):
            sys.meta_path.remove(self)
            driver = os.getppid() if worker else os.getpid()
            os.killpg(os.getpgid(driver), getattr(signal, os.environ["BY"]))

sys.meta_path.insert(0, Interrupting())
"""

pytestmark = pytest.mark.skipif(os.name != "posix", reason="signals are a POSIX thing")


def start(folder, *arguments):
    """The command in an interpreter of its own."""
    return subprocess.Popen(
        [sys.executable, "-m", "latentopt", *map(str, arguments)],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(folder)])},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def interrupted(process, folder, began):
    """Exit status, as a shell shows it, and standard error of a process that gets SIGINT.

    It gets it once `began` is there. Python under `-m` dies of a SIGINT that came while `exec` of a
    text ran (most imports do that), whoever caught it: a shell shows 128 + 2 for either end.
    """
    end = time.monotonic() + 60
    while not began(folder):
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < end
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    code = process.wait(timeout=30)
    return 128 - code if code < 0 else code, process.communicate()[1]


@pytest.mark.slow
def test_a_campaign_says_that_it_goes_on(tiny_space_folder, tmp_path):
    (tmp_path / "sleepy.py").write_text(SLEEPY)
    text = CAMPAIGN.format(space=tiny_space_folder, folder=tmp_path / "run")
    (tmp_path / "campaign.yaml").write_text(text)
    process = start(tmp_path, "optimize", "campaign.yaml")
    code, err = interrupted(process, tmp_path, lambda folder: (folder / "began").exists())
    assert code == 130
    lines = [line for line in err.splitlines() if line.startswith("latentopt:")]
    assert lines == ["latentopt: interrupted; the same command goes on from here."]
    assert "Traceback" not in err


@pytest.mark.slow
def test_training_says_that_it_goes_on(fork, tmp_path):
    np.save(tmp_path / "images.npy", gaussian_random_field(40, (32, 32), seed=0))
    process = fork("train", "images.npy", "--out", "space", "--steps", 100_000, cwd=tmp_path)
    code, err = interrupted(process, tmp_path, lambda folder: (folder / "space").exists())
    assert code == 130, err
    assert "latentopt: interrupted; the same command goes on from here." in err.splitlines()
    assert "Traceback" not in err


@pytest.mark.slow
def test_a_command_that_keeps_nothing_says_that_it_starts_again(fork, tmp_path):
    fifo = tmp_path / "points.csv"
    os.mkfifo(fifo)
    opened = []

    def reading(folder):
        """A writer's end without waiting opens only once the command reads."""
        try:
            opened.append(os.open(fifo, os.O_WRONLY | os.O_NONBLOCK))
        except OSError:
            return False
        return True

    process = fork("decode", "default", "points.csv", cwd=tmp_path)
    code, err = interrupted(process, tmp_path, reading)
    os.close(opened[0])
    assert (code, err) == (130, "latentopt: interrupted; the same command starts again.\n")


@pytest.fixture
def run(tiny_space_folder, tmp_path):
    """What `optimize` answers to a signal that comes at an import."""
    (tmp_path / "sleepy.py").write_text(SLEEPY)
    (tmp_path / "sitecustomize.py").write_text(SITECUSTOMIZE)
    text = CAMPAIGN.format(space=tiny_space_folder, folder=tmp_path / "run")
    (tmp_path / "campaign.yaml").write_text(text.replace("engine: serial", "engine: process"))

    def call(**environment):
        paths = os.pathsep.join([str(tmp_path), str(ROOT)])
        return subprocess.run(
            [sys.executable, "-m", "latentopt", "optimize", "campaign.yaml"],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": paths, **environment},
            capture_output=True,
            text=True,
            start_new_session=True,  # its workers are of its group until they have a group each
            timeout=60,
        )

    return call


def left_of_the_session(tmp_path, seconds=10):
    """Processes whose working folder is still that of the test when the seconds are over."""
    end = time.monotonic() + seconds
    while True:
        found = []
        for process in Path("/proc").glob("[0-9]*"):
            try:
                if Path(os.readlink(process / "cwd")) == tmp_path:
                    found.append(process.name)
            except OSError:
                continue
        if not found or time.monotonic() > end:
            return found
        time.sleep(0.05)


SAID = "latentopt: interrupted; the same command goes on from here.\n"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("at", "by"),
    [
        *product(
            ["latentopt.cli.app", "typer", "torch", "latentopt.campaign.campaign"],
            ["SIGINT", "SIGTERM"],
        ),
        ("sleepy", "SIGTERM"),
        ("latentopt.campaign.loop", "SIGINT"),
    ],
)
def test_a_signal_in_the_middle_of_an_import_is_answered_in_one_line(run, at, by):
    ran = run(AT=at, BY=by)
    assert (ran.returncode, ran.stdout, ran.stderr) == (130, "", SAID)


@pytest.mark.slow
@pytest.mark.usefixtures("run")
@pytest.mark.parametrize("at", ["latentopt.engines.process_worker", "torch", "sleepy"])
def test_ctrl_c_while_workers_start_is_answered_in_one_line(fork, at, tmp_path):
    paths = os.pathsep.join([str(tmp_path), str(ROOT)])
    ran = fork(
        *("optimize", "campaign.yaml"),
        cwd=tmp_path,
        AT=at,
        BY="SIGINT",
        IN_WORKERS="yes",
        PYTHONPATH=paths,
    )
    out, error = ran.communicate(timeout=60)
    assert (ran.returncode, error) == (130, SAID)
    assert "Traceback" not in out
    assert not left_of_the_session(tmp_path)


def ended(script, within_s):
    """Exit status and standard error of a script."""
    ran = subprocess.run(
        [sys.executable, "-c", script],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=within_s,
    )
    return ran.returncode, ran.stderr


def test_an_interrupt_that_python_drops_comes_again():
    script = """
import signal, sys, time
from latentopt.interrupts import interruptible, raising

class Dropping:
    def __del__(self):
        signal.raise_signal(signal.SIGINT)

with interruptible(["train"]), raising():
    Dropping()
    time.sleep(30)
"""
    assert ended(script, within_s=60) == (130, SAID)


def test_a_second_signal_does_not_wait_for_what_is_wound_up():
    script = """
import signal, time
from latentopt.interrupts import interruptible, raising

with interruptible(["optimize"]), raising():
    try:
        signal.raise_signal(signal.SIGINT)
    finally:
        signal.raise_signal(signal.SIGTERM)
        time.sleep(30)
"""
    assert ended(script, within_s=20) == (130, SAID)

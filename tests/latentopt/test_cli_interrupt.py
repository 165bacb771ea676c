"""Ctrl-C, sent as a signal to real processes."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from generative.data.synthetic import gaussian_random_field

ROOT = Path(__file__).parent.parent.parent
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

pytestmark = pytest.mark.skipif(os.name != "posix", reason="signals are a POSIX thing")


def interrupted(folder, began, *arguments):
    """Exit status, as a shell shows it, and standard error of a command that gets SIGINT.

    It gets it once `began` is there. Python under `-m` dies of a SIGINT that came while `exec` of a
    text ran (most imports do that), whoever caught it: a shell shows 128 + 2 for either end.
    """
    process = subprocess.Popen(
        [sys.executable, "-m", "latentopt", *map(str, arguments)],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(folder)])},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
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
    code, err = interrupted(
        tmp_path, lambda folder: (folder / "began").exists(), "optimize", "campaign.yaml"
    )
    assert code == 130
    lines = [line for line in err.splitlines() if line.startswith("latentopt:")]
    assert lines == ["latentopt: interrupted; the same command goes on from here."]
    assert "Traceback" not in err


@pytest.mark.slow
def test_training_says_that_it_goes_on(tmp_path):
    np.save(tmp_path / "images.npy", gaussian_random_field(40, (32, 32), seed=0))
    code, err = interrupted(
        tmp_path,
        lambda folder: (folder / "space").exists(),
        *("train", "images.npy", "--out", "space", "--steps", 100_000),
    )
    assert code == 130, err
    assert "latentopt: interrupted; the same command goes on from here." in err.splitlines()
    assert "Traceback" not in err


@pytest.mark.slow
def test_a_command_that_keeps_nothing_says_that_it_starts_again(tmp_path):
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

    code, err = interrupted(tmp_path, reading, "decode", "default", "points.csv")
    os.close(opened[0])
    assert (code, err) == (130, "latentopt: interrupted; the same command starts again.\n")

"""What a person sees of a training: a bar in a terminal, lines in a log."""

import io
import sys

import pytest

from generative.training import progress
from generative.training.progress import TrainingProgress


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_a_terminal_shows_a_bar_with_steps_and_losses(monkeypatch):
    monkeypatch.setattr(sys, "stderr", Terminal())
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "120")
    with TrainingProgress(10, first=4) as bar:
        bar.update(10, {"loss": 0.25, "kl": 3.0})
    text = sys.stderr.getvalue()
    assert "going on from step 4 of 10" in text
    assert "10/10" in text
    assert "loss 0.25  kl 3" in text


def test_a_log_gets_a_line_now_and_then_and_one_at_the_end(monkeypatch, capsys):
    now = iter(range(0, 1000, 4))
    monkeypatch.setattr(progress.time, "monotonic", lambda: float(next(now)))
    with TrainingProgress(12) as bar:
        for step in range(12):
            bar.update(step + 1, {"loss": 1.0})
    lines = capsys.readouterr().err.splitlines()
    assert 2 <= len(lines) < 12
    assert lines[-1].startswith("step 12/12  loss 1  0 s left")


def test_the_losses_shown_are_smoothed():
    with TrainingProgress(2, shown=False) as bar:
        bar.update(1, {"loss": 1.0})
        bar.update(2, {"loss": 3.0})
    assert bar.smooth["loss"] == pytest.approx(0.95 * 1 + 0.05 * 3)


def test_the_bar_is_put_away_when_training_fails(monkeypatch):
    monkeypatch.setattr(sys, "stderr", Terminal())
    with pytest.raises(ZeroDivisionError), TrainingProgress(2) as bar:
        raise ZeroDivisionError
    assert not bar.bar.live.is_started

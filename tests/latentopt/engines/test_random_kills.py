"""Driver and workers killed at random moments, some with a torn journal behind them."""

from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
HARNESS = ROOT / "benchmarks" / "engines.py"


def three_kills():
    from benchmarks.engines import main  # it reads how many trials when it is imported

    main(["kills", "3"])


@pytest.mark.slow
@pytest.mark.skipif(not (HARNESS.exists() and Path("/proc").exists()), reason="needs both")
def test_nothing_told_is_lost_or_told_twice(fork):
    killed = fork("--trials", "6", main=three_kills, cwd=ROOT, PYTHONPATH=ROOT)
    printed, errors = killed.communicate(timeout=600)
    assert killed.returncode == 0, errors
    assert "0 told results lost, 0 told twice" in printed

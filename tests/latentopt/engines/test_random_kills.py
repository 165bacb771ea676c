"""Driver and workers killed at random moments, some with a torn journal behind them."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
HARNESS = ROOT / "benchmarks" / "engines.py"
MAIN = 'from benchmarks.engines import main; main(["kills", "3"])'


@pytest.mark.slow
@pytest.mark.skipif(not (HARNESS.exists() and Path("/proc").exists()), reason="needs both")
def test_nothing_told_is_lost_or_told_twice():
    killed = subprocess.run(
        # Not as a script, which each worker would import again.
        [sys.executable, "-c", MAIN, "--trials", "6"],
        env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert killed.returncode == 0, killed.stderr
    assert "0 told results lost, 0 told twice" in killed.stdout

"""An end to what dies or hangs, for every test and doctest."""

import faulthandler
import sys

import pytest


@pytest.hookimpl(trylast=True)
def pytest_runtest_logreport(report):
    """End the run when a worker has died: the others would first finish all files they were given.

    ``???`` is where pytest-xdist says that a worker died, and in which test.
    """
    if report.when == "???":
        pytest.exit(f"{report.longrepr}; the run ends here.", returncode=1)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_teardown(item):
    """Give a teardown the time limit of a test: pytest ends the one it has when a test fails."""
    seconds = float(item.config.getini("faulthandler_timeout") or 0)
    if seconds:
        faulthandler.dump_traceback_later(seconds, exit=True, file=sys.__stderr__)

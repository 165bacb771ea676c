"""An end to what dies or hangs, for every test and doctest; a quick choice among them."""

import faulthandler
import gc
import os
import sys
from collections import Counter

import pytest

# Once a worker has died the run has this long to end by itself, in limits of one test: pytest-xdist
# waits up to 10 s for the other workers, and has been seen to wait for ever.
LIMITS_TO_END = 5
MOST_SECONDS_TO_END = 60
# Processor time after which a file begins no test with ``--quick``.
QUICK_SECONDS = 0.05
USED = Counter()


def pytest_addoption(parser):
    """Offer the choice of ``make test-quick``."""
    parser.addoption("--quick", action="store_true", help="the first case of each quick test")


@pytest.hookimpl(wrapper=True)
def pytest_collection():
    """Thousands of collected tests are there to stay: the garbage collector need not look.

    While they are collected it would look at all of them again and again, a quarter of the time.
    """
    gc.disable()
    try:
        return (yield)
    finally:
        gc.collect()
        gc.freeze()
        gc.enable()


def pytest_collection_modifyitems(config, items):
    """Files with many slow tests first: the processes end together, and not with a long file.

    With ``--quick``, keep the first case of every test that is not slow.
    """
    slow = Counter(item.path for item in items if item.get_closest_marker("slow"))
    items.sort(key=lambda item: -slow[item.path])
    if not config.getoption("--quick"):
        return
    chosen = {}
    for item in items:
        if item.get_closest_marker("slow") is None:
            chosen.setdefault(item.nodeid.partition("[")[0], item)
    kept = set(chosen.values())
    config.hook.pytest_deselected(items=[item for item in items if item not in kept])
    items[:] = chosen.values()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item):
    """Count the processor time of each file, of the processes it started too."""
    before = sum(os.times()[:4])
    try:
        return (yield)
    finally:
        USED[item.path] += sum(os.times()[:4]) - before


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item):
    """With ``--quick``, a file begins no test when its time is used up."""
    if item.config.getoption("--quick") and USED[item.path] > QUICK_SECONDS:
        pytest.skip("the time of its file is used up; make test runs it")


def pytest_configure(config):
    """Watch over the workers where they are started."""
    if not hasattr(config, "workerinput"):
        config.pluginmanager.register(EndOfARun(config), "end-of-a-run")


class EndOfARun:
    """End the run when a worker has died: the others would first finish all they were given."""

    def __init__(self, config):
        self.config = config

    @pytest.hookimpl(trylast=True)
    def pytest_runtest_logreport(self, report):
        """Say which test a worker died in, and end; ``???`` is where pytest-xdist says so."""
        if report.when != "???":
            return
        said = f"{report.longrepr}; the run ends here."
        terminal = self.config.pluginmanager.get_plugin("terminalreporter")
        terminal.ensure_newline()
        terminal.write_line(said)
        terminal.flush()
        limit = _limit(self.config) or MOST_SECONDS_TO_END
        seconds = min(LIMITS_TO_END * limit, MOST_SECONDS_TO_END)
        faulthandler.dump_traceback_later(seconds, exit=True, file=sys.__stderr__)
        pytest.exit(said, returncode=1)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_teardown(item):
    """Give a teardown the time limit of a test: pytest ends the one it has when a test fails."""
    if seconds := _limit(item.config):
        faulthandler.dump_traceback_later(seconds, exit=True, file=sys.__stderr__)


def _limit(config):
    """Seconds of one test; 0 is no limit."""
    return float(config.getini("faulthandler_timeout") or 0)

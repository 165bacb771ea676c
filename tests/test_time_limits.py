"""A test that hangs or kills its worker ends the run, with its name: no test waits for ever."""

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
SETTINGS = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["pytest"]["ini_options"]

DIES = """
import os
def test_that_dies(): os.abort()
"""
HANGS = """
import time, pytest
@pytest.fixture
def held():
    yield
    time.sleep(600)
def test_that_fails_and_then_hangs(held): assert False
"""
# More than the worker was given with it.
MORE = """
import pytest
@pytest.mark.parametrize("i", range(150))
def test_of_many(i): pass
"""
# What has been seen of pytest-xdist, seldom: it waits for ever for its workers to end.
ENDLESS_END = """
import time
def pytest_sessionfinish(session):
    if not hasattr(session.config, "workerinput"): time.sleep(600)
"""
GOES_ON = """
import time, pytest
@pytest.mark.parametrize("i", range(2000))
def test_of_another_worker(i): time.sleep(0.05)
"""


def test_the_settings_are_there():
    assert {"--max-worker-restart=0", "--no-loadscope-reorder"} <= {*SETTINGS["addopts"].split()}
    assert SETTINGS["faulthandler_exit_on_timeout"] is True
    assert 300 <= SETTINGS["faulthandler_timeout"] <= 600  # of slow tests on a slow machine


def test_the_test_commands_of_readme_makefile_and_ci_are_one():
    command = "python -m pytest -n {} --dist loadfile"
    assert command.format(2) in (ROOT / "README.md").read_text()
    makefile = (ROOT / "Makefile").read_text()
    assert command.format("$(PROCESSES)") in makefile
    assert "PROCESSES ?= 2\n" in makefile
    ci = ROOT / ".ci" / "run"
    assert not ci.exists() or ci.read_text().splitlines()[-1] == "make test"  # no part of an sdist


@pytest.mark.slow
@pytest.mark.parametrize(
    ("text", "name", "end"),
    [
        (DIES, "test_that_dies", ""),
        (HANGS, "test_that_fails_and_then_hangs", ""),
        (DIES, "test_that_dies", ENDLESS_END),
    ],
    ids=["dies", "hangs", "dies-and-xdist-hangs"],
)
def test_a_test_that_ends_its_worker_ends_the_run_with_its_name(text, name, end, tmp_path):
    (tmp_path / "test_one.py").write_text(text + MORE)
    (tmp_path / "test_two.py").write_text(GOES_ON)
    (tmp_path / "conftest.py").write_text((ROOT / "conftest.py").read_text() + end)
    ours = f"-c {ROOT / 'pyproject.toml'} --rootdir {tmp_path} -o faulthandler_timeout=0.5"
    command = f"-m pytest -n 2 --dist loadfile -p no:cacheprovider {ours} {tmp_path}"
    run = subprocess.run(
        [sys.executable, *command.split()],
        capture_output=True,
        text=True,
        timeout=90,  # the other worker alone would take 100 s
        cwd=tmp_path,
    )
    assert run.returncode == 1
    assert f"crashed while running 'test_one.py::{name}'" in run.stdout

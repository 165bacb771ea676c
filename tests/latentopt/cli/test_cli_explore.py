"""The command ``latentopt explore``."""

import json
import os
import re
import shutil
import signal
import stat
import sys
import time
import urllib.request

import pytest

from latentopt.campaign import Campaign

pytest.importorskip("fastapi")
pytest.importorskip("uvicorn")

BROWSER = """#!{python}
import os, pathlib, sys, urllib.parse
path = pathlib.Path(urllib.parse.urlparse(sys.argv[1]).path)
pathlib.Path({noted!r}).write_text(f"{{oct(os.stat(path).st_mode)}} {{path.read_text()}}")
"""


@pytest.fixture
def browser(tmp_path):
    """A browser that notes what it is given."""
    path, noted = tmp_path / "browser", tmp_path / "noted"
    path.write_text(BROWSER.format(python=sys.executable, noted=str(noted)))
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path, noted


@pytest.fixture
def explore(fork, tmp_path):
    """Start the command; its address once it answers. It is interrupted at the end."""
    started = []

    def call(*arguments, **environment):
        process = fork("explore", *arguments, cwd=tmp_path, **environment)
        started.append(process)
        for _ in range(600):
            text = process.files[0].read_text() if process.files[0].exists() else ""
            if text.endswith("\n"):
                return text.strip()
            assert process.poll() is None, process.communicate()
            time.sleep(0.05)
        raise AssertionError("no address in 30 s")

    yield call
    for process in started:
        process.send_signal(signal.SIGINT)
        process.wait(20)


def data_of(line, path):
    base, token = re.fullmatch(r"(http://127\.0\.0\.1:\d+)/.*#token=(.+)", line).groups()
    request = urllib.request.Request(base + path, headers={"Authorization": f"Bearer {token}"})
    with urllib.request.urlopen(request, timeout=20) as answer:
        return json.load(answer)


def test_a_space_is_served_on_the_loopback(explore, tiny_space, tiny_space_folder):
    line = explore(tiny_space_folder, "--no-browser")
    (space,) = data_of(line, "/v1/spaces")
    assert space["id"] == tiny_space.id
    assert data_of(line, "/v1/runs") == []


def test_the_browser_is_given_a_file_that_only_we_read(explore, tiny_space_folder, browser):
    path, noted = browser
    line = explore(tiny_space_folder, BROWSER=path)
    for _ in range(200):
        if noted.exists() and noted.read_text().endswith(">"):
            break
        time.sleep(0.05)
    mode, text = noted.read_text().split(maxsplit=1)
    assert mode.endswith("600")
    assert f'content="0;url={line}"' in text


def test_a_campaign_is_served_with_its_space(explore, tiny_space, tiny_space_folder, tmp_path):
    settings = {"objective": "volume_fraction", "evaluate": ["volume_fraction"], "trials": 2}
    Campaign(
        space=str(tiny_space_folder), engine="serial", strategy="prior", folder=tmp_path / "run",
        dry_run=False, **settings,
    ).run(progress=False)  # fmt: skip
    line = explore("run", "--no-browser")
    assert "/pages/run.html#token=" in line
    assert data_of(line, "/v1/runs") == [{"id": "run"}]
    assert [space["id"] for space in data_of(line, "/v1/spaces")] == [tiny_space.id]


def test_a_campaign_without_its_space_is_shown_without(explore, tiny_space, tmp_path):
    folder = tiny_space.save(tmp_path / "space")
    settings = {"objective": "volume_fraction", "evaluate": ["volume_fraction"], "trials": 1}
    Campaign(
        space=str(folder), engine="serial", strategy="prior", folder=tmp_path / "run",
        dry_run=False, **settings,
    ).run(progress=False)  # fmt: skip
    shutil.rmtree(folder)
    line = explore("run", "--no-browser")
    assert data_of(line, "/v1/spaces") == []
    assert data_of(line, "/v1/runs/run")["status"]["completed"] == 1


def test_what_is_neither_a_space_nor_a_campaign_is_refused(run, tmp_path):
    code, _, error = run("explore", tmp_path / os.urandom(4).hex())
    assert code == 3
    assert "Traceback" not in error


def test_a_folder_that_is_missing_or_holds_campaigns_says_what_to_give(run, tmp_path):
    code, _, err = run("explore", tmp_path / "spcae")
    assert (code, "no such folder" in err) == (3, True)
    (tmp_path / "runs" / "a").mkdir(parents=True)
    (tmp_path / "runs" / "a" / "journal.jsonl").touch()
    code, _, err = run("explore", tmp_path / "runs")
    assert (code, "serve --runs" in err) == (3, True)
    code, _, err = run("explore", tmp_path / "runs" / "a", "--static", tmp_path / "page.html")
    assert (code, "latentopt report" in err) == (2, True)

"""Campaigns that are told to end and to go on, where the service was allowed to."""

import fcntl
import json
import socket
import subprocess
import sys
import time

import pytest

from latentopt.campaign.campaign import Campaign
from latentopt.errors import CampaignError
from latentopt.runs.journal_lock import lock_holder
from latentopt.runs.run import Run

SLOW = """
import time
def slow(images):
    time.sleep(0.2)
    return {"mean": float(images.mean())}
"""


@pytest.fixture
def folder(tiny_space_folder, tmp_path):
    folder = tmp_path / "runs" / "one"
    with Campaign(
        space=tiny_space_folder,
        objective="volume_fraction",
        objectives=["volume_fraction"],
        strategy="prior",
        engine="serial",
        trials=3,
        folder=folder,
    ) as campaign:
        campaign.run(progress=False)
    return folder


@pytest.fixture
def telling(serve, tmp_path):
    with serve(runs=tmp_path / "runs", control=True) as service:
        yield service


def until(true, seconds=60):
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def completed(folder):
    try:
        return sum(trial.status == "completed" for trial in Run.read(folder).trials)
    except CampaignError:  # it has not begun
        return 0


@pytest.mark.slow
def test_a_campaign_goes_on_for_more_trials(telling, folder):
    body = {"confirm": "one", "trials": 5}
    assert telling.status("POST", "/v1/runs/one/trials", body) == 200
    until(lambda: len(Run.read(folder).trials) == 5 and lock_holder(folder) is None)
    assert [t.status for t in Run.read(folder).trials] == ["completed"] * 5


@pytest.mark.slow
def test_a_campaign_that_cannot_go_on_says_why(telling, folder, tiny_space_folder, tmp_path):
    moved = tiny_space_folder.rename(tiny_space_folder.with_name("moved"))
    try:
        assert telling.status("POST", "/v1/runs/one/trials", {"confirm": "one", "trials": 5}) == 200

        def said():
            return json.loads(telling.ask("GET", "/v1/runs/one")[2])["problem"]

        until(said)
        assert "space" in said()
        assert "Traceback" not in said()
    finally:
        moved.rename(tiny_space_folder)


@pytest.mark.slow
def test_a_running_campaign_is_drained(telling, tiny_space_folder, tmp_path):
    (tmp_path / "slow_objective.py").write_text(SLOW)
    run = tmp_path / "runs" / "two"
    settings = {
        "space": str(tiny_space_folder),
        "folder": str(run),
        "objective": "mean",
        "evaluate": [{"kind": "import", "target": "slow_objective:slow"}],
        "strategy": "prior",
        "engine": "serial",
        "trials": 200,
    }
    file = tmp_path / "campaign.yaml"
    file.write_text(json.dumps(settings))
    command = [sys.executable, "-m", "latentopt", "optimize", str(file)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        until(lambda: completed(run) >= 2)
        more = {"confirm": "two", "trials": 300}
        assert telling.status("POST", "/v1/runs/two/trials", more) == 409
        assert telling.status("POST", "/v1/runs/two/drain", {"confirm": "two"}) == 200
        process.wait(60)
    assert lock_holder(run) is None
    assert 2 <= len(Run.read(run).trials) < 200


def test_nothing_is_told_by_chance_or_without_leave(telling, serve, folder, tmp_path):
    for body in ({}, {"confirm": "two"}, {"confirm": ""}):
        assert telling.status("POST", "/v1/runs/one/drain", body) == 422
    assert telling.status("POST", "/v1/runs/one/drain", {"confirm": "one"}) == 409  # none runs it
    assert telling.status("POST", "/v1/runs/none/drain", {"confirm": "none"}) == 404
    assert telling.status("POST", "/v1/runs/one/trials", {"confirm": "one", "trials": 3}) == 422
    told = json.loads(telling.ask("GET", "/v1/runs/one")[2])
    assert (told["control"], told["problem"]) == (True, None)
    with serve(runs=tmp_path / "runs") as service:
        assert service.status("POST", "/v1/runs/one/drain", {"confirm": "one"}) == 403
        assert json.loads(service.ask("GET", "/v1/runs/one")[2])["control"] is False


def test_a_process_that_does_not_hold_the_journal_is_not_told(telling, folder):
    """Whatever ``campaign.lock`` says: a signal would end another program."""
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"]) as other:
        with (folder / "campaign.lock").open("w") as lock:
            lock.write(f"process {other.pid} on {socket.gethostname()}")
            lock.flush()
            fcntl.flock(lock, fcntl.LOCK_EX)
            status, _, body = telling.ask("POST", "/v1/runs/one/drain", {"confirm": "one"})
        assert status == 409
        assert b"by hand" in body
        assert other.poll() is None
        other.kill()

"""Campaigns as they are watched: what is told is what their folders hold, and soon."""

import asyncio
import http.client
import io
import json
import socket
import time
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from latentopt.campaign.campaign import Campaign
from latentopt.runs.journal import read_events
from latentopt.runs.journal_lines import line_of
from latentopt.runs.run import Run
from latentopt.serve.following import Followed
from latentopt.serve.run_routes import Runs


def mean(images):
    value = float(images.double().mean())
    if value > 0.6:
        raise ValueError("too full <b>of it</b>")
    return {"mean": value}


@pytest.fixture
def campaign(tiny_space_folder, tmp_path):
    return Campaign(
        space=tiny_space_folder,
        objective="mean",
        constraints=["mean <= 0.55"],
        objectives=[mean],
        score="decoded",
        strategy="prior",
        engine="serial",
        trials=8,
        batch=2,
        folder=tmp_path / "runs" / "one",
    )


@pytest.fixture
def watching(serve, tiny_space, campaign, tmp_path):
    campaign.run(3, progress=False)
    with serve(("tiny", tiny_space), runs=tmp_path / "runs") as service:
        yield service


def test_a_followed_journal_is_the_journal_at_every_moment(campaign, tmp_path):
    folder = tmp_path / "runs" / "one"
    campaign.run(1, progress=False)
    followed = Followed(folder)
    for _ in range(5):
        assert followed.update() == len(read_events(folder))
        assert followed.events == read_events(folder)
        assert [t.status for t in followed.run().trials] == [
            t.status for t in Run.read(folder).trials
        ]
        campaign.run(1, progress=False)


def test_only_what_is_new_is_read(campaign, tmp_path, monkeypatch):
    folder = tmp_path / "runs" / "one"
    campaign.run(2, progress=False)
    followed = Followed(folder)
    followed.update()

    def never(*_):
        raise AssertionError("all of it was read again")

    monkeypatch.setattr("latentopt.serve.following.read_events", never)
    campaign.run(2, progress=False)
    followed.update()
    assert sum(t.status == "completed" for t in followed.run().trials) >= 2


def test_half_a_line_is_waited_for(campaign, tmp_path):
    folder = tmp_path / "runs" / "one"
    campaign.run(2, progress=False)
    campaign.close()
    journal = folder / "journal.jsonl"
    whole = journal.read_bytes()
    lines = whole.splitlines(keepends=True)
    followed = Followed(folder)
    followed.update()
    before = len(followed.events)
    line, _ = line_of('{"kind": "note"}', lines[-1][7:23].decode())
    with journal.open("ab") as file:
        file.write(line[:20])
        file.flush()
        assert followed.update() == before
        file.write(line[20:])
        file.flush()
    assert followed.update() == before + 1


def test_a_run_is_told_with_its_trials_and_status(watching, tmp_path):
    (listed,) = json.loads(watching.ask("GET", "/v1/runs")[2])
    assert listed["id"] == "one"
    told = json.loads(watching.ask("GET", "/v1/runs/one?points=true")[2])
    run = Run.read(tmp_path / "runs" / "one")
    assert [t["index"] for t in told["trials"]] == [t.index for t in run.trials]
    for one, trial in zip(told["trials"], run.trials, strict=True):
        assert one["status"] == trial.status
        np.testing.assert_allclose(one["z"], trial.z)
    assert told["status"]["trials"] == 8
    assert "folder" not in told["status"]
    assert (
        json.loads(watching.ask("GET", f"/v1/runs/one?since={told['events']}")[2])["trials"] == []
    )


def test_structures_of_trials(watching, tmp_path):
    run = Run.read(tmp_path / "runs" / "one")
    path = "/v1/runs/one/trials/0/structure"
    status, _, body = watching.ask("GET", path, Accept="application/x-npy")
    assert status == 200
    np.testing.assert_array_equal(np.load(io.BytesIO(body)), run.structure(run.trials[0]))
    assert Image.open(io.BytesIO(watching.ask("GET", path)[2])).format == "PNG"
    assert watching.status("GET", "/v1/runs/one/trials/99/structure") == 404
    assert watching.status("GET", "/v1/runs/one/trials/-1/structure") == 422


@pytest.mark.parametrize("name", ["none", "..", "%2e%2e", "..%2fone", "one%2f..%2fone", "%00"])
def test_names_reach_nothing_but_campaigns(watching, name):
    assert watching.status("GET", f"/v1/runs/{name}") == 404


def test_a_told_trial_shows_within_two_seconds(watching, campaign):
    connection = http.client.HTTPConnection("127.0.0.1", watching.port, timeout=20)
    connection.request(
        "GET", "/v1/runs/one/events", headers={"Authorization": f"Bearer {watching.token}"}
    )
    stream = connection.getresponse()
    assert stream.status == 200
    first = _next(stream)
    campaign.run(1, progress=False)
    ended = time.monotonic()
    known = {t["index"] for t in first["trials"] if t["status"] != "pending"}
    while True:
        news = {t["index"] for t in _next(stream)["trials"] if t["status"] != "pending"}
        if news - known:
            break
    assert time.monotonic() - ended < 2
    connection.close()


def test_a_damaged_journal_is_said(serve, watching, campaign, tmp_path):
    campaign.close()
    journal = tmp_path / "runs" / "one" / "journal.jsonl"
    data = bytearray(journal.read_bytes())
    data[len(data) // 2] ^= 1
    journal.write_bytes(bytes(data))
    (tmp_path / "runs" / "one" / "candidates" / "0000.npz").write_bytes(b"")
    with serve(runs=tmp_path / "runs") as other:
        status, _, body = other.ask("GET", "/v1/runs/one")
        assert status == 409
        assert "damaged" in json.loads(body)["detail"]
        assert other.status("GET", "/v1/runs") == 200


def test_a_folder_of_one_campaign_and_none_at_all(serve, watching, campaign, tmp_path):
    with serve(runs=tmp_path / "runs" / "one") as service:
        assert json.loads(service.ask("GET", "/v1/runs")[2]) == [{"id": "one"}]
    with serve() as service:
        assert json.loads(service.ask("GET", "/v1/runs")[2]) == []


def _next(stream):
    data = None
    while True:
        line = stream.readline().strip()
        if line.startswith(b"data: "):
            data = json.loads(line[6:])
        if not line and data is not None:
            return data


def test_a_folder_whose_name_is_no_text_hides_no_other(watching, tmp_path):
    try:
        (tmp_path / "runs" / "bad\udcff").mkdir()
    except (OSError, UnicodeError):
        pytest.skip("this file system has only names of text")
    (tmp_path / "runs" / "bad\udcff" / "journal.jsonl").write_text("")
    status, _, body = watching.ask("GET", "/v1/runs")
    assert (status, json.loads(body)) == (200, [{"id": "one"}])
    assert Runs(tmp_path / "runs" / "bad\udcff").ids() == ["campaign"]


def test_an_event_id_that_is_no_number_is_left_alone(watching):
    with socket.create_connection(("127.0.0.1", watching.port), timeout=10) as line:
        line.sendall(
            f"GET /v1/runs/one/events HTTP/1.1\r\nHost: 127.0.0.1:{watching.port}\r\n"
            f"Authorization: Bearer {watching.token}\r\nLast-Event-ID: \xb2\r\n\r\n".encode(
                "latin-1"
            )
        )
        assert line.recv(12) == b"HTTP/1.1 200"


def test_what_is_wrong_with_a_journal_tells_no_path(watching, tmp_path):
    journal = tmp_path / "runs" / "one" / "journal.jsonl"
    lines = journal.read_bytes().splitlines(keepends=True)
    journal.write_bytes(b"".join([lines[0], b"x" + lines[1], *lines[2:]]))
    status, _, body = watching.ask("GET", "/v1/runs/one")
    assert status == 409
    assert str(tmp_path) not in body.decode()
    assert "line 2" in body.decode()


def test_a_look_that_nobody_waits_for_any_more_mixes_with_no_other(watching, tmp_path, monkeypatch):
    """A client that leaves does not stop the thread that reads for it."""
    inside, most = 0, 0
    run = Followed.run

    def slow(followed):
        nonlocal inside, most
        inside += 1
        most = max(most, inside)
        time.sleep(0.2)
        inside -= 1
        return run(followed)

    async def looks():
        runs = Runs(tmp_path / "runs")
        first = asyncio.create_task(runs.look("one"))
        await asyncio.sleep(0.1)
        first.cancel()
        await runs.look("one")

    monkeypatch.setattr(Followed, "run", slow)
    asyncio.run(looks())
    assert most == 1


def test_another_campaign_under_the_same_name_is_told_from_its_start(
    watching, campaign, tiny_space_folder, tmp_path
):
    """By its first line: it may have fewer events or more than were known of the first."""
    first = json.loads(watching.ask("GET", "/v1/runs/one")[2])
    campaign.close()
    one, other = tmp_path / "runs" / "one", tmp_path / "other"
    settings = {"space": tiny_space_folder, "objective": "mean", "objectives": [mean]}
    settings |= {"score": "decoded", "strategy": "prior", "engine": "serial", "seed": 1}
    with closing(http.client.HTTPConnection("127.0.0.1", watching.port, timeout=30)) as line:
        query = f"since={first['events']}&journal={first['journal']}"
        headers = {"Authorization": f"Bearer {watching.token}"}
        line.request("GET", f"/v1/runs/one/events?{query}", headers=headers)
        stream = line.getresponse()
        assert _next(stream)["trials"] == []
        longer = Campaign(**settings, trials=12, batch=1, folder=other)
        longer.run(progress=False)
        longer.close()
        one.rename(tmp_path / "before")
        other.rename(one)
        told = _next(stream)
        while told["journal"] == first["journal"]:  # what has become of its driver
            told = _next(stream)
        assert [trial["index"] for trial in told["trials"]] == list(range(12))
    again = json.loads(watching.ask("GET", f"/v1/runs/one?{query}")[2])
    assert again["journal"] == told["journal"]
    assert [trial["index"] for trial in again["trials"]] == list(range(12))
    query = f"since={again['events']}&journal={again['journal']}"
    assert json.loads(watching.ask("GET", f"/v1/runs/one?{query}")[2])["trials"] == []


def test_a_folder_that_is_deleted_while_it_is_read_is_no_failure(watching, monkeypatch):
    def gone(self, path):
        raise FileNotFoundError(path)

    monkeypatch.setattr(Followed, "_begin", gone)
    status, _, body = watching.ask("GET", "/v1/runs/one")
    assert (status, "cannot be read" in json.loads(body)["detail"]) == (404, True)


def test_a_folder_that_we_may_not_look_into_hides_no_other(watching, tmp_path, monkeypatch):
    (tmp_path / "runs" / "closed").mkdir()
    is_file = Path.is_file

    def refused(path):
        if "closed" in path.parts:
            raise PermissionError(path)
        return is_file(path)

    monkeypatch.setattr(Path, "is_file", refused)
    assert json.loads(watching.ask("GET", "/v1/runs")[2]) == [{"id": "one"}]

"""A service that is told to end while requests are under way."""

import json
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request

import numpy as np
import pytest

from latentopt.campaign.campaign import Campaign
from latentopt.serve import run_server
from latentopt.space.latent_space import LatentSpace

BODY = {"z": [[0.0] * 4]}


@pytest.fixture
def slow(monkeypatch):
    """Decoding waits until it is let go on; the server waits for a third of a second."""
    begun, go_on = threading.Event(), threading.Event()
    decode = LatentSpace.decode

    def waiting(self, z):
        begun.set()
        assert go_on.wait(20)
        return decode(self, z)

    monkeypatch.setattr(LatentSpace, "decode", waiting)
    monkeypatch.setattr(run_server, "GRACE_S", 0.3)
    yield begun, go_on
    go_on.set()


@pytest.fixture
def asked():
    """Ask in threads, and collect the answers."""

    class Asked:
        def __init__(self):
            self.answers, self.threads = [], []

        def ask(self, service, *request):
            thread = threading.Thread(target=lambda: self.answers.append(service.ask(*request)))
            self.threads.append(thread)
            thread.start()

        def all(self):
            for thread in self.threads:
                thread.join(10)
            assert len(self.answers) == len(self.threads)
            return self.answers

    return Asked()


def test_requests_that_are_not_done_are_asked_to_come_back(
    serve, tiny_space, slow, asked, capfd, caplog
):
    begun, _ = slow
    with serve(("tiny", tiny_space)) as service:
        path = f"/v1/spaces/{tiny_space.id}/decode"
        asked.ask(service, "POST", path, BODY)
        assert begun.wait(10)
        asked.ask(service, "POST", path, BODY)  # waits behind it
        asked.ask(service, "GET", f"/v1/spaces/{tiny_space.id}/map")
        time.sleep(0.2)
    for status, headers, body in asked.all():
        assert status == 503
        assert int(headers["retry-after"]) >= 1
        assert headers["content-security-policy"]
        assert "the service ends" in json.loads(body)["detail"]
    said = capfd.readouterr()
    assert "Traceback" not in said.out + said.err + caplog.text


def test_what_is_done_soon_is_answered(serve, tiny_space, slow, asked, monkeypatch):
    monkeypatch.setattr(run_server, "GRACE_S", 5)
    begun, go_on = slow
    with serve(("tiny", tiny_space)) as service:
        asked.ask(service, "POST", f"/v1/spaces/{tiny_space.id}/decode", BODY)
        assert begun.wait(10)
        threading.Timer(0.15, go_on.set).start()
    ((status, _, body),) = asked.all()
    assert status == 200
    expected = tiny_space.decode(np.array(BODY["z"]))
    np.testing.assert_allclose(json.loads(body)["images"], expected, atol=1e-6)


def test_streams_end_as_they_should(serve, tiny_space, tmp_path, monkeypatch, asked, caplog):
    monkeypatch.setattr(run_server, "GRACE_S", 0.3)
    Campaign(
        space=tiny_space,
        objective="volume_fraction",
        objectives=["volume_fraction"],
        strategy="prior",
        engine="serial",
        trials=1,
        folder=tmp_path / "run",
    ).run(progress=False)
    with serve(("tiny", tiny_space), runs=tmp_path) as service:
        asked.ask(service, "GET", "/v1/runs/run/events")
        time.sleep(0.3)
    ((status, _, body),) = asked.all()
    assert status == 200
    assert body.startswith(b"id: ")
    assert "Traceback" not in caplog.text


@pytest.mark.slow
def test_a_command_that_is_told_to_end_answers_and_ends_in_order():
    """While torch computes in a thread of it, for longer than it waits."""
    command = [sys.executable, "-m", "latentopt", "serve", "default"]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True) as process:
        try:
            base, token = process.stdout.readline().strip().split("/#token=")
            headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}

            def ask(path, body=None):
                data = None if body is None else json.dumps(body).encode()
                request = urllib.request.Request(f"{base}{path}", data, headers)
                try:
                    with urllib.request.urlopen(request, timeout=30) as answer:
                        return answer.status, json.load(answer)
                except urllib.error.HTTPError as error:
                    return error.code, json.load(error)

            id = ask("/v1/spaces")[1][0]["id"]
            stiff = {"kind": "effective_stiffness", "young": [1, 1e5], "poisson": [0.3, 0.3]}
            body = {"z": [[0.02 * k] * 64 for k in range(64)], "objectives": [stiff]}
            found = []
            thread = threading.Thread(
                target=lambda: found.append(ask(f"/v1/spaces/{id}/score", body))
            )
            thread.start()
            time.sleep(0.7)
            process.send_signal(signal.SIGTERM)
            thread.join(20)
            said = process.communicate(timeout=20)[1]
        finally:
            process.kill()
    assert found[0][0] == 503
    assert "the service ends" in found[0][1]["detail"]
    assert process.returncode == 130
    assert "Traceback" not in said
    assert "terminate" not in said

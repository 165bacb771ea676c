"""The HTTP simulator against a real server on this machine, which fails in every way asked."""

import base64
import json
import socket
import threading
import time
from contextlib import suppress
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest

from latentopt.errors import ConfigError
from latentopt.export import verify
from latentopt.microstructure import Microstructure
from latentopt.simulators.build import build_simulators
from latentopt.simulators.http_service import HTTPSimulator
from latentopt.simulators.simulator import simulation_id

DONE = {"state": "ok", "metrics": {"a": 1.5}, "message": ""}


class Script(BaseHTTPRequestHandler):
    """Answers from a list for each method: a status and a body, the last one again and again."""

    def do_POST(self):
        self.body = self.rfile.read(int(self.headers["Content-Length"]))
        self.answer()

    def do_GET(self):
        self.answer()

    def answer(self):
        answers, log = self.server.answers[self.command], self.server.log
        log.append((self.command, self.path, dict(self.headers), getattr(self, "body", b"")))
        status, body = answers.pop(0) if len(answers) > 1 else answers[0]
        if status is None:  # hang up without a word
            self.close_connection = True
            return
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        if 300 <= status < 400:
            self.send_header("Location", body["to"])
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_):
        pass


@pytest.fixture
def service(monkeypatch):
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    server = ThreadingHTTPServer(("127.0.0.1", 0), Script)
    server.answers = {"POST": [(202, {"job": "j/1"})], "GET": [(200, DONE)]}
    server.log = []
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def structure():
    phases = np.arange(64, dtype=np.uint8).reshape(8, 8) % 2
    return Microstructure(
        phases, (1e-6, 1e-6), ("pore", "solid"), (True, True), {"trial": 3, "z": [0.5]}
    )


@pytest.fixture
def simulate(service, structure, tmp_path):
    def run(**changes):
        url = f"http://127.0.0.1:{service.server_port}/jobs"
        fields = {"url": url, "units": {"a": "1"}, "poll_s": 0.01, "retries": 2, "timeout_s": 20}
        return HTTPSimulator(**(fields | changes))(structure, tmp_path / "run")

    return run


def requests(service, method):
    return [entry for entry in service.log if entry[0] == method]


def test_a_job_is_submitted_once_and_asked_for_until_it_has_ended(service, simulate):
    service.answers["GET"] = [(200, {"state": "queued"}), (200, {"state": "running"}), (200, DONE)]
    result = simulate()
    assert (result.state, result.metrics) == ("ok", {"a": 1.5})
    assert len(requests(service, "POST")) == 1
    assert [path for _, path, *_ in requests(service, "GET")] == ["/jobs/j%2F1"] * 3


def test_the_structure_arrives_as_it_was(service, simulate, structure, tmp_path):
    simulate(format="damask")
    sent = json.loads(service.log[0][3])
    assert (sent["task"]["trial"], sent["task"]["structure"]) == (3, "structure.vti")
    for file in sent["files"]:
        (tmp_path / file["name"]).write_bytes(base64.b64decode(file["base64"]))
    assert verify(tmp_path / "structure.vti")["voxel_sha256"] == structure.sha256


def test_each_attempt_has_the_same_key_which_is_that_of_the_voxels(service, simulate, structure):
    service.answers["POST"] = [(503, {}), (None, b""), (200, {"job": 8})]
    assert simulate().state == "ok"
    keys = {headers["Idempotency-Key"] for _, _, headers, _ in requests(service, "POST")}
    url = f"http://127.0.0.1:{service.server_port}/jobs"
    spec = HTTPSimulator(url=url, units={"a": "1"})  # patience does not matter
    assert keys == {simulation_id(spec, structure)}
    assert len(requests(service, "POST")) == 3


def test_polling_survives_a_service_that_is_away_for_a_moment(service, simulate):
    service.answers["GET"] = [
        (500, {}),
        (None, b""),
        (200, {"state": "running"}),
        (429, {}),
        (200, DONE),
    ]
    assert simulate().state == "ok"


def test_a_service_that_stays_away_loses_the_trial(service, simulate):
    service.answers["POST"] = [(503, b"maintenance\nuntil noon")]
    result = simulate()
    assert result.state == "lost"
    assert "failed 3 times: HTTP 503 Service Unavailable: maintenance until noon" in result.message
    assert len(requests(service, "POST")) == 3


def test_no_service_at_all_loses_the_trial(simulate):
    result = simulate(url="http://127.0.0.1:9/jobs")  # nobody listens on the discard port
    assert result.state == "lost"
    assert "refused" in result.message


@pytest.mark.parametrize(
    ("status", "state"),
    [
        (400, "invalid"),
        (401, "lost"),
        (403, "lost"),
        (404, "lost"),
        (413, "invalid"),
        (422, "invalid"),
    ],
)
def test_what_the_client_did_wrong_is_not_tried_again(service, simulate, status, state):
    service.answers["POST"] = [(status, b"no")]
    result = simulate()
    assert result.state == state
    assert result.message.startswith(f"HTTP {status} ")
    assert len(service.log) == 1


def test_a_redirect_is_not_followed_and_the_token_goes_nowhere_else(service, simulate, monkeypatch):
    monkeypatch.setenv("MY_TOKEN", "secret")
    service.answers["GET"] = [(302, {"to": f"http://127.0.0.1:{service.server_port}/other"})]
    result = simulate(token_variable="MY_TOKEN")
    assert result.state == "lost"
    assert result.message.startswith("HTTP 302 Found to http://127.0.0.1:")
    assert len(service.log) == 2


def test_the_token_is_sent_and_written_nowhere(service, simulate, monkeypatch, tmp_path):
    monkeypatch.setenv("MY_TOKEN", "secret-token\n")
    assert simulate(token_variable="MY_TOKEN").state == "ok"
    assert {headers["Authorization"] for _, _, headers, _ in service.log} == {"Bearer secret-token"}
    for path in (tmp_path / "run").iterdir():
        assert b"secret-token" not in path.read_bytes()


def test_a_token_that_is_not_set_is_refused_at_the_start(monkeypatch):
    monkeypatch.delenv("MY_TOKEN", raising=False)
    simulator = HTTPSimulator(url="http://h/jobs", units={"a": "1"}, token_variable="MY_TOKEN")
    with pytest.raises(ConfigError, match="environment variable MY_TOKEN holds no token"):
        simulator.check("campaign.simulate[0]")


def test_a_token_that_is_none_is_told_to_nobody(simulate, monkeypatch):
    monkeypatch.setenv("MY_TOKEN", "secret\r\nX-Other: header")
    result = simulate(token_variable="MY_TOKEN")
    assert result.state == "lost"
    assert result.message == "the environment variable MY_TOKEN holds no token here"


def test_a_service_that_is_never_there_is_lost_and_no_timeout_of_the_structure(simulate):
    result = simulate(url="http://127.0.0.1:9/jobs", timeout_s=0.1, retries=50)
    assert (result.state, result.message) == ("lost", "no answer in 0.1 s")


def test_a_job_that_does_not_end_in_time_is_a_timeout(service, simulate):
    service.answers["GET"] = [(200, {"state": "running"})]
    result = simulate(timeout_s=1.0)
    assert (result.state, result.message) == ("timeout", "no answer in 1 s")


@pytest.mark.parametrize(
    "answer", [b"<html>", {"id": 3}, {"job": ""}, {"job": ["7"]}, [], b" " * 2_000_000]
)
def test_an_answer_without_a_job_is_a_crash_of_the_service(service, simulate, answer):
    service.answers["POST"] = [(200, answer)]
    result = simulate()
    assert result.state == "crashed"
    assert 'should answer {"job": "<id>"}, got' in result.message


@pytest.mark.parametrize("answer", [b"<html>", {"status": "done"}, b" " * 2_000_000])
def test_a_result_that_is_none_is_a_crash_of_the_service(service, simulate, answer):
    service.answers["GET"] = [(200, answer)]
    assert simulate().state == "crashed"


@pytest.mark.parametrize(
    "url",
    ["ftp://host/jobs", "file:///etc/passwd", "host/jobs", "http://", "http://h/a b", "http://hö/"],
)
def test_an_address_that_is_none_is_refused(url):
    with pytest.raises(ValueError, match="pattern"):
        HTTPSimulator(url=url, units={"a": "1"})


# -- servers that never come to an end ------------------------------------------------------------


def ask(connection):
    """Read a request's head."""
    while b"\r\n\r\n" not in connection.recv(1 << 20):
        pass


def drip(first, again, connection):
    ask(connection)
    connection.sendall(first)
    while True:
        connection.sendall(again)
        time.sleep(0.02)


CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
ENDLESS = {
    "nothing": (b"", b""),
    "a status": (b"HTTP/1.1 200", b" "),
    "headers": (b"HTTP/1.1 200 OK\r\n", b"A: b\r\n"),
    "100 Continue": (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
    "a body": (b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n", b" "),
    "chunks": (CHUNKED, b"1\r\n \r\n"),
    "trailers": (CHUNKED + b"0\r\n", b"A: b\r\n"),
    "an error": (b"HTTP/1.1 503 Busy\r\nContent-Length: 100000\r\n\r\n", b"x"),
}


@pytest.fixture
def endless():
    """Start a server of plain bytes; its port."""
    listening = []

    def call(answer):
        listening.append(socket.create_server(("127.0.0.1", 0)))

        def serve(server=listening[-1]):
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                threading.Thread(target=quietly, args=(connection,), daemon=True).start()

        def quietly(connection):
            with connection, suppress(OSError):
                answer(connection)

        threading.Thread(target=serve, daemon=True).start()
        return listening[-1].getsockname()[1]

    yield call
    for server in listening:
        server.close()


def busy_threads():
    return [thread for thread in threading.enumerate() if thread.name == "latentopt-http"]


@pytest.mark.parametrize("parts", ENDLESS.values(), ids=ENDLESS)
def test_the_time_limit_holds_for_the_whole_exchange(simulate, endless, parts):
    port = endless(partial(drip, *parts))
    began = time.monotonic()
    result = simulate(url=f"http://127.0.0.1:{port}/jobs", timeout_s=0.3)
    assert (result.state, result.message) == ("lost", "no answer in 0.3 s")
    assert time.monotonic() - began < 5
    end = time.monotonic() + 5
    while busy_threads() and time.monotonic() < end:
        time.sleep(0.02)
    assert not busy_threads()


def test_a_handshake_that_never_ends_is_given_up(simulate, endless):
    port = endless(lambda connection: drip(b"", b"\x16", connection))
    result = simulate(url=f"https://127.0.0.1:{port}/jobs", timeout_s=0.3)
    assert (result.state, result.message) == ("lost", "no answer in 0.3 s")


def test_the_look_up_of_a_name_counts(simulate, monkeypatch):
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: time.sleep(3))
    result = simulate(url="http://some.host/jobs", timeout_s=0.3)
    assert (result.state, result.message) == ("lost", "no answer in 0.3 s")


def test_a_request_that_takes_too_long_is_sent_again(simulate, endless):
    asked = []

    def slow_at_first(connection):
        connection.settimeout(0.1)
        with suppress(TimeoutError):
            while part := connection.recv(1 << 20):
                asked.append(part)
        if len(busy) == 0:
            busy.append(True)
            time.sleep(2)
        body = json.dumps({"job": "7", **DONE}).encode()
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))

    busy: list[bool] = []
    url = f"http://127.0.0.1:{endless(slow_at_first)}/jobs"
    result = simulate(url=url, request_timeout_s=0.5, retries=3)
    assert (result.state, result.metrics) == ("ok", {"a": 1.5}), result.message


def test_an_answer_without_end_is_read_up_to_a_bound(simulate, endless):
    flood = b"10000\r\n" + b" " * 0x10000 + b"\r\n"

    def answer(connection):
        ask(connection)
        connection.sendall(CHUNKED)
        while True:
            connection.sendall(flood)

    result = simulate(url=f"http://127.0.0.1:{endless(answer)}/jobs")
    assert result.state == "crashed"
    assert 'should answer {"job": "<id>"}' in result.message


# -- secrets --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("https://me:s3cret@host/jobs", "should hold no user and password"),
        ("https://s3cret@host/jobs", "should hold no user and password"),
        ("https://me:s3cret@host/a b", "should hold no user and password"),
        ("ftp://me:s3cret@host/jobs", "should hold no user and password"),
        ("http://me:s3cret%40host/jobs", "should hold no user and password"),
        ("http://host:s3cret/jobs", "should have a host, and after"),
        ("https://host/jobs?key=s3cret", r"should end with its path.*hold no '\?'"),
        ("https://host/jobs#s3cret", r"should end with its path.*hold no '\?' and no '#'"),
    ],
)
def test_an_address_with_a_secret_is_refused_and_not_told(url, problem):
    with pytest.raises(ValueError, match=problem) as caught:
        HTTPSimulator(url=url, units={"a": "1"})
    assert "s3cret" not in str(caught.value)
    with pytest.raises(ConfigError, match=f"campaign.simulate.0..url: {problem}") as caught:
        build_simulators([{"kind": "http", "url": url, "units": {"a": "1"}}])
    assert "s3cret" not in str(caught.value)


def test_what_a_service_says_of_its_token_is_not_kept(service, simulate, monkeypatch):
    monkeypatch.setenv("MY_TOKEN", "secret-token")
    service.answers["POST"] = [(401, b"unknown token secret-token")]
    message = simulate(token_variable="MY_TOKEN").message
    assert message == "HTTP 401 Unauthorized: unknown token ***"


def test_a_redirect_is_told_without_what_may_be_secret(service, simulate):
    service.answers["POST"] = [(302, {"to": "https://me:pw@host/there?code=7"})]
    assert simulate().message.startswith("HTTP 302 Found to https://host/there:")

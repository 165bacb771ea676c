"""What stands before every request: nobody gets past host, origin, token and size."""

import socket
import threading
import time
import tracemalloc

import pytest

from latentopt.serve.limits import Limits

ROUTES = [
    ("GET", "/v1/spaces"),
    ("GET", "/v1/runs"),
    ("POST", "/v1/jobs"),
    ("GET", "/metrics"),
    ("GET", "/openapi.json"),
]


@pytest.mark.parametrize(("method", "path"), ROUTES)
@pytest.mark.parametrize("header", ["", "Bearer", "Bearer wrong", "a-token-of-tests", "Basic YTpi"])
def test_what_holds_data_asks_for_the_token(tiny, method, path, header):
    assert tiny.status(method, path, Authorization=header) == 401


def test_whether_it_lives_is_said_to_anybody(tiny):
    for path in ("/healthz", "/readyz"):
        assert tiny.status("GET", path, Authorization="") == 200


@pytest.mark.parametrize("host", ["evil.example", "evil.example:80", "127.0.0.1", "127.0.0.1:1"])
def test_a_name_that_is_not_ours_is_refused(tiny, host):
    assert tiny.status("GET", "/v1/spaces", Host=host) == 421
    assert tiny.status("GET", "/", Host=host) == 421


def test_two_hosts_are_none(tiny):
    with socket.create_connection(("127.0.0.1", tiny.port), timeout=20) as line:
        line.sendall(
            f"GET /v1/spaces HTTP/1.1\r\nHost: evil.example\r\nHost: 127.0.0.1:{tiny.port}\r\n"
            "Authorization: Bearer a-token-of-tests\r\n\r\n".encode()
        )
        assert line.recv(12) == b"HTTP/1.1 400"


def test_pages_of_elsewhere_are_refused_and_ours_are_not(tiny):
    assert tiny.status("GET", "/v1/spaces", Origin="http://evil.example") == 403
    assert tiny.status("GET", "/v1/spaces", Origin="null") == 403
    assert tiny.status("GET", "/v1/spaces", Origin=f"http://127.0.0.1:{tiny.port}") == 200
    assert tiny.status("GET", "/v1/spaces", Host=f"localhost:{tiny.port}") == 200


@pytest.mark.parametrize("path", ["/", "/v1/spaces", "/v1/spaces/none", "/metrics"])
def test_every_answer_has_the_headers_of_safety(tiny, path):
    headers = {name.lower(): value for name, value in tiny.ask("GET", path)[1].items()}
    assert "default-src 'none'" in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["cache-control"] == "no-store"
    assert "server" not in headers or "uvicorn" not in headers["server"]


def test_a_body_that_promises_too_much_is_refused_unread(tiny):
    assert tiny.status("POST", f"{tiny.path}/encode", b"", Content_Length=str(2**30)) == 413


def test_a_body_in_chunks_is_counted_as_it_comes(tiny):
    """One that never ends costs no more than the limit."""
    tracemalloc.start()
    with socket.create_connection(("127.0.0.1", tiny.port), timeout=20) as line:
        line.sendall(
            f"POST {tiny.path}/encode HTTP/1.1\r\nHost: 127.0.0.1:{tiny.port}\r\n"
            "Authorization: Bearer a-token-of-tests\r\n"
            "Transfer-Encoding: chunked\r\n\r\n".encode()
        )
        chunk = b"10000\r\n" + bytes(2**16) + b"\r\n"
        sent = 0
        try:
            while sent < 2**30:
                line.sendall(chunk)
                sent += 2**16
        except OSError:
            pass  # it hung up
        line.settimeout(5)
        try:
            answer = line.recv(4096)
        except OSError:
            answer = b""
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert sent < 2**30
    assert peak < 20 * 2**20
    assert answer[:12] in (b"HTTP/1.1 413", b"")
    assert tiny.status("GET", "/v1/spaces") == 200


def test_bodies_that_are_held_together_are_few(tiny):
    """Many slow uploads at a time do not add up to more than the limit."""
    body = bytes(2**16)
    lines = []
    try:
        for _ in range(40):  # of which 16 fit
            line = socket.create_connection(("127.0.0.1", tiny.port), timeout=20)
            line.sendall(
                f"POST {tiny.path}/encode HTTP/1.1\r\nHost: 127.0.0.1:{tiny.port}\r\n"
                "Authorization: Bearer a-token-of-tests\r\n"
                f"Content-Length: {2**16}\r\n\r\n".encode()
                + body[:-1]
            )
            lines.append(line)
        time.sleep(0.3)
        lines[-1].settimeout(10)
        assert lines[-1].recv(12) == b"HTTP/1.1 503"
    finally:
        for line in lines:
            line.close()
    deadline = time.monotonic() + 10
    while tiny.status("POST", f"{tiny.path}/encode", body) == 503:  # until they are let go
        assert time.monotonic() < deadline


def test_a_request_that_is_cut_off_harms_nobody(tiny):
    for _ in range(5):
        with socket.create_connection(("127.0.0.1", tiny.port)) as line:
            line.sendall(f"POST {tiny.path}/decode HTTP/1.1\r\nHost: 127".encode())
    assert threading.active_count() < 50
    assert tiny.status("GET", "/v1/spaces") == 200


def test_a_body_without_a_token_is_not_kept(tiny):
    """Else anybody could fill the room that bodies share."""
    for path in ("/", "/healthz", "/pages/none"):
        assert tiny.status("POST", path, b"1", Authorization="") == 413
    assert tiny.status("GET", "/healthz", Authorization="") == 200


def test_a_body_that_never_ends_is_given_up(serve, tiny_space):
    with (
        serve(("tiny", tiny_space), limits=Limits(seconds=0.3)) as service,
        socket.create_connection(("127.0.0.1", service.port), timeout=10) as line,
    ):
        line.sendall(
            f"POST /v1/jobs HTTP/1.1\r\nHost: 127.0.0.1:{service.port}\r\n"
            "Authorization: Bearer a-token-of-tests\r\nContent-Length: 9\r\n\r\n{".encode()
        )
        assert line.recv(12) == b"HTTP/1.1 408"

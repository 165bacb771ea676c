"""A service of real spaces on a port of this machine."""

import http.client
import json
import threading
from contextlib import contextmanager
from types import SimpleNamespace

import pytest

from latentopt.serve.app import create_app
from latentopt.serve.client import Client
from latentopt.serve.limits import Limits
from latentopt.serve.run_server import hosts_of, listening, server_of
from latentopt.serve.spaces import ServedSpace, Spaces

TOKEN = "a-token-of-tests"


class Service(SimpleNamespace):
    """Its address, and requests to it that nothing makes well-formed."""

    def ask(self, method, path, body=None, **headers):
        """Status, headers and body of one request."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        given = {"Authorization": f"Bearer {TOKEN}"} | {
            name.replace("_", "-"): value for name, value in headers.items()
        }
        if isinstance(body, dict | list):
            body = json.dumps(body)
            given.setdefault("Content-Type", "application/json")
        try:
            connection.request(method, path, body, {k: v for k, v in given.items() if v})
            answer = connection.getresponse()
            return answer.status, dict(answer.getheaders()), answer.read()
        finally:
            connection.close()

    def status(self, method, path, body=None, **headers):
        return self.ask(method, path, body, **headers)[0]

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}/#token={TOKEN}"

    @property
    def client(self):
        return Client(self.url)


@contextmanager
def served(*spaces, **options):
    """A service in a thread, until the context ends."""
    with listening("127.0.0.1", 0) as listener:
        port = listener.getsockname()[1]
        named = Spaces([ServedSpace(name, space) for name, space in spaces])
        app = create_app(named, token=TOKEN, hosts=hosts_of("127.0.0.1", port), **options)
        server = server_of(app)
        thread = threading.Thread(target=server.run, args=([listener],), daemon=True)
        thread.start()
        while not server.started:
            assert thread.is_alive()
        try:
            yield Service(port=port, app=app, token=TOKEN)
        finally:
            server.should_exit = True
            thread.join(20)
            assert not thread.is_alive()


@pytest.fixture(scope="session")
def serve():
    """`served`, for modules that cannot import this one."""
    return served


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch):
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(scope="module")
def tiny(tiny_space):
    """A service of the tiny space alone, with small limits."""
    limits = Limits(body_bytes=2**16, held_bytes=2**20, rows=16, jobs=4)
    with served(("tiny", tiny_space), limits=limits) as service:
        service.path = f"/v1/spaces/{tiny_space.id}"
        yield service

"""One request over HTTP and its answer, within a time that holds for all of it.

The time limits of sockets hold for one read: a server that sends a byte now and then, or says
``100 Continue`` for ever, outlives them, and nothing limits the look-up of a name. So the exchange
runs in a thread of its own, which is cut off when its time is over.
"""

import http.client
import os
import queue
import socket
import threading
import urllib.error
import urllib.request
from contextlib import suppress
from dataclasses import dataclass
from typing import IO, Any

__all__ = ["Answer", "exchange"]

_MOST_OF_AN_ERROR = 2000  # bytes that are read of what a server says of an error


@dataclass(frozen=True)
class Answer:
    """What a server answered.

    Parameters
    ----------
    status, reason
        The first line.
    location
        Where it redirects to, if it does.
    body
        At most as many bytes as were asked for.
    """

    status: int
    reason: str
    location: str | None
    body: bytes


def exchange(request: urllib.request.Request, seconds: float, most_bytes: int) -> Answer:
    """Send a request and read its answer; redirects are not followed.

    Parameters
    ----------
    request
        To a server over HTTP or HTTPS; proxies of the environment are used.
    seconds
        For everything: name, connection, TLS, request, headers and body.
    most_bytes
        Of the body; what comes after them is not read.

    Raises
    ------
    TimeoutError
        It took longer.
    OSError, http.client.HTTPException
        There is no connection, or the answer is none of HTTP.
    """
    connections = _Connections(seconds)
    answers: queue.SimpleQueue = queue.SimpleQueue()

    def work() -> None:
        try:
            answers.put((_answer(connections, request, most_bytes), None))
        except BaseException as error:
            answers.put((None, error))

    threading.Thread(target=work, name="latentopt-http", daemon=True).start()
    try:
        answer, error = answers.get(timeout=seconds)
    except queue.Empty:
        raise TimeoutError(f"no whole answer in {seconds:.3g} s") from None
    finally:
        connections.cut()
    if error is not None:
        raise error
    return answer


def _answer(
    connections: "_Connections", request: urllib.request.Request, most_bytes: int
) -> Answer:
    handlers = (_NoRedirects, _HTTP(connections), _HTTPS(connections))
    opener = urllib.request.build_opener(*handlers)
    try:
        with opener.open(request, timeout=connections.seconds) as response:
            return Answer(response.status, response.reason, None, response.read(most_bytes))
    except urllib.error.HTTPError as error:
        with error:
            said = b""
            with suppress(OSError, http.client.HTTPException):
                said = error.read(_MOST_OF_AN_ERROR)
            return Answer(error.code, str(error.reason), error.headers.get("Location"), said)


class _Connections:
    """The connections of one exchange, which another thread can cut.

    Parameters
    ----------
    seconds
        Limit of each read.
    """

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._lock = threading.Lock()
        self._is_cut = False
        self._open: list[socket.socket] = []

    def connect(self, *arguments: Any, **options: Any) -> socket.socket:
        """A connection, as ``http.client`` makes it, that is known here."""
        made = socket.create_connection(*arguments, **options)
        with self._lock:
            # Its own number for it: TLS takes the socket over.
            self._open.append(socket.socket(fileno=os.dup(made.fileno())))
        if self._is_cut:
            self.cut()
        return made

    def of(self, kind: type[http.client.HTTPConnection], host: str, **options: Any) -> Any:
        """A connection of ``http.client`` that connects by `connect`."""
        connection = kind(host, **options)
        # The one place where http.client lets others connect; not among its types.
        connection._create_connection = self.connect  # ty: ignore[missing-attribute]  CPython's own
        return connection

    def cut(self) -> None:
        """End every connection, also for a thread that waits for it."""
        self._is_cut = True
        with self._lock:
            opened, self._open = self._open, []
        for one in opened:
            with one, suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)


class _HTTP(urllib.request.HTTPHandler):
    def __init__(self, connections: _Connections) -> None:
        super().__init__()
        self._connections = connections

    def http_open(self, req: urllib.request.Request) -> Any:
        def connect(host: str, **options: Any) -> Any:
            return self._connections.of(http.client.HTTPConnection, host, **options)

        return self.do_open(connect, req)


class _HTTPS(urllib.request.HTTPSHandler):
    def __init__(self, connections: _Connections) -> None:
        super().__init__()
        self._connections = connections

    def https_open(self, req: urllib.request.Request) -> Any:
        def connect(host: str, **options: Any) -> Any:
            return self._connections.of(http.client.HTTPSConnection, host, **options)

        return self.do_open(connect, req)


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """Answers a redirect as an error; urllib would send the token to whatever host it names."""

    def redirect_request(
        self,
        req: urllib.request.Request,
        fp: IO[bytes] | http.client.HTTPResponse,
        code: int,
        msg: str,
        headers: http.client.HTTPMessage,
        newurl: str,
    ) -> None:
        return None

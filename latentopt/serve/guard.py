"""What stands before every request: host, origin, token, size; and headers of every answer.

It is pure ASGI: a limit on the header ``Content-Length`` alone is passed by a body in chunks, so
the bytes are counted as they come.
"""

import asyncio
import hmac
import json
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import Any

from latentopt.serve.limits import Limits

__all__ = ["Guard"]

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[MutableMapping[str, Any], Receive, Send], Awaitable[None]]

OPEN = ("/healthz", "/readyz")  # said to anybody who reaches the port
GUARDED = ("/v1/", "/metrics", "/openapi.json")  # what holds data asks for the token
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: blob:; connect-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)
HEADERS = [
    (b"content-security-policy", POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"cache-control", b"no-store"),
]


class Guard:
    """An app behind checks that no route can forget.

    Parameters
    ----------
    app
        What answers.
    token
        Each request for data carries it as ``Authorization: Bearer``.
    hosts
        Values of the header ``Host`` that are ours. A page of another site that has its name
        resolve to this machine (DNS rebinding) sends another one.
    limits
        Sizes of bodies.
    """

    def __init__(self, app: App, *, token: str, hosts: Iterable[str], limits: Limits) -> None:
        self.app, self.limits = app, limits
        self._hosts = {host.lower() for host in hosts}
        self._bearer = f"Bearer {token}".encode()
        self._held = 0

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        """Answer a request, if it must be by saying that the service ends."""
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self.app(scope, receive, send)
            return
        started = False

        async def noted(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            await self._guarded(scope, receive, noted)
        except asyncio.CancelledError:  # the server ends, and has waited for as long as it does
            if started:
                await send({"type": "http.response.body", "body": b""})  # of a stream
            else:
                await _answer(send, 503, "the service ends; come back when it runs again")

    async def _guarded(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        if sum(name.lower() == b"host" for name, _ in scope["headers"]) > 1:
            await _answer(send, 400, "a request has one header Host")
            return
        headers = {name.lower(): value for name, value in scope["headers"]}
        if refused := self._refused(scope["path"], headers):
            await _answer(send, *refused)
            return
        body = bytearray()
        try:
            guarded = scope["path"].startswith(GUARDED)
            most = self.limits.body_bytes if guarded else 0  # nothing is kept without a token
            try:
                async with asyncio.timeout(self.limits.seconds):
                    problem = await self._read(headers, receive, body, most)
            except TimeoutError:
                problem = 408, "the body took too long to come"
            if problem is not None:
                await _answer(send, *problem)
                return
            await self.app(scope, _replayed(bytes(body), receive), _with_headers(send))
        finally:
            self._held -= len(body)

    def _refused(self, path: str, headers: dict[bytes, bytes]) -> tuple[int, str] | None:
        """Status and reason, if it is not for us or not from us."""
        host = headers.get(b"host", b"").decode("latin-1").lower()
        if host not in self._hosts:
            return 421, "this address is not served under that host name"
        origin = headers.get(b"origin")
        if origin is not None and origin.decode("latin-1").lower() not in self._origins:
            return 403, "requests of pages from elsewhere are refused"
        if path in OPEN or not path.startswith(GUARDED):
            return None
        if not hmac.compare_digest(headers.get(b"authorization", b""), self._bearer):
            return 401, "send the token that the server printed as Authorization: Bearer"
        return None

    @property
    def _origins(self) -> set[str]:
        return {f"{scheme}://{host}" for host in self._hosts for scheme in ("http", "https")}

    async def _read(
        self, headers: dict[bytes, bytes], receive: Receive, body: bytearray, most: int
    ) -> tuple[int, str] | None:
        """Read the body into a buffer; status and reason if it is too large."""
        too_large = 413, f"a body has {most} bytes at most; send less at a time"
        promised = headers.get(b"content-length", b"0")
        if not promised.isdigit():
            return 400, "Content-Length should be a number"
        if int(promised[:20]) > most:
            return too_large
        while True:
            message = await receive()
            if message["type"] != "http.request":  # gone before it had sent all
                return 400, "the request was cut off"
            part = message.get("body", b"")
            if len(body) + len(part) > most:
                return too_large
            if self._held + len(part) > self.limits.held_bytes:
                return 503, "too many large requests at a time; come back later"
            body += part
            self._held += len(part)
            if not message.get("more_body", False):
                return None


def _replayed(body: bytes, receive: Receive) -> Receive:
    """The body once, then whatever the connection has to say, such as that it is gone."""
    left: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def replay() -> Message:
        return left.pop() if left else await receive()

    return replay


def _with_headers(send: Send) -> Send:
    """Headers of every answer, where the answer has none of that name."""

    async def wrapped(message: Message) -> None:
        if message["type"] == "http.response.start":
            there = {name.lower() for name, _ in message.get("headers", [])}
            message["headers"] = [
                *message.get("headers", []),
                *(header for header in HEADERS if header[0] not in there),
            ]
        await send(message)

    return wrapped


async def _answer(send: Send, status: int, reason: str) -> None:
    body = json.dumps({"detail": reason}).encode()
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode()),
        (b"connection", b"close"),  # the rest of what is being sent is not read
        *([(b"retry-after", b"1")] if status == 503 else []),
        *([(b"www-authenticate", b"Bearer")] if status == 401 else []),
        *HEADERS,
    ]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})

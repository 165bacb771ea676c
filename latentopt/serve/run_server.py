"""A service on a port of this machine, until it is stopped."""

import socket
from collections.abc import Callable
from typing import TYPE_CHECKING

from latentopt.errors import ConfigError

if TYPE_CHECKING:
    import uvicorn

__all__ = ["hosts_of", "listening", "serve_on", "server_of"]

LOOPBACK = "127.0.0.1"
WAITING = 512  # connections that the system keeps until they are answered
GRACE_S = 3  # for requests under way when the server is told to end; then they are answered 503


def listening(host: str, port: int) -> socket.socket:
    """A socket that listens; port 0 takes a free one.

    Raises
    ------
    ConfigError
        The address cannot be had.
    """
    if host in ("0.0.0.0", "::", ""):
        raise ConfigError(
            f"--host {host} is all addresses at once, and a page elsewhere could have its name "
            "resolve to one of them; give the address or the name by which others reach this "
            "machine."
        )
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        found = socket.socket(family, socket.SOCK_STREAM)
        found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        found.bind((host, port))
        found.listen(WAITING)
    except (OSError, OverflowError) as error:
        raise ConfigError(
            f"{host}:{port} cannot be served ({error}); choose another --port, or leave it out "
            "for a free one."
        ) from None
    return found


def hosts_of(host: str, port: int) -> set[str]:
    """What a browser names in the header ``Host`` that asks for this address."""
    names = {host, "localhost", LOOPBACK} if host in (LOOPBACK, "localhost") else {host}
    names = {f"[{name}]" if ":" in name else name for name in names}
    return {f"{name}:{port}" for name in names} | (names if port in (80, 443) else set())


def server_of(app: object, ready: Callable[[], None] | None = None) -> "uvicorn.Server":
    """A server of an app, which calls `ready` when the first request can be answered."""
    import uvicorn

    class Server(uvicorn.Server):
        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets)
            if self.started and ready is not None:
                ready()

    config = uvicorn.Config(
        app,  # ty: ignore[invalid-argument-type]  an ASGI app, whose types uvicorn spells out
        log_level="warning",
        access_log=False,
        server_header=False,
        timeout_keep_alive=15,
        timeout_graceful_shutdown=GRACE_S,
    )
    return Server(config)


def serve_on(app: object, listener: socket.socket, ready: Callable[[], None]) -> None:
    """Answer requests until SIGINT or SIGTERM."""
    server_of(app, ready).run(sockets=[listener])

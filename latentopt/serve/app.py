"""The service as one ASGI app."""

import secrets
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from fastapi import FastAPI, Response

from latentopt.serve.context import Context
from latentopt.serve.control import Control
from latentopt.serve.guard import Guard
from latentopt.serve.job_routes import job_router
from latentopt.serve.limits import Limits
from latentopt.serve.page_routes import page_router
from latentopt.serve.problems import answer_problems
from latentopt.serve.run_routes import run_router
from latentopt.serve.space_routes import space_router
from latentopt.serve.spaces import Spaces
from latentopt.serve.work import Work
from latentopt.version import __version__

__all__ = ["create_app", "new_token"]


def new_token() -> str:
    """A token that nobody can guess, for one start of a service."""
    return secrets.token_urlsafe(24)


def create_app(
    spaces: Spaces,
    *,
    token: str,
    hosts: Iterable[str],
    runs: Path | None = None,
    evaluate: Iterable[Any] | None = None,
    control: bool = False,
    limits: Limits | None = None,
) -> Guard:
    """An ASGI app that serves spaces, and campaigns if there is a folder of them.

    Parameters
    ----------
    spaces
        What is served.
    token
        Requests for data carry it as ``Authorization: Bearer``.
    hosts
        Values of the header ``Host`` that are answered, such as ``127.0.0.1:8000``.
    runs
        Folder of one campaign, or of several.
    evaluate
        Objectives by which jobs are evaluated, as a campaign's `evaluate` has them. None takes, for
        each metric that a job asks for, the objective of ours that has it.
    control
        Whether requests may tell the process of a campaign to end, and start one that goes on.
        Otherwise nothing is changed.
    limits
        Of requests.

    Raises
    ------
    ConfigError
        An objective cannot be built.
    """
    limits = limits or Limits()
    works = Work(limits.waiting, limits.rows), Work(limits.jobs, 1)
    context = Context(spaces, runs, limits, *works, Control() if control else None)

    @asynccontextmanager
    async def running(_: FastAPI) -> AsyncIterator[None]:
        async with context.work, context.job_work:
            yield

    app = FastAPI(
        title="latentopt",
        version=__version__,
        lifespan=running,
        docs_url=None,  # these pages load from another host
        redoc_url=None,
    )
    answer_problems(app)
    app.include_router(space_router(context))
    app.include_router(job_router(context, evaluate))
    app.include_router(run_router(context))
    app.include_router(page_router())

    @app.get("/healthz", tags=["service"])
    async def healthz() -> dict[str, str]:
        """Answer, if the process lives."""
        return {"status": "ok"}

    @app.get("/readyz", tags=["service"])
    async def readyz() -> dict[str, str]:
        """Answer, if requests are computed."""
        return {"status": "ok"}

    @app.get("/metrics", tags=["service"])
    async def metrics() -> Response:
        """Counts as Prometheus reads them."""
        work = context.work
        text = context.figures.text(
            waiting=work.waiting,
            jobs_waiting=context.job_work.waiting,
            decode_batches=work.batches,
            decoded_rows=work.rows,
        )
        return Response(text, media_type="text/plain; version=0.0.4")

    return Guard(_counted(app, context), token=token, hosts=hosts, limits=limits)


def _counted(app: FastAPI, context: Context) -> Any:
    """The app, whose requests are counted by route: a path that a client made up is none."""

    async def counted(scope: Any, receive: Callable[[], Awaitable[Any]], send: Any) -> None:
        if scope["type"] != "http":
            await app(scope, receive, send)
            return
        began, status = time.perf_counter(), 500

        async def noted(message: Any) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await app(scope, receive, noted)
        finally:
            route = getattr(scope.get("route"), "path", "none")
            context.figures.count(f"{scope['method']} {route}", status, time.perf_counter() - began)

    return counted

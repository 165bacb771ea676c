"""What a request is answered that cannot be served."""

import logging
from collections.abc import Mapping
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from latentopt.errors import ConfigError, DataError, EvaluationError, ExportError
from latentopt.printable import one_line
from latentopt.serve.work import Busy

__all__ = ["Late", "Problem", "answer_problems"]

_log = logging.getLogger(__name__)
_ABOUT_THE_REQUEST = (ConfigError, DataError, EvaluationError, ExportError)
_SHOWN = 8  # of the problems of one request


class Problem(Exception):
    """A request that cannot be served, with the status that says so.

    Parameters
    ----------
    status
        400 to 499.
    reason
        One line for whoever sent it.
    """

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status, self.reason = status, reason


class Late(Exception):
    """The time of a request is over."""


def answer_problems(app: FastAPI) -> None:
    """Have an app answer errors in JSON: ``{"detail": reason}``.

    What a request has wrong is said; what is wrong here is only logged.
    """

    def of_problem(_: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, Problem)
        return _answer(error.status, error.reason)

    def of_request(_: Request, error: Exception) -> JSONResponse:
        return _answer(422, one_line(error, 2000))

    def of_fields(_: Request, error: Exception) -> JSONResponse:
        # Without what was sent: it may be large, and no JSON (NaN).
        assert isinstance(error, RequestValidationError)
        lines = [_line(problem) for problem in error.errors()[:_SHOWN]]
        return _answer(422, one_line("; ".join(lines), 2000))

    def of_framework(_: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, HTTPException)
        return _answer(error.status_code, str(error.detail), dict(error.headers or {}))

    def later(_: Request, error: Exception) -> JSONResponse:
        reason = "it took too long" if isinstance(error, Late) else "too many requests wait"
        return _answer(503, f"{reason}; ask for less, or come back later", {"Retry-After": "1"})

    def ours(_: Request, error: Exception) -> JSONResponse:
        _log.error("a request failed", exc_info=error)
        return _answer(500, "the server failed; its log says why")

    for kind in _ABOUT_THE_REQUEST:
        app.add_exception_handler(kind, of_request)
    app.add_exception_handler(Problem, of_problem)
    app.add_exception_handler(RequestValidationError, of_fields)
    app.add_exception_handler(HTTPException, of_framework)
    app.add_exception_handler(Busy, later)
    app.add_exception_handler(Late, later)
    app.add_exception_handler(Exception, ours)


def _line(problem: Mapping[str, Any]) -> str:
    """One problem of a request's fields, in words."""
    if problem["type"] == "json_invalid":
        return "the body is not JSON"
    place = ".".join(map(str, problem["loc"][1:])) or str(problem["loc"][0])
    return f"{place}: {problem['msg']}"


def _answer(status: int, reason: str, headers: dict[str, str] | None = None) -> JSONResponse:
    return JSONResponse({"detail": reason}, status, headers)

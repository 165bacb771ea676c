"""A simulator that is a job service over HTTP: submit a structure, ask until there is a result.

The service answers two requests, both with JSON:

- ``POST url`` with ``{"task": {...}, "files": [{"name": ..., "base64": ...}]}``: the content of
  ``task.json``, and the files of the structure with their sidecar. It answers
  ``{"job": "<id>"}``. A second request with the same header ``Idempotency-Key`` is for the same
  job, and gets the same id.
- ``GET url/<id>`` answers ``{"state": "queued"}`` or ``{"state": "running"}``, and in the end a
  result as in ``result.json``.
"""

import base64
import http.client
import json
import os
import re
import time
import urllib.parse
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from generative.files.json_text import parse_json
from latentopt.errors import ConfigError, ExportError
from latentopt.export.sidecar import exported_files
from latentopt.microstructure import Microstructure
from latentopt.printable import one_line
from latentopt.simulators.http_exchange import Answer, exchange
from latentopt.simulators.result import MAX_BYTES, SimulationResult, State, parse_result
from latentopt.simulators.simulator import SimulatorSpec, simulation_id
from latentopt.simulators.task import TASK, check_format, write_task

_WAITING = ("queued", "running")
_MOST_WAIT_S = 60.0  # between two attempts
_ABOUT_THE_STRUCTURE = (400, 413, 415, 422)  # the other 4xx are about address, token or method
_COME_BACK_LATER = (429,)  # a limit on the rate of requests


def _checked_url(url: object) -> object:
    """Refuse what the journal must not keep, and what leaves no place for a job's id."""
    # Without the address: what it holds is what should not be told.
    place = url.partition("://")[2] if isinstance(url, str) else ""
    host = urllib.parse.unquote(re.split("[/?#]", place)[0])
    if "@" in host:
        raise ValueError(
            "should hold no user and password, which the journal would keep; put a token into an "
            "environment variable and name it as token_variable"
        )
    if "?" in place or "#" in place:
        raise ValueError(
            "should end with its path, to which the id of a job is added, and hold no '?' and no "
            "'#'; a token goes into an environment variable, named as token_variable"
        )
    if not re.fullmatch(r"([^:\[\]]*|\[[^\[\]]*\])(:\d{1,5})?", host):
        raise ValueError("should have a host, and after a ':' nothing but the number of a port")
    return url


class HTTPSimulator(SimulatorSpec):
    """A service that takes jobs over HTTP, such as one in front of a cluster's queue.

    What fails on the way (no connection, 5xx, 429) is tried again after `poll_s`, then twice as
    long each time; another 4xx is final. Redirects are not followed: the token is for this host.
    """

    patience: ClassVar[frozenset[str]] = frozenset(
        {"timeout_s", "request_timeout_s", "poll_s", "retries", "token_variable"}
    )

    kind: Literal["http"] = "http"
    url: Annotated[str, BeforeValidator(_checked_url)] = Field(
        pattern=r"^https?://[!-~]+$",
        description="Address to which jobs are submitted. It may hold no password and no query.",
    )
    format: Annotated[str, AfterValidator(check_format)] = Field(
        "hdf5",
        description="File format of the structure, by the name of an exporter such as hdf5, tiff "
        "or damask.",
    )
    token_variable: str | None = Field(
        None,
        description="Name of the environment variable that holds the bearer token, which is "
        "stored nowhere. null sends no token.",
    )
    timeout_s: float = Field(
        3600.0,
        gt=0,
        le=2e6,
        description="Seconds from the submission of a job until it is given up.",
    )
    request_timeout_s: float = Field(
        30.0,
        gt=0,
        le=2e6,
        description="Seconds that one request may take, until its answer is complete.",
    )
    poll_s: float = Field(
        2.0,
        gt=0,
        description="Seconds from one request for the result to the next. After a failed request "
        "the wait doubles each time.",
    )
    retries: int = Field(
        5,
        ge=0,
        description="Number of times that a failed request is sent again. 0 gives up at the "
        "first failure.",
    )

    def check(self, where: str) -> None:
        """Look for the token; a `ConfigError` if its variable does not hold one."""
        if self.token_variable is not None and self._token() is None:
            raise ConfigError(
                f"the environment variable {self.token_variable} holds no "
                "token; set it to the service's token.",
                at=f"{where}.token_variable",
            )

    def __call__(self, microstructure: Microstructure, folder: Path) -> SimulationResult:
        """Result of the service for one structure; `folder` keeps what was sent."""
        start = time.monotonic()
        try:
            structure = write_task(folder, microstructure, self.format, self.units)
            body = _submission(folder, structure)
            service = _Service(self, deadline=start + self.timeout_s)
            job = service.submit(body, simulation_id(self, microstructure))
            result = service.result(job)
        except _Failed as failed:
            result = failed.result
        except (OSError, ExportError) as error:
            result = SimulationResult("lost", message=one_line(error))
        message = result.message
        if self.token_variable is not None and (token := self._token()):
            message = message.replace(token, "***")  # a service may say what it was sent
        return replace(result, message=message, seconds=round(time.monotonic() - start, 3))

    def _token(self) -> str | None:
        if self.token_variable is None:
            return None
        token = os.environ.get(self.token_variable, "").strip()
        # What cannot stand in a header would be told, token and all, by an error.
        return token if re.fullmatch("[!-~]+", token) else None


class _Failed(Exception):
    """Ends a simulation with a result that is not ``ok``."""

    def __init__(self, state: State, message: str) -> None:
        super().__init__(message)
        self.result = SimulationResult(state, message=one_line(message))


@dataclass(frozen=True)
class _Service:
    """The requests of one job."""

    spec: HTTPSimulator
    deadline: float

    def submit(self, body: bytes, key: str) -> str:
        """Id of the job."""
        headers = {"Content-Type": "application/json", "Idempotency-Key": key}
        url = self.spec.url.rstrip("/")
        answer = _json(self._retried(lambda: self._send(url, headers, body), late="lost"))
        job = answer.get("job") if isinstance(answer, dict) else None
        if not isinstance(job, str | int) or not 0 < len(str(job)) <= 200:
            raise _Failed(
                "crashed", f'the service should answer {{"job": "<id>"}}, got {answer!r:.80}'
            )
        return str(job)

    def result(self, job: str) -> SimulationResult:
        """What the service says of the job when it has ended."""
        url = f"{self.spec.url.rstrip('/')}/{urllib.parse.quote(job, safe='')}"
        while True:
            data = self._retried(lambda: self._send(url, {}, None), late="timeout")
            answer = _json(data)
            if not (isinstance(answer, dict) and answer.get("state") in _WAITING):
                return parse_result(data, self.spec.units, f"the result of job {one_line(job)}")
            self._wait(self.spec.poll_s, late="timeout")

    def _retried(self, send: Callable[[], Answer], late: State) -> bytes:
        """Answer of a request that is sent again while the machine or the network fails."""
        wait, problem = self.spec.poll_s, ""
        for attempt in range(self.spec.retries + 1):
            try:
                answer = send()
            except (OSError, http.client.HTTPException) as error:
                problem = str(getattr(error, "reason", error)) or type(error).__name__
            else:
                if 200 <= answer.status < 300:
                    return answer.body
                problem = _of_status(answer)
                if answer.status < 500 and answer.status not in _COME_BACK_LATER:
                    about_it = answer.status in _ABOUT_THE_STRUCTURE
                    raise _Failed("invalid" if about_it else "lost", problem)
            if attempt < self.spec.retries or time.monotonic() >= self.deadline:
                self._wait(wait, late)
                wait = min(2 * wait, _MOST_WAIT_S)
        raise _Failed("lost", f"{self.spec.url} failed {self.spec.retries + 1} times: {problem}")

    def _send(self, url: str, headers: dict[str, str], body: bytes | None) -> Answer:
        if self.spec.token_variable is not None:
            token = self.spec._token()
            if token is None:
                variable = self.spec.token_variable
                raise _Failed("lost", f"the environment variable {variable} holds no token here")
            headers = {**headers, "Authorization": f"Bearer {token}"}
        request = urllib.request.Request(url, body, {"Accept": "application/json", **headers})
        left = self.deadline - time.monotonic()
        return exchange(request, max(0.0, min(self.spec.request_timeout_s, left)), MAX_BYTES + 1)

    def _wait(self, seconds: float, late: State) -> None:
        """Wait, or fail with the state `late` if there is not so much time."""
        left = self.deadline - time.monotonic()
        time.sleep(max(0.0, min(left, seconds)))
        if left <= seconds:
            raise _Failed(late, f"no answer in {self.spec.timeout_s:g} s")


def _of_status(answer: Answer) -> str:
    said = one_line(answer.body.decode(errors="replace"), 200)
    where = f" to {_shown(answer.location)}" if answer.location else ""
    return f"HTTP {answer.status} {answer.reason}{where}" + (f": {said}" if said else "")


def _shown(url: str) -> str:
    """An address without what may be a secret in it: user, password and query."""
    try:
        parts = urllib.parse.urlsplit(url)
    except ValueError:
        return "an address that is none"
    host = parts.netloc.rpartition("@")[2]
    return one_line(urllib.parse.urlunsplit((parts.scheme, host, parts.path, "", "")), 100)


def _json(data: bytes) -> Any:
    """The answer, None if it is no JSON or too large: reported by whoever needs more of it."""
    try:
        return parse_json(data) if len(data) <= MAX_BYTES else None
    except ValueError:
        return None


def _submission(folder: Path, structure: Path) -> bytes:
    files = [
        {"name": path.name, "base64": base64.b64encode(path.read_bytes()).decode()}
        for path in exported_files(structure)
    ]
    task = json.loads((folder / TASK).read_bytes())
    return json.dumps({"task": task, "files": files}).encode()

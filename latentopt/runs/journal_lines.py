"""Lines of a journal: how one is written, and what a file of them tells up to the first that fails.

Each line is ``{"h": "<16 hex digits>", "e": {...}}``: an event, and the first digits of the SHA-256
of the previous line's digits followed by the event's text.
"""

import io
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

__all__ = [
    "Past",
    "begins_line",
    "count_trials",
    "event_of",
    "has_digests",
    "line_of",
    "read_lines",
]

_DIGITS = 16
_BODY = len('{"h": "') + _DIGITS + len('", "e": ')  # where the event's text begins in a line


@dataclass(frozen=True)
class Past:
    """What the intact lines of a journal tell, and what comes after them.

    Parameters
    ----------
    events
        Of the intact lines, oldest first.
    digests
        Of each of these lines.
    size
        Their bytes.
    rest
        The bytes after them: empty, the beginning of a line, or lines that do not fit.
    lines
        How many lines there are in all, intact or not.
    """

    events: list[dict[str, Any]]
    digests: list[str]
    size: int
    rest: bytes
    lines: int

    @property
    def digest(self) -> str:
        """Digest of the last intact line; empty if there is none."""
        return self.digests[-1] if self.digests else ""

    @property
    def changed(self) -> bool:
        """Whether a line does not fit that was written in full: no kill leaves such a line.

        A line without its line end was torn off, unless one more byte would make it whole: then its
        line end was changed.
        """
        if b"\n" in self.rest:
            return True
        return event_of(self.rest[:-1] + b"\n", self.digest) is not None


def read_lines(raw: bytes) -> Past:
    """Read the bytes of a journal up to the first line that does not follow the one before it."""
    events: list[dict[str, Any]] = []
    digests: list[str] = []
    size, digest = 0, ""
    lines = list(io.BytesIO(raw))  # at b"\n" only
    for line in lines:
        digest = _digest(digest, line[_BODY:-2])
        if not _is_whole(line, digest):
            break
        events.append(json.loads(line[_BODY:-2]))
        digests.append(digest)
        size += len(line)
    return Past(events, digests, size, raw[size:], len(lines))


def line_of(body: str, previous: str) -> tuple[bytes, str]:
    """The line of an event's text after the line with digest `previous`, and its own digest."""
    digest = _digest(previous, body.encode())
    return f'{{"h": "{digest}", "e": {body}}}\n'.encode(), digest


def event_of(line: bytes, previous: str) -> dict[str, Any] | None:
    """The event of an intact line that follows the line with digest `previous`, else None."""
    body = line[_BODY:-2]
    return json.loads(body) if _is_whole(line, _digest(previous, body)) else None


def begins_line(rest: bytes, digest: str) -> bool:
    """Whether these bytes are the beginning of the line with this digest."""
    return rest[:_BODY] == _prefix(digest)[: len(rest)]


def count_trials(events: Iterable[Mapping[str, Any]]) -> tuple[int, int]:
    """How many trials were asked for, and how many results were told."""
    asked = ended = 0
    for event in events:
        match event.get("kind"):
            case "ask":
                asked += len(event.get("trials", ()))
            case "tell" | "fail":
                ended += 1
    return asked, ended


def has_digests(events: Iterable[Mapping[str, Any]]) -> bool:
    """Whether a structure's digest is among them, as this version writes it."""
    asked = (event.get("trials", ()) for event in events if event.get("kind") == "ask")
    return any("voxel_sha256" in trial for trials in asked for trial in trials)


def _is_whole(line: bytes, digest: str) -> bool:
    return line.endswith(b"}\n") and line[:_BODY] == _prefix(digest)


def _prefix(digest: str) -> bytes:
    return f'{{"h": "{digest}", "e": '.encode()


def _digest(previous: str, body: bytes) -> str:
    return sha256(previous.encode() + body).hexdigest()[:_DIGITS]

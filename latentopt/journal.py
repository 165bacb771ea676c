"""The journal of a campaign: append-only, hashed, fsynced lines of JSON; the one truth on disk.

Each line is ``{"h": "<16 hex digits>", "e": {...}}``: an event, and the first digits of the SHA-256
of the previous line's digits followed by the event's text. A lost, changed or reordered line breaks
the chain and is named; a last line cut short by a kill or a power failure is moved to
``journal.torn`` and reported.
"""

import contextlib
import io
import json
import os
import socket
import time
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any

from latentopt.disk import explain_refusal
from latentopt.errors import CampaignError, CampaignLockedError, JournalError

__all__ = ["FORMAT_VERSION", "Journal", "lock_holder", "read_events"]

FORMAT_VERSION = 1
_JOURNAL, _TORN, _LOCK = "journal.jsonl", "journal.torn", "campaign.lock"
_DIGITS = 16
_MOMENT = 0.05  # seconds
_BODY = len('{"h": "') + _DIGITS + len('", "e": ')  # where the event's text begins in a line


class Journal:
    """The journal of one folder, held open for writing by one process at a time.

    Opening creates the folder, takes its lock, replays the events and repairs a torn last line.
    Use it as a context manager, or call `close`.

    Parameters
    ----------
    folder
        The campaign's folder.

    Attributes
    ----------
    events
        All events written so far, oldest first.
    repaired_bytes
        Length of the torn last line that opening removed; 0 if there was none.

    Raises
    ------
    CampaignLockedError
        Another process has the folder open.
    JournalError
        A line before the last one is damaged, or was written by a newer format.
    CampaignError
        The folder cannot be written.
    """

    def __init__(self, folder: Path | str):
        self.folder = Path(folder)
        self._path = self.folder / _JOURNAL
        with contextlib.ExitStack() as opened:
            try:
                self.folder.mkdir(parents=True, exist_ok=True)
                opened.callback(os.close, _take_lock(self.folder))
                self._file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
                opened.callback(os.close, self._file)
                self._replay_and_repair()
            except OSError as error:
                raise _cannot_write(self._path, error) from None
            self._opened = opened.pop_all()

    def _replay_and_repair(self) -> None:
        raw = self._path.read_bytes()
        self.events, self._digest, self._size = _replay(raw, self._path)
        self.repaired_bytes = len(raw) - self._size
        if self.repaired_bytes:
            with (self.folder / _TORN).open("ab") as torn:
                torn.write(raw[self._size :] + b"\n")
            os.ftruncate(self._file, self._size)
            os.fsync(self._file)
        _sync_folder(self.folder)  # the names in the folder are on disk as well as the bytes

    def append(self, event: Mapping[str, Any]) -> None:
        """Write one event; it is on disk when this returns.

        Raises
        ------
        CampaignError
            The disk is full or read-only. Whatever part of the line was written is taken back, so
            the journal still reads, up to the event before.
        ValueError
            The event holds NaN or infinity, which JSON has no numbers for.
        """
        body = json.dumps(event, allow_nan=False)
        digest = _digest(self._digest, body.encode())
        line = f'{{"h": "{digest}", "e": {body}}}\n'.encode()
        try:
            if os.fstat(self._file).st_size != self._size:  # an earlier write was cut short
                os.ftruncate(self._file, self._size)
            _write_all(self._file, line)
            os.fsync(self._file)
        except OSError as error:
            with contextlib.suppress(OSError):  # else the next opening repairs the torn line
                os.ftruncate(self._file, self._size)
            raise _cannot_write(self._path, error) from None
        self.events.append(json.loads(body))
        self._digest, self._size = digest, self._size + len(line)

    def close(self) -> None:
        """Release the folder to other processes; a second call does nothing."""
        self._opened.close()

    def __enter__(self) -> "Journal":
        return self

    def __exit__(self, *error: object) -> None:
        self.close()


def read_events(folder: Path | str) -> list[dict[str, Any]]:
    """Events of a folder's journal, without its lock; a line that is being written is left out.

    Raises
    ------
    CampaignError
        There is no journal in the folder, or it cannot be read.
    JournalError
        A line before the last one is damaged, or was written by a newer format.
    """
    path = Path(folder) / _JOURNAL
    try:
        raw = path.read_bytes()
    except FileNotFoundError:
        raise CampaignError(
            f"{folder}: holds no campaign (no {_JOURNAL}); give the folder of one, or start one "
            "with latentopt optimize."
        ) from None
    except OSError as error:
        raise CampaignError(explain_refusal(path, error)) from None
    return _replay(raw, path)[0]


def _replay(raw: bytes, path: Path) -> tuple[list[dict[str, Any]], str, int]:
    """Events, digest and length of the intact part, which is all but possibly the last line."""
    events: list[dict[str, Any]] = []
    digest, size = "", 0
    lines = list(io.BytesIO(raw))  # at b"\n" only
    for number, line in enumerate(lines, start=1):
        event = _event(line, digest)
        if event is None:
            if number == len(lines):
                break
            raise JournalError(
                f"{path}: line {number} of {len(lines)} is damaged; restore the file from a copy, "
                f"or keep only the {number - 1} lines before it (head -n {number - 1})."
            )
        if number == 1:
            _check_version(event, path)
        events.append(event)
        digest, size = _digest(digest, line[_BODY:-2]), size + len(line)
    return events, digest, size


def _event(line: bytes, previous: str) -> dict[str, Any] | None:
    """The event of an intact line that follows the line with digits `previous`, else None."""
    body = line[_BODY:-2]
    if not line.endswith(b"}\n") or line[:_BODY] != _prefix(_digest(previous, body)):
        return None
    return json.loads(body)


def _prefix(digest: str) -> bytes:
    return f'{{"h": "{digest}", "e": '.encode()


def _digest(previous: str, body: bytes) -> str:
    return sha256(previous.encode() + body).hexdigest()[:_DIGITS]


def _check_version(event: Mapping[str, Any], path: Path) -> None:
    version = event.get("format_version")
    if version != FORMAT_VERSION:
        raise JournalError(
            f"{path}: has journal format {version!r}, this version reads {FORMAT_VERSION}; "
            "use the latentopt that wrote it."
        )


def lock_holder(folder: Path | str) -> tuple[str, float] | None:
    """Who runs the campaign of a folder, and since when in seconds of the epoch; None if nobody."""
    try:
        import fcntl

        descriptor = os.open(Path(folder) / _LOCK, os.O_RDONLY)
    except (ImportError, OSError):
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        owner = os.pread(descriptor, 200, 0).decode(errors="replace")
        return owner or "another process", os.fstat(descriptor).st_mtime
    finally:
        os.close(descriptor)
    return None


def _lock_or_raise(descriptor: int) -> None:
    import fcntl  # not on Windows, where reading a campaign should still work

    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        time.sleep(_MOMENT)  # `lock_holder` may have had it, to see whether it can be had
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _take_lock(folder: Path) -> int:
    """File descriptor that holds the folder's lock until it is closed or its process dies."""
    descriptor = os.open(folder / _LOCK, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        _lock_or_raise(descriptor)
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"process {os.getpid()} on {socket.gethostname()}".encode(), 0)
    except BlockingIOError:
        owner = os.pread(descriptor, 200, 0).decode(errors="replace") or "another process"
        os.close(descriptor)
        raise CampaignLockedError(
            f"{folder}: {owner} is running this campaign; wait for it, stop it (in Python: "
            "campaign.close()), or choose another folder."
        ) from None
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def _write_all(descriptor: int, data: bytes) -> None:
    while data:
        data = data[os.write(descriptor, data) :]


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _cannot_write(path: Path, error: OSError) -> CampaignError:
    return CampaignError(
        f"{path}: cannot be written ({error.strerror}); make room or give a folder you may write "
        "to, and run the same command again: what the journal holds is kept."
    )

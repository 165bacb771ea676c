"""The journal of a campaign: append-only, hashed, fsynced lines of JSON; the one truth on disk.

Each line is ``{"h": "<16 hex digits>", "e": {...}}`` (`latentopt.runs.journal_lines`). A lost,
changed or reordered line breaks the chain and is named; a last line cut short by a kill or power
failure is moved to ``journal.torn`` and reported. ``journal.end`` says how many lines there are, so
that lines missing at the end are noticed too.
"""

import contextlib
import json
import logging
import os
import time
import weakref
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from latentopt.errors import CampaignError, JournalError
from latentopt.files import explain_refusal
from latentopt.runs.candidates import candidate_path, kept_trials, set_aside
from latentopt.runs.journal_check import Look, look
from latentopt.runs.journal_end import EndFile, end_of
from latentopt.runs.journal_lines import line_of
from latentopt.runs.journal_lock import (
    JOURNAL,
    lock_holder,
    name_of_this_process,
    open_journal,
    open_lock_file,
    write_name,
)

__all__ = ["FORMAT_VERSION", "Journal", "lock_holder", "read_events"]

FORMAT_VERSION = 1
_TORN, _RESCUED = "journal.torn", "journal.rescued"
_LOOKS, _MOMENT = 3, 0.1  # seconds from one look to the next, where something is wrong
_log = logging.getLogger(__name__)


class Journal:
    """The journal of one folder, held open for writing by one process at a time.

    Opening creates the folder, takes its lock, replays the events and repairs a torn last line.
    Use it as a context manager, or call `close`. A copy of the process (a fork) does not hold it.

    Parameters
    ----------
    folder
        The campaign's folder.
    accept_shorter_past
        Take the lines up to the first damaged or missing one for all there are. What follows them
        goes to ``journal.torn``, and structures of trials that are lost get names of their own.

    Attributes
    ----------
    events
        All events written so far, oldest first.
    repaired_bytes
        Length of what opening removed from the end, such as a torn last line; 0 if nothing.
    notice
        What is to be said of an end that was cut short or cannot be checked; None if it is whole.

    Raises
    ------
    CampaignLockedError
        Another process has the folder open.
    JournalError
        A line is damaged, the end is missing, or a newer format has written it.
    CampaignError
        The folder cannot be written or locked.
    """

    def __init__(self, folder: Path | str, *, accept_shorter_past: bool = False) -> None:
        self.folder = Path(folder)
        self._path = self.folder / JOURNAL
        with contextlib.ExitStack() as opened:
            try:
                self.folder.mkdir(parents=True, exist_ok=True)
                lock = open_lock_file(self.folder)
                opened.callback(os.close, lock)
                if not self._path.exists():
                    _refuse(look(self.folder), accept_shorter_past)  # before another one is made
                self._file = open_journal(self.folder)
                opened.callback(os.close, self._file)
                write_name(lock, name_of_this_process())
                self._replay_and_repair(accept_shorter_past)
            except OSError as error:
                raise _cannot_write(error.filename or self._path, error) from None
            # Whoever forgets the object releases the folder.
            self._release = weakref.finalize(self, opened.pop_all().close)
        _held.add(self)

    def _replay_and_repair(self, accept_shorter_past: bool) -> None:
        found = look(self.folder)
        _refuse(found, accept_shorter_past)
        past, self.repaired_bytes = found.past, len(found.past.rest)
        self.notice = found.notice
        self.events, self._end, self._writing = past.events, end_of(past), False
        self._rescued: Path | None = None
        self._ends = EndFile(self.folder, name_of_this_process(), time.time())
        if past.rest:
            with (self.folder / _TORN).open("ab") as torn:
                torn.write(past.rest + b"\n")
                torn.flush()
                os.fsync(torn.fileno())
        if past.rest or found.beyond:
            for index in kept_trials(self.folder):
                if index >= self._end.trials:
                    set_aside(candidate_path(self.folder, index))
        os.fsync(self._file)  # what a killed process wrote
        # Before lines are taken away: a kill in between then leaves a torn line, not a lost one.
        if found.kept is None:
            self._ends.begin(self._end)
        else:  # in place: that needs no room on the disk
            self._ends.write(self._end)
        os.ftruncate(self._file, self._end.size)
        os.fsync(self._file)
        _sync_folder(self.folder)  # the names in the folder are on disk as well as the bytes

    def append(self, event: Mapping[str, Any]) -> None:
        """Write one event; it is on disk when this returns.

        Raises
        ------
        CampaignError
            The disk is full or read-only. Whatever part of the line was written is taken back, so
            the journal still reads, up to the event before.
        JournalError
            (A `CampaignError`.) The journal was moved, deleted or changed since it was opened:
            nothing was written.
        ValueError
            The event holds NaN or infinity, which JSON has no numbers for.
        """
        body = json.dumps(event, allow_nan=False)
        self.check_in_place()
        before = self._end
        line, digest = line_of(body, before.digest)
        after = before.after(line, digest, event)
        try:
            if self._writing:  # an earlier write was cut short
                self._ends.write(before)
                os.ftruncate(self._file, before.size)
            self._writing = True
            _write_all(self._file, line)
            os.fsync(self._file)
            self._ends.write(after)
        except OSError as error:
            self._take_back()
            raise _cannot_write(self._path, error) from None
        self._end, self._writing = after, False
        self.events.append(json.loads(body))

    def _take_back(self) -> None:
        """Undo a write that has failed; else the next opening repairs the torn line."""
        with contextlib.suppress(OSError):
            self._ends.write(self._end)
        with contextlib.suppress(OSError):
            os.ftruncate(self._file, self._end.size)
            self._writing = False

    def check_in_place(self) -> None:
        """Refuse to go on where the file of this name is not the one that was opened, as it was.

        Raises
        ------
        JournalError
            It was moved, deleted, replaced or changed. Where its lines would be lost, all that
            this process knows of are in ``journal.rescued``.
        CampaignError
            The journal was closed, or this process is a copy (fork) of the one that opened it.
        """
        if not self._release.alive:
            raise CampaignError(f"{self._path}: was closed; open it again.")
        here = os.fstat(self._file)
        try:
            there = os.stat(self._path)
        except OSError:
            there = None
        if there is None or not os.path.samestat(here, there):
            how = "was deleted" if here.st_nlink == 0 else "was moved, or its folder was"
            how = how if there is None else "is another file now"
            raise self._not_in_place(how, lost=here.st_nlink == 0)
        if here.st_size != self._end.size and not self._writing:
            how = f"has {here.st_size} bytes, where this process has written {self._end.size}"
            raise self._not_in_place(how, lost=True)

    def _not_in_place(self, how: str, *, lost: bool) -> JournalError:
        kept = "What was told before is where it was moved to: move it back, or go on there."
        if lost:
            kept = self._rescue()
        return JournalError(
            f"{self._path}: {how} while {name_of_this_process()} ran the campaign, which stops "
            f"here. {kept}"
        )

    def _rescue(self) -> str:
        """Write all lines that this process knows of to a file, and say which it is."""
        if self._rescued is None:
            lines, digest = [], ""
            for event in self.events:
                line, digest = line_of(json.dumps(event), digest)
                lines.append(line)
            try:
                self._rescued = _new_file(self.folder / _RESCUED, b"".join(lines))
            except OSError:
                return "Restore it from a copy."
        return f"What was told before is in {self._rescued}: put that in its place."

    def close(self) -> None:
        """Release the folder to other processes; a second call does nothing."""
        self._release()

    def __enter__(self) -> "Journal":
        return self

    def __exit__(self, *error: object) -> None:
        self.close()


_held: "weakref.WeakSet[Journal]" = weakref.WeakSet()


def _let_go() -> None:
    """In a copy of the process: a lock lasts until the last copy has closed the file."""
    for journal in list(_held):
        journal.close()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_let_go)


def read_events(folder: Path | str) -> list[dict[str, Any]]:
    """Events of a folder's journal, without its lock; a line that is being written is left out.

    Raises
    ------
    CampaignError
        There is no journal in the folder, or it cannot be read.
    JournalError
        A line is damaged, the end is missing, or a newer format has written it.
    """
    folder = Path(folder)
    for attempt in range(_LOOKS):
        if attempt:
            time.sleep(_MOMENT)  # the process that writes it may have been met halfway
        try:
            found = look(folder)
        except OSError as error:
            raise CampaignError(explain_refusal(folder / JOURNAL, error)) from None
        if found.problem is None and not found.torn:
            break
    _refuse(found)
    if found.notice:
        _log.warning("%s", found.notice)
    if not found.exists:
        raise CampaignError(
            f"{folder}: holds no campaign (no {JOURNAL}); give the folder of one, or start one "
            "with latentopt optimize."
        )
    return found.past.events


def _refuse(found: Look, accept_shorter_past: bool = False) -> None:
    """Raise what is wrong with a journal, unless it may be accepted as it is."""
    if found.past.events:
        _check_version(found.past.events[0], found.path)
    if found.problem is not None and not (accept_shorter_past and found.acceptable):
        raise JournalError(found.problem)


def _check_version(event: Mapping[str, Any], path: Path) -> None:
    version = event.get("format_version")
    if version != FORMAT_VERSION:
        raise JournalError(
            f"{path}: has journal format {version!r}, this version reads {FORMAT_VERSION}; "
            "use the latentopt that wrote it."
        )


def _new_file(path: Path, data: bytes) -> Path:
    """Write a file under this name, or with a number where there is one; its path."""
    number, place = 1, path
    while True:
        try:
            with place.open("xb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            return place
        except FileExistsError:
            number += 1
            place = path.with_name(f"{path.name}{number}")


def _write_all(descriptor: int, data: bytes) -> None:
    while data:
        data = data[os.write(descriptor, data) :]


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _cannot_write(path: Path | str, error: OSError) -> CampaignError:
    return CampaignError(
        f"{path}: cannot be written ({error.strerror}); make room or give a folder you may write "
        "to, and run the same command again: what the journal holds is kept."
    )

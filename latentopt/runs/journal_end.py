"""``journal.end``: how far a journal has been written, so that a lost end does not pass unnoticed.

A file without its last lines reads as a shorter past: its lines cannot tell. So after each line of
the journal is on the disk, its number and digest are written here. A kill between the two leaves a
journal that is one line longer than this file says, and that is as it should be; a journal that is
shorter has lost lines.

The file has two lines of equal length, written in place by turns: a write that is cut short leaves
the other one.
"""

import json
import os
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from latentopt.files import replacing
from latentopt.runs.journal_lines import Past, count_trials, event_of, line_of

__all__ = ["DAMAGED", "END", "End", "EndFile", "Kept", "end_of", "read_end"]

END = "journal.end"
DAMAGED = "damaged"
_SLOT = 256  # bytes of a line; both lie in one sector of a disk


@dataclass(frozen=True)
class End:
    """The end of a journal.

    Parameters
    ----------
    lines, size
        Number of lines, and their bytes.
    digest
        Of the last line; empty if there is none.
    trials, ended
        How many trials were asked for, and how many of them have a result.
    """

    lines: int
    size: int
    digest: str
    trials: int
    ended: int

    def after(self, line: bytes, digest: str, event: Mapping[str, Any]) -> "End":
        """The end after one more line, with this digest and event."""
        trials, ended = count_trials([event])
        return End(
            self.lines + 1,
            self.size + len(line),
            digest,
            self.trials + trials,
            self.ended + ended,
        )


def end_of(past: Past) -> End:
    """End of the intact lines of a journal."""
    trials, ended = count_trials(past.events)
    return End(len(past.events), past.size, past.digest, trials, ended)


@dataclass(frozen=True)
class Kept:
    """What the file holds: the end, in which turn it was written, and by which process."""

    end: End
    turn: int
    owner: str
    since: float


def read_end(folder: Path) -> "Kept | str | None":
    """What the file of a folder holds; None if there is none, `DAMAGED` if neither line fits."""
    try:
        raw = (folder / END).read_bytes()
    except FileNotFoundError:
        return None
    if not raw:  # emptied: as if it were not there
        return None
    found = []
    for start in (0, _SLOT):
        if (record := event_of(raw[start : start + _SLOT], "")) is not None:
            end = End(**{field.name: record[field.name] for field in fields(End)})
            found.append(Kept(end, record["turn"], record["owner"], float(record["since"])))
    return max(found, key=lambda kept: kept.turn) if found else DAMAGED


class EndFile:
    """The file, for the one process that writes the journal.

    Parameters
    ----------
    folder
        The campaign's folder.
    owner
        The process, for others to name it.
    since
        When it took the folder, in seconds of the epoch.
    """

    def __init__(self, folder: Path, owner: str, since: float) -> None:
        self._path, self._since = folder / END, since
        self._owner = re.sub(r'[^ -~]|["\\\\]', "", owner)  # JSON would write these longer
        kept = read_end(folder)
        self._turn = kept.turn if isinstance(kept, Kept) else 0

    def begin(self, end: End) -> None:
        """Write the file as a whole, in the place of any other."""
        self._turn += 1
        with replacing(self._path, alone=True) as file:
            file.write(2 * self._line(end))

    def write(self, end: End) -> None:
        """Write where the journal ends now; it is on the disk when this returns.

        Raises
        ------
        OSError
            The disk refuses; the end before is still there.
        """
        self._turn += 1
        try:
            descriptor = os.open(self._path, os.O_WRONLY)
        except FileNotFoundError:  # deleted while the campaign ran
            self.begin(end)
            return
        try:
            os.pwrite(descriptor, self._line(end), _SLOT * (self._turn % 2))
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def _line(self, end: End) -> bytes:
        record = {"turn": self._turn, **asdict(end), "since": round(self._since), "owner": ""}
        room = _SLOT - len(line_of(json.dumps(record), "")[0])
        body = json.dumps({**record, "owner": self._owner[:room]})
        padding = " " * (room - len(self._owner[:room]))  # JSON may have spaces before a brace
        return line_of(f"{body[:-1]}{padding}}}", "")[0]

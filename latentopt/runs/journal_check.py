"""Is a journal all there? What its lines, ``journal.end`` and the candidates say together.

Every command that reads a campaign looks here, and so does the process that writes one.
"""

import shlex
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from latentopt.runs.candidates import kept_trials, point_of
from latentopt.runs.journal_end import DAMAGED, END, End, Kept, end_of, read_end
from latentopt.runs.journal_lines import Past, begins_line, count_trials, has_digests, read_lines
from latentopt.runs.journal_lock import JOURNAL

__all__ = ["Look", "look"]

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


@dataclass(frozen=True)
class Look:
    """What was found in a folder.

    Parameters
    ----------
    path
        Where the journal is, or should be.
    past
        What the intact lines of the journal tell.
    exists
        Whether there is a journal.
    kept
        What ``journal.end`` says; None in a folder of an older version, or if it is damaged.
    torn
        Whether the journal ends in a line that was cut short, as a kill or a power failure leaves
        it: that may be repaired.
    beyond
        Trials whose structures are there, and which the journal does not know.
    problem
        Why the journal cannot be trusted, in a line; None if it can.
    acceptable
        Whether the past up to there may be taken for all there is, if somebody asks for that.
    """

    path: Path
    past: Past
    exists: bool
    kept: Kept | None
    torn: bool
    beyond: tuple[int, ...]
    problem: str | None = None
    acceptable: bool = True

    @property
    def notice(self) -> str | None:
        """What is said of an end that was cut short, or cannot be checked; None if it is whole.

        A kill leaves half of a line that nobody was told of. One that ``journal.end`` knows was
        whole once: a file that was cut, or a disk that had not written what it said.
        """
        if self.problem is not None:
            return None
        if not self.torn:
            return self._unchecked
        torn = f"{self.path}: its last line is torn, and is left out"
        if self.kept is None and self._unchecked:
            return f"{torn}. {self._unchecked}"
        if self.kept is None or self.kept.end.lines <= len(self.past.events):
            return f"{torn}: a write was cut short; nothing that was reported as done was in it."
        end, now = self.kept.end, end_of(self.past)
        lost = [_trials(now.trials, end.trials - 1)] if end.trials > now.trials else []
        lost += [f"{end.ended - now.ended} results"] if end.ended - now.ended > 1 else []
        lost += ["1 result"] if end.ended - now.ended == 1 else []
        return (
            f"{torn}, though {END} knows it as whole: {' and '.join(lost) or 'a change'} that had "
            "been recorded will be done again. If you have a copy of the folder, restore the file."
        )

    @property
    def _unchecked(self) -> str | None:
        """Nobody can tell whether lines are missing; a folder of an older version never could."""
        if self.kept is not None or not has_digests(self.past.events):
            return None
        number = _lines(len(self.past.events))
        return (
            f"{self.path.with_name(END)}: is missing or empty, so whether the journal has its last "
            f"lines cannot be checked; it holds {number}."
        )


def look(folder: Path) -> Look:
    """Look at a campaign's folder, also while another process writes to it.

    Raises
    ------
    OSError
        The journal cannot be read.
    """
    # Before the journal: a line of it comes first, then what journal.end says, then candidates.
    there, kept = kept_trials(folder), read_end(folder)
    try:
        raw, exists = (folder / JOURNAL).read_bytes(), True
    except FileNotFoundError:
        raw, exists = b"", False
    past, end = read_lines(raw), kept.end if isinstance(kept, Kept) else None
    known = end is not None and _is_next(past, end)  # the line that does not fit was whole once
    torn = bool(past.rest) and not past.changed and not (known and len(raw) >= end.size)
    asked = end.trials if torn and known else count_trials(past.events)[0]
    beyond = _unknown(folder, [index for index in there if index >= asked], past.events)
    kept_end = kept if isinstance(kept, Kept) else None
    found = Look(folder / JOURNAL, past, exists, kept_end, torn, beyond)
    if past.rest and (edited := _edited(folder, raw, past)):
        return replace(found, problem=edited, acceptable=False)
    return replace(found, problem=_problem(folder, found, kept == DAMAGED))


def _is_next(past: Past, end: End) -> bool:
    """Whether what follows the intact lines is, or was, the last line that `end` knows."""
    one_more = end.lines == len(past.events) + 1
    return one_more and bool(past.rest) and begins_line(past.rest, end.digest)


def _unknown(
    folder: Path, indices: Iterable[int], events: Iterable[Mapping[str, Any]]
) -> tuple[int, ...]:
    """Those of the structures that are no copies of one whose trial the journal knows."""
    indices = tuple(indices)
    if not indices:
        return ()
    asked = (trial for event in events if event.get("kind") == "ask" for trial in event["trials"])
    points = {np.array(trial["z"], dtype=np.float64).tobytes() for trial in asked}
    return tuple(index for index in indices if point_of(folder, index) not in points)


def _problem(folder: Path, found: Look, end_is_damaged: bool) -> str | None:
    past, kept, path = found.past, found.kept, folder / JOURNAL
    lines = len(past.events)
    accept = f"latentopt repair {shlex.quote(str(folder))} --accept-shorter-past"
    if past.rest and not found.torn:
        return (
            f"{path}: line {lines + 1} of {past.lines} is damaged; restore the file from a copy, "
            f"or keep only the {_lines(lines)} before it (head -n {lines}) with: {accept}"
        )
    if end_is_damaged:
        return (
            f"{folder / END}: is damaged, so nobody can tell whether the journal's end is there. "
            f"Restore it from a copy of the whole folder, or take the {_lines(lines)} that the "
            f"journal has for all there are with: {accept}"
        )
    missing = _missing(found, None if kept is None else kept.end, folder)
    if missing is None:
        return None
    return (
        f"{path}: {missing}. Restore the file from a copy (if this folder was copied while its "
        "campaign ran: copy it again), or give up what is missing and go on from the shorter past "
        f"with: {accept}"
    )


def _missing(found: Look, end: End | None, folder: Path) -> str | None:
    """What is missing of the journal, and who says so; None if nothing is."""
    past, now = found.past, end_of(found.past)
    holds = f"holds {_lines(now.lines)}" if found.exists else "is missing"
    if end is not None and end.lines > now.lines and not (found.torn and _is_next(past, end)):
        lost = [f"{end.lines - now.lines} from line {now.lines + 1} on"]
        if end.trials > now.trials:
            lost.append(_trials(now.trials, end.trials - 1))
        if end.ended > now.ended:
            lost.append(f"{end.ended - now.ended} of {end.ended} results")
        had = f"{holds}, where {END} knows of {end.lines}"
        return f"{had}: the end is missing ({', '.join(lost)})"
    if end is not None and 0 < end.lines <= now.lines and past.digests[end.lines - 1] != end.digest:
        return (
            f"line {end.lines} is another one than {END} knows: the two files come from different "
            "campaigns or copies"
        )
    if found.beyond:
        first, last = found.beyond[0], found.beyond[-1]
        return (
            f"{holds} and knows of {now.trials} trials, but candidates/ has the structures of "
            f"{_trials(first, last)}: the end is missing"
        )
    return None


def _lines(number: int) -> str:
    return "1 line" if number == 1 else f"{number} lines"


def _trials(first: int, last: int) -> str:
    return f"trial {first}" if first == last else f"trials {first} to {last}"


def _edited(folder: Path, raw: bytes, past: Past) -> str | None:
    """What an editor did to a journal that reads on without that."""
    plain = raw.removeprefix(_BYTE_ORDER_MARK).replace(b"\r\n", b"\n")
    if plain == raw or len(read_lines(plain).events) <= len(past.events):
        return None
    return (
        f"{folder / JOURNAL}: an editor has changed its line ends to CR LF, or put a byte order "
        "mark in front. Save it with LF line ends as plain UTF-8 (dos2unix does both); then the "
        "campaign goes on."
    )

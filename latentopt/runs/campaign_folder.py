"""What belongs to a campaign in its folder, and whether a folder may become one."""

import os
from collections.abc import Iterator
from pathlib import Path

from latentopt.errors import OutputError
from latentopt.runs.candidates import kept_trials

__all__ = ["campaign_files", "check_campaign_folder"]

_JOURNAL, _LOCK = "journal.jsonl", "campaign.lock"
_END = "journal.end"
_FILES = (_JOURNAL, _END, "journal.torn", "journal.rescued", _LOCK)
_FOLDERS = ("candidates", "simulations", "spaces")
_BEGINNING = {_JOURNAL: b'{"h": "', _LOCK: b"process "}  # of our lines
_LOOKED_AT = 2**20  # bytes


def campaign_files(folder: Path) -> Iterator[Path]:
    """Files and folders that the campaign of a folder consists of; not its report and exports."""
    yield from (folder / name for name in (*_FILES, *_FOLDERS) if (folder / name).exists())


def check_campaign_folder(folder: Path) -> None:
    """Refuse to begin a campaign among files of its names that are not of a campaign.

    Where something says that a campaign was here, `latentopt.runs.journal.Journal` has the word.

    Raises
    ------
    OutputError
        Naming them.
    """
    if (folder / _END).exists() or kept_trials(folder):
        return
    for name, beginning in _BEGINNING.items():
        if not _has_line(folder / name, beginning):
            raise OutputError(
                f"{folder / name}: is there already, and not of a campaign; choose another folder."
            )
    if (folder / _JOURNAL).exists():
        return
    for path in campaign_files(folder):
        if path.name != _LOCK and not _is_empty(path):
            raise OutputError(
                f"{path}: is there already, but no {_JOURNAL}, so it is not known to be of a "
                f"campaign; choose another folder, or put its {_JOURNAL} back."
            )


def _has_line(path: Path, beginning: bytes) -> bool:
    """Whether a file may be ours: it is not there, empty, cut short, or has a line that is ours."""
    if not path.is_file():
        return not os.path.lexists(path)
    with path.open("rb") as file:
        lines = file.read(_LOOKED_AT).splitlines()
    return not lines or any(
        line and (line.startswith(beginning) or beginning.startswith(line)) for line in lines
    )


def _is_empty(path: Path) -> bool:
    return path.is_dir() and not any(path.iterdir())

"""The campaigns of a folder, each read once and then followed."""

import asyncio
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from latentopt.errors import CampaignError
from latentopt.printable import one_line
from latentopt.runs.journal_lock import JOURNAL
from latentopt.runs.run import Run
from latentopt.serve.following import Followed
from latentopt.serve.problems import Problem

__all__ = ["Runs", "without"]


@dataclass(eq=False)
class Watched:
    """A campaign, and who looks at it: one at a time."""

    followed: Followed
    lock: threading.Lock = field(default_factory=threading.Lock)

    def look(self) -> tuple[Run, list[Any]]:
        """The campaign and its events; the thread holds the lock, also if nobody waits for it."""
        with self.lock:
            return self.followed.run(), list(self.followed.events)


class Runs:
    """The campaigns of a folder, by the names of their folders.

    Parameters
    ----------
    folder
        Of one campaign or of several; None if none are shown.
    """

    def __init__(self, folder: Path | None) -> None:
        self.folder = folder
        self.streams = 0
        self._watched: dict[str, Watched] = {}

    def ids(self) -> list[str]:
        """Those that are there now: a folder that has a journal."""
        return sorted(self._folders())

    async def look(self, id: str) -> tuple[Run, list[Any]]:
        """A campaign and its events, as they are now.

        Raises
        ------
        Problem
            (404.) There is none of this name, or (409) its journal is damaged.
        """
        folders = await asyncio.to_thread(self._folders)
        if id not in folders:  # it is looked for among those that are there, and no path is made
            raise Problem(404, "there is no campaign of this name; GET /v1/runs lists them")
        watched = self._watched.setdefault(id, Watched(Followed(folders[id])))
        try:
            return await asyncio.to_thread(watched.look)
        except CampaignError as error:
            raise Problem(409, without(folders[id], error)) from None
        except OSError:  # it is moved or deleted just now
            raise Problem(404, "the folder of this campaign cannot be read any more") from None

    def _folders(self) -> dict[str, Path]:
        if self.folder is None:
            return {}
        if (self.folder / JOURNAL).is_file():
            name = self.folder.resolve().name
            return {name if name and is_text(name) else "campaign": self.folder}
        try:
            inside = list(self.folder.iterdir())
        except OSError:
            return {}
        # One whose name is no text (not UTF-8) cannot be named in JSON.
        return {one.name: one for one in inside if is_text(one.name) and _has_journal(one)}


def _has_journal(folder: Path) -> bool:
    """Whether a folder is that of a campaign; one that we may not look into is none."""
    try:
        return (folder / JOURNAL).is_file()
    except OSError:
        return False


def without(folder: Path, error: Exception) -> str:
    """What is wrong with a campaign, without the place where it lies."""
    return one_line(str(error).replace(str(folder), folder.name or "the campaign"))


def is_text(name: str) -> bool:
    """Whether a name can be written in UTF-8."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True

"""A campaign that is watched: of its journal only what is new is read."""

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from latentopt.runs.journal import read_events
from latentopt.runs.journal_lines import event_of
from latentopt.runs.journal_lock import JOURNAL
from latentopt.runs.run import Run

__all__ = ["Followed"]


@dataclass(eq=False)
class Followed:
    """The events of one campaign's folder, as far as they have been read.

    Parameters
    ----------
    folder
        Of the campaign.
    """

    folder: Path
    events: list[dict[str, Any]] = field(default_factory=list)
    _size: int = 0
    _digest: str = ""
    _identity: tuple[int, int] | None = None
    _run: Run | None = None

    def update(self) -> int:
        """Read what has been written since; the number of events in all.

        What was read before is not looked at again, unless the file is another one or shorter.

        Raises
        ------
        CampaignError, JournalError
            There is no campaign, or its journal is damaged.
        """
        path = self.folder / JOURNAL
        try:
            found = os.stat(path)
        except OSError:
            found = None
        identity = None if found is None else (found.st_dev, found.st_ino)
        if found is None or identity != self._identity or found.st_size < self._size:
            self._begin(path)
        elif found.st_size > self._size:
            self._go_on(path)
        return len(self.events)

    def run(self) -> Run:
        """All that is known now; a `CampaignError` if no campaign has begun."""
        self.update()
        if self._run is None:
            self._run = Run.of_events(self.folder, self.events)
        return self._run

    def _begin(self, path: Path) -> None:
        self.events, self._run = list(read_events(self.folder)), None
        found = os.stat(path)
        self._identity = (found.st_dev, found.st_ino)
        self._size, self._digest = 0, ""
        with path.open("rb") as file:
            for _ in self.events:
                line = file.readline()
                self._size += len(line)
                self._digest = line[7:23].decode()

    def _go_on(self, path: Path) -> None:
        with path.open("rb") as file:
            file.seek(self._size)
            for line in file:
                if not line.endswith(b"\n"):
                    return  # it is being written
                event = event_of(line, self._digest)
                if event is None:
                    self._begin(path)  # which says what is wrong
                    return
                self.events.append(event)
                self._size, self._digest = self._size + len(line), line[7:23].decode()
                self._run = None

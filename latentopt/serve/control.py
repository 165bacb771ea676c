"""A campaign that is told to end, or to go on: what a service does only if it was allowed to."""

import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import IO

from latentopt.errors import CampaignError
from latentopt.printable import one_line
from latentopt.runs.journal_lock import JOURNAL, lock_holder

__all__ = ["Control"]

_MOST = 4000  # bytes of what a process says of its end


class Control:
    """The processes that were started for campaigns, which go on when the service ends."""

    def __init__(self) -> None:
        self._started: dict[Path, tuple[subprocess.Popen[bytes], IO[bytes]]] = {}

    def drain(self, folder: Path) -> str:
        """Ask the process that runs a campaign to finish what is under way, and end.

        Returns
        -------
        The name of the process.

        Raises
        ------
        CampaignError
            None runs it, or it is on another machine.
        """
        holder = lock_holder(folder)
        if holder is None:
            raise CampaignError("no process runs this campaign")
        found = re.fullmatch(r"process (\d+) on (.*)", holder[0])
        if found is None or found[2] != socket.gethostname():
            raise CampaignError(f"{holder[0]} runs it, which cannot be reached from here")
        number = int(found[1])
        if not _has_open(number, folder / JOURNAL):
            raise CampaignError(f"{holder[0]} is not the one that runs it; stop it by hand")
        try:
            os.kill(number, signal.SIGUSR1)
        except OSError as error:
            raise CampaignError(f"{holder[0]} cannot be reached ({error.strerror})") from None
        return holder[0]

    def go_on(self, folder: Path, trials: int) -> None:
        """Start a process that goes on with a campaign until so many trials are evaluated.

        Raises
        ------
        CampaignError
            A process runs it already.
        """
        if (holder := lock_holder(folder)) is not None:
            raise CampaignError(f"{holder[0]} runs this campaign; let it end first")
        self._forget(folder)
        said = tempfile.TemporaryFile()
        command = [sys.executable, "-m", "latentopt.serve.go_on", str(folder), str(trials)]
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=said,
            start_new_session=True,
        )
        self._started[folder] = process, said

    def problem(self, folder: Path) -> str | None:
        """Why the process that was started for a campaign failed; None if it did not."""
        if folder not in self._started:
            return None
        process, said = self._started[folder]
        if process.poll() in (None, 0):
            return None
        said.seek(max(0, said.seek(0, os.SEEK_END) - _MOST))
        lines = said.read().decode(errors="replace").strip().splitlines()
        return one_line(lines[-1]) if lines else f"it ended with code {process.returncode}"

    def _forget(self, folder: Path) -> None:
        if folder in self._started:
            process, said = self._started.pop(folder)
            process.poll()
            said.close()


def _has_open(process: int, path: Path) -> bool:
    """Whether a process has a file open, where the system tells; True where it does not."""
    folder = Path("/proc", str(process), "fd")
    if not Path("/proc/self/fd").is_dir():
        return True
    try:
        return any(os.path.samefile(one, path) for one in folder.iterdir() if one.exists())
    except OSError:
        return False

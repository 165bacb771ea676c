"""One command with everything it starts, ended as a whole."""

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

__all__ = ["run_in_group"]

_GUARD = Path(__file__).with_name("guard.py")
_GRACE_S = 2.0  # between asking a group to end and killing it


def run_in_group(
    command: Sequence[str],
    folder: Path,
    timeout_s: float,
    environment: Sequence[str] | None = None,
) -> int | None:
    """Run a command in a folder; its exit code, or None if it took longer than `timeout_s`.

    The command and all it starts form a process group, which is gone when this returns or raises.
    On a timeout it gets SIGTERM and, when the command has ended or two seconds have passed,
    SIGKILL. The group is also killed if this process dies, whichever way. Only a child that leaves
    the group (``setsid``) gets away. Standard output and error go to ``stdout.txt`` and
    ``stderr.txt`` in the folder.

    Parameters
    ----------
    command, folder, timeout_s
        What is run, where, and how long at most.
    environment
        Names of the variables that the command gets, beside a few that all programs need; ``A*``
        stands for all that begin with A. All variables if None.

    Returns
    -------
    The exit code, negative for a signal; None after a timeout.

    Raises
    ------
    OSError
        The command cannot be started, or the files not written.
    """
    ours, theirs = socket.socketpair()
    with (
        ours,
        (folder / "stdout.txt").open("wb") as stdout,
        (folder / "stderr.txt").open("wb") as stderr,
    ):
        with theirs:
            guard = subprocess.Popen(
                [sys.executable, "-I", "-S", str(_GUARD), json.dumps(environment), *command],
                cwd=folder,
                stdin=theirs.fileno(),
                stdout=stdout,
                stderr=stderr,
                start_new_session=True,
            )
        try:
            answer = _answer(ours, timeout_s)
            if answer is None:
                os.killpg(guard.pid, signal.SIGTERM)
                _answer(ours, _GRACE_S)
        finally:
            # The guard is waited for only now: until then its number names this group and no other.
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(guard.pid, signal.SIGKILL)
            guard.wait()
    if answer is None:
        return None
    if answer.startswith("!"):
        raise OSError(f"{command[0]} cannot be started ({answer[1:]})")
    return int(answer or -signal.SIGKILL)  # no answer: the guard was killed with its group


def _answer(link: socket.socket, timeout_s: float) -> str | None:
    link.settimeout(timeout_s)
    try:
        return link.recv(1000).decode()
    except TimeoutError:
        return None
    except ConnectionError:
        return ""

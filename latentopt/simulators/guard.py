"""Runs one command, and kills it with all its children should the process that asked for it die.

Started as ``python -I -S guard.py VARIABLES COMMAND...`` at the head of a process group of its own,
with a socket as standard input. VARIABLES is JSON: the names of the environment variables that the
command gets, ``A*`` for all that begin with A, or null for all variables. It answers on the socket
with the exit code, or ``!`` and why the command could not be started. A closed socket says that
nobody waits for the answer any more. It is a program of its own, not a module to import, and needs
the standard library only.
"""

import json
import os
import signal
import socket
import subprocess
import sys
import threading

_ALWAYS = ("PATH", "HOME", "USER", "LANG", "LC_*", "TZ", "TMPDIR")


def main() -> None:
    """Run the command to its end, or to that of the process that waits for it."""
    # A handler, not SIG_IGN, which the command would inherit: SIGTERM is for the command alone.
    signal.signal(signal.SIGTERM, lambda *_: None)
    link = socket.socket(fileno=os.dup(0))
    threading.Thread(target=_end_with, args=(link,), daemon=True).start()
    try:
        process = subprocess.Popen(
            sys.argv[2:], stdin=subprocess.DEVNULL, env=_environment(json.loads(sys.argv[1]))
        )
        answer = str(process.wait())
    except OSError as error:
        answer = f"!{error.strerror}"
    link.sendall(answer.encode())


def _environment(names: "list[str] | None") -> "dict[str, str] | None":
    """The variables of these names, and those that all programs need."""
    if names is None:
        return None
    wanted = [*_ALWAYS, *names]
    return {
        name: value
        for name, value in os.environ.items()
        if any(name == w or (w.endswith("*") and name.startswith(w[:-1])) for w in wanted)
    }


def _end_with(link: socket.socket) -> None:
    try:
        link.recv(1)  # nothing is ever sent: this returns when the other end is gone
    finally:
        os.killpg(0, signal.SIGKILL)


if __name__ == "__main__":
    main()

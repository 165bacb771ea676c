"""Runs one command, and kills it with all its children should the process that asked for it die.

Started as ``python -I -S guard.py COMMAND...`` at the head of a process group of its own, with a
socket as standard input. It answers on the socket with the exit code, or ``!`` and why the command
could not be started. A closed socket says that nobody waits for the answer any more. It is a
program of its own, not a module to import, and needs the standard library only.
"""

import os
import signal
import socket
import subprocess
import sys
import threading


def main() -> None:
    """Run the command to its end, or to that of the process that waits for it."""
    # A handler, not SIG_IGN, which the command would inherit: SIGTERM is for the command alone.
    signal.signal(signal.SIGTERM, lambda *_: None)
    link = socket.socket(fileno=os.dup(0))
    threading.Thread(target=_end_with, args=(link,), daemon=True).start()
    try:
        answer = str(subprocess.Popen(sys.argv[1:], stdin=subprocess.DEVNULL).wait())
    except OSError as error:
        answer = f"!{error.strerror}"
    link.sendall(answer.encode())


def _end_with(link: socket.socket) -> None:
    try:
        link.recv(1)  # nothing is ever sent: this returns when the other end is gone
    finally:
        os.killpg(0, signal.SIGKILL)


if __name__ == "__main__":
    main()

"""The command ``latentopt explore``: the page of a space or a campaign, in a browser."""

import html
import os
import tempfile
import threading
import webbrowser
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from latentopt.cli.options.serving import ExploreOptions
from latentopt.cli.run_space import place_of_space, space_of
from latentopt.cli.serve import check_installed, serve_spaces
from latentopt.printing import print
from latentopt.runs.journal_lock import JOURNAL
from latentopt.runs.run import Run

__all__ = ["explore"]

LOOPBACK = "127.0.0.1"


def explore(options: ExploreOptions) -> None:
    """Serve a space, or a campaign with its space, and open the page."""
    check_installed()
    from latentopt.serve.spaces import ServedSpace, Spaces

    folder = Path(options.target)
    runs, page = None, "/"
    if (folder / JOURNAL).is_file():
        run = Run.read(folder)
        space = space_of(run)
        served = [] if space is None else [ServedSpace(place_of_space(run), space)]
        spaces, runs, page = Spaces(served), folder, "/pages/run.html"
    else:
        spaces = Spaces.load([options.target])
    with _opener() as opened:

        def ready(line: str) -> None:
            line = line.replace("/#", f"{page}#")
            print(line, flush=True)
            if options.browser:
                opened(line)

        serve_spaces(spaces, runs=runs, host=LOOPBACK, port=options.port, ready=ready)


@contextmanager
def _opener() -> Iterator:
    """A function that opens an address in the browser.

    The address has a token, and other users of this machine may see the arguments of a browser: it
    is given a file that only we can read, which leads to the address.
    """
    with tempfile.TemporaryDirectory(prefix="latentopt-") as folder:

        def opened(address: str) -> None:
            path = Path(folder, "open.html")
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with open(descriptor, "w", encoding="utf-8") as file:
                place = html.escape(address, quote=True)
                file.write(f'<!doctype html><meta http-equiv="refresh" content="0;url={place}">')
            # In a thread: a browser in the terminal returns when it is left.
            threading.Thread(target=webbrowser.open, args=[path.as_uri()], daemon=True).start()

        yield opened

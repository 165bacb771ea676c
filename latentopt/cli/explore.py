"""The command ``latentopt explore``: the page of a space or a campaign, in a browser."""

import html
import os
import tempfile
import threading
import webbrowser
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from generative.files.own_files import check_outputs
from latentopt.cli.options.serving import ExploreOptions
from latentopt.cli.run_space import place_of_space, space_of
from latentopt.cli.serve import check_installed, serve_spaces
from latentopt.errors import ConfigError, ModelFileError
from latentopt.files import output_file
from latentopt.printing import print
from latentopt.runs.journal_lock import JOURNAL
from latentopt.runs.run import Run
from latentopt.space.embedded import EMBEDDED
from latentopt.space.named import load_space

__all__ = ["explore"]

LOOPBACK = "127.0.0.1"


def explore(options: ExploreOptions) -> None:
    """Serve a space, or a campaign with its space, and open the page; or write a static one."""
    if options.target not in EMBEDDED:
        _check_folder(Path(options.target))
    if options.static is not None:
        _write_static(options, options.static)
        return
    if options.overwrite:
        raise ConfigError("--overwrite goes with --static, which names the file to write.")
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


def _check_folder(folder: Path) -> None:
    """Refuse what is no folder, or one of several campaigns, with what to do instead."""
    if not folder.is_dir():
        raise ModelFileError(
            f"{folder}: no such folder. Give the folder of a latent space or of a campaign, or one "
            f"of {', '.join(EMBEDDED)}."
        )
    if not (folder / JOURNAL).is_file() and any(folder.glob(f"*/{JOURNAL}")):
        raise ModelFileError(
            f"{folder}: holds several campaigns. Give the folder of one, or show all by latentopt "
            f"serve --runs {folder}."
        )


def _write_static(options: ExploreOptions, out: Path) -> None:
    """Write one page that needs no server."""
    from latentopt.static_explorer import static_page

    if options.port or not options.browser:
        raise ConfigError("--static writes a file and serves nothing; leave out --port, --browser.")
    if Path(options.target, JOURNAL).is_file():
        raise ConfigError(
            f"--static writes a page of a space, and {options.target} is a campaign; latentopt "
            "report writes one of a campaign."
        )
    check_outputs([out], inputs=[options.target], overwrite=options.overwrite)
    page = static_page(load_space(options.target)).encode()
    with output_file(out, overwrite=options.overwrite) as file:
        file.write(page)
    print(f"{out}: {len(page) / 1e6:.1f} MB; open it in a browser, it needs no server")


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

"""How far a long list of work has come, on the terminal or in a log."""

import sys
import time
from collections.abc import Iterable, Iterator
from typing import Any

from latentopt.printing import print

__all__ = ["shown"]

SECONDS_BETWEEN_LINES = 5.0


def shown(items: Iterable[Any], n: int, title: str) -> Iterator[Any]:
    """The items, their number shown as they come: a bar, or a line now and then in a log."""
    if sys.stderr.isatty():
        from rich.console import Console
        from rich.progress import track

        yield from track(
            items, description=title, total=n, console=Console(stderr=True), transient=True
        )
        return
    printed = time.monotonic()
    for done, item in enumerate(items, 1):
        yield item
        if time.monotonic() - printed > SECONDS_BETWEEN_LINES:
            print(f"{title}: {done}/{n}", file=sys.stderr, flush=True)
            printed = time.monotonic()

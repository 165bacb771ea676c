"""How far a long command has come: a bar in a terminal, lines in a log, both on standard error."""

import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, track

from latentopt.printable import printable
from latentopt.printing import print

__all__ = ["counted", "now_and_then", "over_itself", "shown", "time_left"]

SECONDS_BETWEEN_LINES = 5.0


def shown(items: Iterable[Any], n: int, title: str) -> Iterator[Any]:
    """The items, their number shown as they come: a bar, or a line now and then in a log."""
    if sys.stderr.isatty():
        console = Console(stderr=True)
        yield from track(items, description=title, total=n, console=console, transient=True)
        return
    say = now_and_then()
    for done, item in enumerate(items, 1):
        yield item
        say(f"{title}: {done}/{n}")


@contextmanager
def counted(steps: int) -> Iterator[Callable[[str], None]]:
    """A function that is told each step as it begins: a bar, or a line for each in a log."""
    terminal = sys.stderr.isatty()
    text = TextColumn("{task.description}", markup=False)
    columns = (BarColumn(), MofNCompleteColumn(), text)
    with Progress(*columns, console=Console(stderr=True), disable=not terminal) as bar:
        task = bar.add_task("", total=steps, completed=-1)
        begun = 0

        def show(step: str) -> None:
            nonlocal begun
            begun += 1
            if terminal:
                bar.update(task, completed=begun - 1, description=printable(step))
            else:
                print(f"{begun}/{steps} {step}", file=sys.stderr, flush=True)

        yield show
        bar.update(task, completed=steps, description="")


def now_and_then() -> Callable[[str], None]:
    """A function that prints a line, but not more often than every few seconds."""
    last = time.monotonic()

    def show(text: str) -> None:
        nonlocal last
        if time.monotonic() - last > SECONDS_BETWEEN_LINES:
            last = time.monotonic()
            print(text, file=sys.stderr, flush=True)

    return show


def time_left(show: Callable[[str], None], what: str) -> Callable[[int, int], None]:
    """A function of the steps done and of all, which shows both and the time that is left."""
    started = time.monotonic()

    def step(done: int, total: int) -> None:
        left = (time.monotonic() - started) / done * (total - done)
        show(f"{what} {done}/{total}, {left:.0f} s left")

    return step


def over_itself(what: str) -> Callable[[int, int], None] | None:
    """A function of what is done and of all, one line in a terminal; None in a log."""

    def show(done: int, total: int) -> None:
        end = "\n" if done == total else "\r"
        print(f"{what} {done} of {total}", end=end, file=sys.stderr)

    return show if sys.stderr.isatty() else None

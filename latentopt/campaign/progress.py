"""What a running campaign shows."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol, runtime_checkable

from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
)

from latentopt.printable import printable
from latentopt.runs.run import Run
from latentopt.runs.verdict import found_briefly


@runtime_checkable
class Show(Protocol):
    """Brings what is shown of a campaign up to date."""

    def __call__(self, text: str | None = None) -> None:
        """Show the campaign as it is now, below `text` if there is any."""
        ...


@contextmanager
def progress_bar(enabled: bool, read: Callable[[], Run]) -> Iterator[Show]:
    """A progress bar, given as the function that brings it up to date with the run it reads.

    What that is given as a text is printed above the bar.
    """
    text = TextColumn("{task.description}", markup=False)
    columns = (BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), text)
    with Progress(*columns, disable=not enabled) as bar:
        task = bar.add_task("", total=None)

        def show(text: str | None = None) -> None:
            if not enabled:
                return
            if text is not None:
                bar.console.print(printable(text), markup=False, highlight=False)
            run = read()
            ended = sum(trial.counts and trial.status != "pending" for trial in run.trials)
            total = max(run.config.trials, ended)
            bar.update(task, completed=ended, total=total, description=_summary(run))

        yield show


def _summary(run: Run) -> str:
    failed = sum(trial.status == "failed" for trial in run.trials)
    found = found_briefly(run)
    return f"{found}, {failed} failed" if failed else found

"""What a person sees of a long training: a bar in a terminal, a line now and then in a log."""

import sys
import time
from types import TracebackType

SECONDS_BETWEEN_LINES = 15.0


class TrainingProgress:
    """Progress with the losses, smoothed over the last steps.

    Parameters
    ----------
    steps
        Steps in all.
    first
        Steps done before, when a run goes on.
    shown
        ``False`` prints nothing.
    title
        What is being trained.
    """

    def __init__(
        self, steps: int, first: int = 0, *, shown: bool = True, title: str = "training"
    ) -> None:
        self.steps, self.first, self.shown, self.title = steps, first, shown, title
        self.smooth: dict[str, float] = {}
        self.noted: dict[str, float] = {}
        self.bar = self.task = None
        self.started = self.printed = time.monotonic()

    def __enter__(self) -> "TrainingProgress":
        if self.shown and self.first:
            line = f"going on from step {self.first} of {self.steps}"
            print(self._prefix() + line, file=sys.stderr)
        if self.shown and sys.stderr.isatty():
            from rich.console import Console
            from rich.progress import (
                BarColumn,
                MofNCompleteColumn,
                Progress,
                TextColumn,
                TimeRemainingColumn,
            )

            self.bar = Progress(
                TextColumn(self.title),
                BarColumn(),
                MofNCompleteColumn(),
                TimeRemainingColumn(),
                TextColumn("{task.fields[losses]}"),
                console=Console(stderr=True),
            )
            self.task = self.bar.add_task("", total=self.steps, completed=self.first, losses="")
            self.bar.start()
        return self

    def update(self, step: int, losses: dict[str, float]) -> None:
        """Steps done so far and the losses of the last one."""
        for name, value in losses.items():
            self.smooth[name] = 0.95 * self.smooth.get(name, value) + 0.05 * value
        if not self.shown:
            return
        if self.bar is not None and self.task is not None:
            self.bar.update(self.task, completed=step, losses=self._losses())
        elif time.monotonic() - self.printed > SECONDS_BETWEEN_LINES or step == self.steps:
            self.printed = time.monotonic()
            rate = (self.printed - self.started) / max(1, step - self.first)
            left = rate * (self.steps - step)
            line = f"{self._prefix()}step {step}/{self.steps}  {self._losses()}  {left:.0f} s left"
            print(line, file=sys.stderr, flush=True)

    def note(self, name: str, value: float) -> None:
        """A figure that comes now and then, shown as it is."""
        self.noted[name] = value

    def _prefix(self) -> str:
        return "" if self.title == "training" else f"{self.title}: "

    def _losses(self) -> str:
        return "  ".join(
            f"{name} {value:.4g}" for name, value in (self.smooth | self.noted).items()
        )

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self.bar is not None:
            self.bar.stop()

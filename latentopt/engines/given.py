"""An executor that was given in Python."""

from concurrent.futures import Executor
from os import cpu_count
from typing import Any, Literal

from pydantic import Field

from latentopt.engines.engine import EngineWithWorkers


class GivenExecutor(EngineWithWorkers):
    """A ready executor in place of an engine; it stays open, as it is not ours to close."""

    kind: Literal["python"] = "python"
    target: str = Field(description="Class of the executor, as module:name.")
    executor: Any = Field(
        exclude=True, description="Executor that runs the evaluations; it stays open afterwards."
    )

    @classmethod
    def of(cls, executor: Executor) -> "GivenExecutor":
        """With as many workers as it says it has, else one a processor."""
        workers = getattr(executor, "_max_workers", None) or cpu_count() or 1
        made_by = type(executor)
        target = f"{made_by.__module__}:{made_by.__qualname__}"
        return cls(target=target, executor=executor, workers=workers)

    def open(self) -> Executor:
        """The same executor each time."""
        return self.executor

    def close(self, executor: Executor) -> None:
        """Leave it to its owner."""

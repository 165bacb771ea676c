"""Evaluations one after the other, in the driver's own process."""

from collections.abc import Callable
from concurrent.futures import Executor, Future
from typing import Any, Literal

from pydantic import Field

from latentopt.engines.engine import Engine


class SerialEngine(Engine):
    """No processes: for evaluations of milliseconds, for debugging, and the same run each time.

    A timeout interrupts Python code in the main thread; it cannot stop a call into compiled code,
    nor anything on Windows or in another thread than the main one.
    """

    kind: Literal["serial"] = "serial"
    workers: Literal[1] = Field(
        1, description="Number of evaluations that run at the same time, which is always 1."
    )

    def open(self) -> Executor:
        """An executor that has finished each call when ``submit`` returns."""
        return SerialExecutor()


class SerialExecutor(Executor):
    """Calls at once; Ctrl-C is not caught."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future:
        """The finished future of the call."""
        future: Future = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except Exception as error:
            future.set_exception(error)
        return future

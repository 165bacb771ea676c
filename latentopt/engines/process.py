"""Worker processes on this machine, each with one evaluation of its own at a time."""

import sys
from collections.abc import Iterable
from concurrent.futures import Executor, Future
from multiprocessing.reduction import ForkingPickler
from typing import Any, Literal

from latentopt.engines.engine import EngineWithWorkers
from latentopt.errors import ConfigError
from latentopt.printable import one_line


class ProcessEngine(EngineWithWorkers):
    """Spawned processes, the default: one that dies or hangs costs its own evaluation only.

    Each loads the objectives once and computes with one thread. A script that uses them calls its
    main function under ``if __name__ == "__main__":``, since each process imports the script.
    """

    kind: Literal["process"] = "process"

    def is_running(self, future: Future, answered: bool) -> bool:
        """Nothing to look after: the pool sees each worker, and sets the limits itself."""
        return False

    def open(self) -> Executor:
        """Processes, which start in the background."""
        from latentopt.engines.process_pool import ProcessPool

        return ProcessPool(self.workers, self.timeout_s, self.start_s)

    def check(self, parts: Iterable[Any]) -> None:
        """Refuse objectives that another process cannot read.

        Raises
        ------
        ConfigError
            It names the first, and says why.
        """
        for part in parts:
            function = getattr(part, "function", part)
            named = function if hasattr(function, "__qualname__") else type(function)
            problem = _why_it_cannot_be_sent(part, named.__module__)
            if problem:
                raise ConfigError(
                    f"{named.__qualname__} cannot be sent to worker processes "
                    f"({problem}); define it at the top of a module, or set engine: serial.",
                    at="campaign.evaluate",
                )


def _why_it_cannot_be_sent(part: Any, module: str) -> str | None:
    if module == "__main__" and not hasattr(sys.modules["__main__"], "__file__"):
        return "it is defined in an interactive session, which they cannot import"
    try:
        ForkingPickler.dumps(part)
    except Exception as error:  # whatever reducing a user's object raises
        return one_line(error)
    return None

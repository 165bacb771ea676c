"""An executor that a function of the user's own makes."""

from concurrent.futures import Executor
from typing import Any, Literal

from pydantic import Field

from latentopt.engines.engine import EngineWithWorkers
from latentopt.errors import ConfigError
from latentopt.settings.spec import import_target


class ImportedEngine(EngineWithWorkers):
    """``{kind: import, target: "package.module:factory"}``, or ``import:package.module:factory``.

    The factory is called for a new executor when the campaign starts, and again should it break.
    A timeout is kept by the worker itself, as far as Python can.
    """

    kind: Literal["import"] = "import"
    target: str = Field(
        pattern=r"^[\w.]+:[\w.]+$",
        description="Function that returns an executor, as package.module:name.",
    )
    options: dict[str, Any] = Field({}, description="Keyword arguments of that function, by name.")
    path: str | None = Field(
        None,
        description="Folder that the module is imported from. null takes the settings file's "
        "folder if the module is there, else the working folder or what is installed.",
    )

    def open(self) -> Executor:
        """What the factory makes.

        Raises
        ------
        ConfigError
            The factory cannot be imported, or returns something else than an executor.
        """
        executor = import_target(self.target, "campaign.engine", self.path)(**self.options)
        if not isinstance(executor, Executor):
            raise ConfigError(
                f"{self.target} should return a concurrent.futures.Executor, "
                f"got {type(executor).__name__}.",
                at="campaign.engine",
            )
        return executor

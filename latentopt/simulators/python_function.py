"""A simulator that is a Python function."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import numpy as np
from pydantic import Field, field_serializer, field_validator

from latentopt.errors import ConfigError
from latentopt.microstructure import Microstructure
from latentopt.settings.spec import import_target
from latentopt.simulators.result import SimulationResult
from latentopt.simulators.simulator import SimulatorSpec


class PythonSimulator(SimulatorSpec):
    """A function of a `Microstructure` that returns values by name, or a `SimulationResult`.

    It runs inside the process that evaluates, and cannot be stopped alone: the engine's timeout
    ends the process. What it raises marks the trial crashed, an `EvaluationError` with an
    attribute ``state`` as that state says.

    >>> simulator = PythonSimulator(target=lambda structure: structure.phase_fractions)
    >>> checker = np.array([[0, 1], [1, 1]], dtype=np.uint8)
    >>> structure = Microstructure(checker, (1e-6, 1e-6), ("pore", "solid"), (True, True))
    >>> dict(simulator(structure, Path("unused")).metrics)
    {'pore': 0.25, 'solid': 0.75}
    """

    kind: Literal["python"] = "python"
    target: Callable[..., Any] | str = Field(
        description="Function that simulates a structure, or its place as package.module:name."
    )
    path: str | None = Field(
        None,
        description="Folder that the module is imported from. null takes the settings file's "
        "folder if the module is there, else the working folder or what is installed.",
    )
    units: dict[str, str] = Field(
        {},
        description="Unit of each metric that the function returns, by the metric's name. Empty "
        "takes all metrics that it returns.",
    )

    @field_validator("target")
    @classmethod
    def _names_a_function(cls, target: object) -> object:
        if isinstance(target, str) and not all(target.partition(":")):
            raise ValueError(f"should be package.module:name, got {target!r}")
        return target

    @field_serializer("target")
    def _where_it_is(self, target: Any) -> str:
        if isinstance(target, str):
            return target
        named = target if hasattr(target, "__qualname__") else type(target)
        return f"{named.__module__}:{named.__qualname__}"

    @property
    def reusable(self) -> bool:
        """Also whether the function's name stands for it alone, not for any lambda or object."""
        return self.cache and (isinstance(self.target, str) or _is_found_by_name(self.target))

    def check(self, where: str) -> None:
        """Import the function; a `ConfigError` if it cannot be."""
        self._function(where)

    def __call__(self, microstructure: Microstructure, folder: Path) -> SimulationResult:
        """The function's result; it leaves `folder` alone."""
        answer = self._function(self.name)(microstructure)
        if isinstance(answer, SimulationResult):
            return answer
        if isinstance(answer, dict):
            answer = {name: _python_number(value) for name, value in answer.items()}
        return SimulationResult.of_metrics(answer, self.units)

    def _function(self, where: str) -> Callable[..., Any]:
        function = self.target
        if isinstance(function, str):
            function = import_target(function, where, self.path)
        if not callable(function):
            raise ConfigError(
                f"{self.target} should be a function of a Microstructure, got "
                f"{type(function).__name__}.",
                at=where,
            )
        return function


def _is_found_by_name(function: Any) -> bool:
    found: Any = sys.modules.get(getattr(function, "__module__", None))
    for part in getattr(function, "__qualname__", "").split("."):
        found = getattr(found, part, None)
    return found is function


def _python_number(value: Any) -> Any:
    """A number of NumPy or torch as Python's own, also in a tuple; anything else as it is."""
    if isinstance(value, tuple):
        return tuple(_python_number(part) for part in value)
    if isinstance(value, bool | int | float | str) or value is None:
        return value
    try:
        return np.asarray(value.tolist()).reshape(-1).item()
    except (AttributeError, ValueError, TypeError):
        return value

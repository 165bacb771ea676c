"""Programs that evaluate structures: a Python function, a command, or a service over HTTP."""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from latentopt.simulators.registry import SIMULATORS
    from latentopt.simulators.result import SimulationResult

__all__ = ["SIMULATORS", "SimulationResult"]

_HOMES = {"SIMULATORS": "registry", "SimulationResult": "result"}


def __getattr__(name: str) -> object:
    # Loaded on first use: importing the package costs no torch.
    if name in _HOMES:
        return getattr(import_module(f"latentopt.simulators.{_HOMES[name]}"), name)
    raise AttributeError(f"module 'latentopt.simulators' has no attribute {name!r}")

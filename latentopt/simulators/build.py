"""Simulators of their specs, objects and functions, made and checked."""

from collections.abc import Iterable, Mapping
from typing import Any

from latentopt.errors import ConfigError, Problem
from latentopt.settings.kinds import ROOT, as_spec
from latentopt.settings.spec import build, spec_of
from latentopt.simulators.python_function import PythonSimulator
from latentopt.simulators.registry import SIMULATORS
from latentopt.simulators.simulator import SaysReady, Simulator

__all__ = ["build_simulators", "resolve_simulators"]


def resolve_simulators(items: Iterable[Any]) -> tuple[tuple[Simulator, ...], tuple[dict, ...]]:
    """Simulators that can start, and their complete specs, of any mix of specs, objects, functions.

    Raises
    ------
    ConfigError
        Lists the problems of all of them, one a line: a wrong setting, a command that does not
        exist, a token that is not set, two of one name.
    """
    simulators, specs = [], []
    problems: list[Problem] = []
    for i, item in enumerate(items):
        where = f"{ROOT}.simulate[{i}]"
        try:
            part = item
            if isinstance(item, str | Mapping):
                part = build(as_spec(item), SIMULATORS, where)
            simulator = _as_simulator(part, where)
            if isinstance(simulator, SaysReady):
                simulator.check(where)
            if simulator.name in [other.name for other in simulators]:
                raise ConfigError(
                    f"another simulator is called {simulator.name}; give this one a label.",
                    at=where,
                )
            simulators.append(simulator)
            specs.append(spec_of(simulator))
        except ConfigError as error:
            problems += error.problems
    if problems:
        raise ConfigError(problems)
    return tuple(simulators), tuple(specs)


def build_simulators(items: Iterable[Any]) -> tuple[Simulator, ...]:
    """Simulators of their specs, as `resolve_simulators` makes them."""
    return resolve_simulators(items)[0]


def _as_simulator(found: Any, where: str) -> Simulator:
    if isinstance(found, Simulator):
        return found
    if not callable(found):
        raise ConfigError(
            f"a simulator should be callable with a Microstructure, got "
            f"{type(found).__name__}; give a function or an object of latentopt.simulators.",
            at=where,
        )

    return PythonSimulator(target=found)

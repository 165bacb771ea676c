"""What a simulation came to, and how a program says so in JSON.

The answer of a program, in ``result.json`` or from a service, is one JSON object::

    {"state": "ok", "metrics": {"yield_stress": 212.5}, "sem": {"yield_stress": 1.5}, "message": ""}

``state`` is one of `STATES`. ``sem`` holds standard errors, of the metrics that have one; a pair
``"yield_stress": [212.5, 1.5]`` says the same. Other fields, and metrics that nobody declared, are
left out: a result of ten hours is not refused for what it says besides. A metric that was declared
and is missing, or is not a finite number, makes the result invalid, and so does a standard error
that is none.
"""

import math
import os
import stat
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from numbers import Real
from pathlib import Path
from typing import Any, Literal, get_args

from generative.files.json_text import parse_json
from latentopt.measurement import Measured, standard_error
from latentopt.printable import one_line

__all__ = ["MAX_BYTES", "STATES", "SimulationResult", "State", "parse_result", "read_result"]

State = Literal["ok", "infeasible", "invalid", "timeout", "crashed", "lost"]
STATES: tuple[str, ...] = get_args(State)
MAX_BYTES = 1_000_000  # a larger answer is none: it holds a few numbers and a message


@dataclass(frozen=True)
class SimulationResult:
    """What a simulator found out about one structure.

    Parameters
    ----------
    state
        ``ok``: the metrics are there. ``infeasible``: the simulator says no to the structure.
        ``invalid``: its values are no numbers. ``timeout``: it took too long. ``crashed``: the
        program failed. ``lost``: the machine or the network failed, which says nothing about the
        structure.
    metrics
        Finite values by name; empty unless ``ok``.
    message
        One line on why, empty if there is nothing to say.
    seconds
        How long it took; None if nobody measured.
    sem
        Standard error of those metrics that have one; None if none has.
    """

    state: State
    metrics: Mapping[str, float] = field(default_factory=dict)
    message: str = ""
    seconds: float | None = None
    sem: Mapping[str, float] | None = None

    @classmethod
    def of_metrics(
        cls, values: Any, wanted: Iterable[str], message: str = "", sem: Any = None
    ) -> "SimulationResult":
        """``ok`` with these values; ``invalid`` if a wanted one is missing or one is no number.

        Parameters
        ----------
        values
            Numbers by name, or tuples of a number and its standard error.
        wanted
            Names that there should be; others are left out. All are taken if none is named.
        message
            Kept if the values are good.
        sem
            Standard errors by name, where they are not in `values`.

        Examples
        --------
        >>> SimulationResult.of_metrics({"a": 1, "b": 2}, ["a"]).metrics
        {'a': 1.0}
        >>> SimulationResult.of_metrics({"a": (1, 0.5)}, ["a"]).sem
        {'a': 0.5}
        >>> SimulationResult.of_metrics({"b": 2}, ["a"]).message
        'metric a is missing; there is b'
        """
        if not isinstance(values, Mapping):
            found = type(values).__name__
            return cls("invalid", message=f"metrics should be numbers by name, got {found}")
        names = list(wanted) or [str(name) for name in values]
        missing = [name for name in names if name not in values]
        if missing:
            there = ", ".join(map(str, values)) or "no other"
            return cls(
                "invalid", message=one_line(f"metric {missing[0]} is missing; there is {there}")
            )
        if sem is not None and not isinstance(sem, Mapping):
            found = type(sem).__name__
            return cls("invalid", message=f"sem should be standard errors by name, got {found}")
        pairs = {name: _pair(values[name], (sem or {}).get(name)) for name in names}
        metrics: dict[str, float] = {}
        errors: dict[str, float] = {}
        for name, (value, error) in pairs.items():
            number = _number(value)
            if number is None or not math.isfinite(number):
                got = one_line(repr(value), 60)
                return cls("invalid", message=f"metric {name} should be a finite number, got {got}")
            metrics[name] = number
            try:
                errors |= {} if error is None else {name: standard_error(name, error)}
            except ValueError as problem:
                return cls("invalid", message=one_line(problem))
        return cls("ok", metrics, message, sem=errors or None)


def parse_result(data: bytes, wanted: Iterable[str], source: str) -> SimulationResult:
    """Result that a program gave as JSON; ``crashed`` if it is none.

    Parameters
    ----------
    data
        The JSON text, at most `MAX_BYTES` of it.
    wanted
        Names of the metrics that an ``ok`` should bring.
    source
        What the text is called in messages.
    """
    if len(data) > MAX_BYTES:
        return SimulationResult("crashed", message=f"{source} is larger than {MAX_BYTES} bytes")
    try:
        record = parse_json(data)
    except ValueError as error:
        return SimulationResult("crashed", message=f"{source} is not JSON ({one_line(error)})")
    state = record.get("state") if isinstance(record, dict) else None
    if state not in STATES:
        got = one_line(repr(record if state is None else state), 80)
        return SimulationResult(
            "crashed", message=f"{source} should have a state of {', '.join(STATES)}, got {got}"
        )
    message = one_line(record.get("message") or "")
    if state == "ok":
        metrics = _with_tuples(record.get("metrics"))
        return SimulationResult.of_metrics(metrics, wanted, message, record.get("sem"))
    return SimulationResult(state, message=message or f"{source} says {state}")


def read_result(path: Path, wanted: Iterable[str]) -> SimulationResult | None:
    """Result in a file; None if there is no file.

    Its size is looked at first, and at most `MAX_BYTES` are read. What is not a plain file, such
    as a pipe that nobody fills, is not opened.
    """
    try:
        found = os.stat(path)
        if not stat.S_ISREG(found.st_mode):
            return SimulationResult("crashed", message=f"{path.name} is not a plain file")
        if found.st_size > MAX_BYTES:
            return SimulationResult(
                "crashed",
                message=f"{path.name} has {found.st_size} bytes, more than {MAX_BYTES}; "
                "leave fields out of it and keep them in files of their own",
            )
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        return None
    except OSError as error:
        return SimulationResult(
            "lost", message=f"{path.name} cannot be read ({one_line(error.strerror)})"
        )
    return parse_result(data, wanted, path.name)


def _with_tuples(metrics: Any) -> Any:
    """Metrics from JSON, which has no tuples: a list of two is a value and its standard error."""
    if not isinstance(metrics, dict):
        return metrics
    return {
        name: tuple(value) if isinstance(value, list) and len(value) == 2 else value
        for name, value in metrics.items()
    }


def _pair(value: Any, sem: Any) -> tuple[Any, Any]:
    """A value and its standard error, if it is known, from either place."""
    if isinstance(value, Measured):
        return float(value), value.sem if sem is None else sem
    if isinstance(value, tuple) and len(value) == 2:
        return value[0], value[1] if sem is None else sem
    return value, sem


def _number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, Real):
        return None
    try:
        return float(value)
    except OverflowError:  # an integer of 400 digits
        return None

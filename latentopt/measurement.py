"""A measured value and its standard error, wherever a metric comes in."""

import math
from collections.abc import Mapping
from numbers import Real
from typing import Any

import numpy as np

from latentopt.printable import one_line

__all__ = [
    "Measured",
    "journaled",
    "number_of",
    "sems_of",
    "standard_error",
    "values_of",
    "with_sems",
]


class Measured(float):
    """A number that has a standard error; in all else it is the number.

    >>> m = Measured(1.5, 0.1)
    >>> m + 1, m.sem, m
    (2.5, 0.1, (1.5, 0.1))
    """

    __slots__ = ("sem",)
    sem: float

    def __new__(cls, value: float, sem: float) -> "Measured":
        """The number with its standard error, 0 or more."""
        made = super().__new__(cls, value)
        made.sem = float(sem)
        return made

    def __reduce__(self) -> tuple[Any, ...]:
        return Measured, (float(self), self.sem)

    def __repr__(self) -> str:
        return f"({float(self)!r}, {self.sem!r})"


def number_of(name: str, value: Any) -> float:
    """A metric as a float; a pair of value and standard error as a `Measured`.

    Parameters
    ----------
    name
        Of the metric, for messages.
    value
        A number, an array or tensor of one, or a tuple ``(value, standard error)`` of such. The
        error may be None, where it is not known. A list or an array of two numbers is no pair:
        an objective answers a row an image with one, and two rows for one image are a mistake.

    Raises
    ------
    ValueError
        The message says what is wrong with the metric.

    Examples
    --------
    >>> number_of("k_xx", (9.5, 0.5)), number_of("k_xx", [9.5])
    ((9.5, 0.5), 9.5)
    >>> number_of("k_xx", [9.5, 0.5])
    Traceback (most recent call last):
        ...
    ValueError: k_xx is not one number, got list of 2 values for one structure
    """
    if isinstance(value, Measured):
        return value
    if not (isinstance(value, tuple) and len(value) == 2):
        return _one(name, value)
    mean, sem = value
    mean = _one(name, mean)
    return mean if sem is None else Measured(mean, standard_error(name, sem))


def standard_error(name: str, value: Any) -> float:
    """The standard error of a metric; a ``ValueError`` says why it is none."""
    found = value.tolist() if hasattr(value, "tolist") else value
    while isinstance(found, list) and len(found) == 1:
        found = found[0]
    if isinstance(found, bool) or not isinstance(found, Real):
        raise ValueError(f"the standard error of {name} should be a number, got {found!r}")
    sem = float(found)
    if not (math.isfinite(sem) and sem >= 0):
        raise ValueError(f"the standard error of {name} should be 0 or more, got {sem:g}")
    return sem


def values_of(metrics: Mapping[str, float]) -> dict[str, float]:
    """The numbers alone."""
    return {name: float(value) for name, value in metrics.items()}


def sems_of(metrics: Mapping[str, float]) -> dict[str, float]:
    """Standard errors of those metrics that have one."""
    return {name: value.sem for name, value in metrics.items() if isinstance(value, Measured)}


def journaled(metrics: Mapping[str, float]) -> dict[str, dict[str, float]]:
    """The metrics as a journal keeps them: values, and standard errors where there are any.

    >>> journaled({"a": Measured(1.0, 0.5), "b": 2.0})
    {'metrics': {'a': 1.0, 'b': 2.0}, 'sem': {'a': 0.5}}
    """
    sems = sems_of(metrics)
    return {"metrics": values_of(metrics)} | ({"sem": sems} if sems else {})


def with_sems(metrics: Mapping[str, float], sems: Mapping[str, float]) -> dict[str, float]:
    """The metrics, those that have a standard error as `Measured`."""
    return {
        name: Measured(value, sems[name]) if name in sems else value
        for name, value in metrics.items()
    }


def _one(name: str, value: Any) -> float:
    try:
        array = value.tolist() if hasattr(value, "tolist") else value  # NumPy has no bfloat16
        return float(np.asarray(array).reshape(-1).item())
    except (TypeError, ValueError, OverflowError):
        raise ValueError(f"{name} is not one number, got {_shown(value)}") from None


def _shown(value: Any) -> str:
    """A text as it is; of an array or list how many values it has."""
    if value is None or isinstance(value, str | bytes | complex):
        return one_line(repr(value), 60)
    count = len(value) if isinstance(value, list | tuple) else None
    if hasattr(value, "shape"):
        count = math.prod(value.shape)
    return type(value).__name__ + ("" if count is None else f" of {count} values for one structure")

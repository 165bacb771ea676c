"""A history in numbers without units: searches do not depend on what is measured in which unit.

Each metric is divided by its largest size, each objective and each margin by its largest term. The
results are rounded to nine digits of what they vary by. The same measurements in pascals and in
gigapascals are then the same numbers to the last bit, and an ascent, which magnifies the smallest
difference, ends at the same points. Nor does anything overflow.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float64
from torch import Tensor

from latentopt.goal import Constraint, Distance, Goal, Linear
from latentopt.history import History

__all__ = ["UnitFree", "spread", "spread_of_best"]

_BITS = 32  # of each number are kept: a change of the unit changes the last two or three of 53
_CONSTANT = 1e-12  # of its size: a metric that varies by less is one number, up to rounding
_OUT = 10.0  # median distances from the median: of a normal distribution, 7 standard deviations
_LARGEST = 1e300
_LEAST = 1e-300  # of the largest size; what is smaller counts as this, and keeps its sign
_KNOWN = "distance_from_data"  # has a unit of its own: it is computed, not modelled


@dataclass(frozen=True, eq=False)
class UnitFree:
    """A history without units, and the units.

    Parameters
    ----------
    history
        The same points; metrics and goal are numbers of size 1.
    units
        What 1 of each metric is in its own unit.
    objective_units
        What 1 of each objective is in its own unit.
    """

    history: History
    units: Mapping[str, float]
    objective_units: tuple[float, ...]

    @classmethod
    def of(cls, history: History) -> "UnitFree":
        """The history without units; metrics that the goal does not need are left out."""
        names = history.goal.metrics
        columns = {name: _columns(history, name) for name in names}
        units = {name: _unit(name, values) for name, values in columns.items()}
        goal, objective_units = _goal(history.goal, units)
        free = replace(
            history,
            goal=goal,
            metrics=_scaled(history.metrics, columns, units),
            screened_metrics=_scaled(history.screened_metrics, columns, units),
            sem={n: _digits(sem / units[n]) for n, sem in history.sem.items() if n in units},
            noisy=history.noisy & units.keys(),
        )
        return cls(free, units, objective_units)


def spread(values: Float64[Tensor, " n"]) -> float:
    """What numbers of size 1 vary by; 0 where they differ by rounding alone.

    Their standard deviation, unless a few are so far out that it says nothing of the others: then
    ten times their median distance from the median.
    """
    deviation = _deviation(values)
    if deviation == 0:
        return 0.0
    typical = float((values - values.median()).abs().median())
    return min(deviation, _OUT * typical) if typical > 0 else deviation


def spread_of_best(values: Float64[Tensor, " n"]) -> float:
    """What the better half of some values varies by, the size of further improvements.

    Of a metric over decades these are decades larger or smaller than what the rest varies by.
    """
    deviation = _deviation(values)
    if deviation == 0:
        return 0.0
    best = values[values >= values.median()]
    upper = float(best.std()) if len(best) > 1 else 0.0
    return upper if upper > _CONSTANT * float(best.abs().max()) else deviation


def _deviation(values: Float64[Tensor, " n"]) -> float:
    deviation = float(values.std()) if len(values) > 1 else 0.0
    constant = deviation <= _CONSTANT * max(1.0, float(values.abs().max())) if deviation else True
    return 0.0 if constant else deviation


def _columns(history: History, name: str) -> Float64[Tensor, " m"]:
    """All values of a metric that are known."""
    known = (history.metrics, history.screened_metrics)
    parts = [metrics[name] for metrics in known if name in metrics]
    return torch.cat(parts) if parts else history.z.new_zeros(0)


def _unit(name: str, values: Float64[Tensor, " m"]) -> float:
    largest = float(values.abs().max()) if len(values) else 0.0
    return 1.0 if largest == 0 or name == _KNOWN else largest


def _scaled(
    metrics: Mapping[str, Tensor], columns: Mapping[str, Tensor], units: Mapping[str, float]
) -> dict[str, Tensor]:
    return {
        name: _rounded(metrics[name] / units[name], columns[name] / units[name])
        for name in units
        if name in metrics
    }


def _rounded(values: Float64[Tensor, " n"], among: Float64[Tensor, " m"]) -> Float64[Tensor, " n"]:
    """Values to so many bits of what they vary by, or of their own size where that is less."""
    if len(values) == 0:
        return values
    values = torch.where(values == 0, values, values.sign() * values.abs().clamp_min(_LEAST))
    varies = float(among.max() - among.min())
    if varies <= _CONSTANT * float(among.abs().max()):
        return among[:1].sign().expand(len(values)).clone()
    return _digits(values, values.abs().clamp_max(varies))


def _digits(values: Float64[Tensor, " n"], of: Tensor | None = None) -> Float64[Tensor, " n"]:
    """Values to so many bits of their own size, or of other sizes."""
    exponent = torch.frexp(values if of is None else of).exponent
    # A power of two: divided by it, a number keeps its digits.
    step = torch.ldexp(torch.ones_like(values), exponent - _BITS)
    return torch.where(values == 0, values, (values / step).round() * step)


def _goal(goal: Goal, units: Mapping[str, float]) -> tuple[Goal, tuple[float, ...]]:
    objectives, scales = zip(*(_objective(form, units) for form in goal.objectives), strict=True)
    constraints = tuple(
        Constraint(c.text, _form(c.margin, units, _size(c.margin, units))) for c in goal.constraints
    )
    return Goal(tuple(objectives), constraints), tuple(scales)


def _objective(
    form: Linear | Distance, units: Mapping[str, float]
) -> tuple[Linear | Distance, float]:
    if isinstance(form, Linear):
        size = _size(form, units)
        return _form(form, units, size), size
    size = max(_size(part, units) for part in form.forms)
    forms = tuple(_form(part, units, size) for part in form.forms)
    unit = min(abs(form.factor) * size, _LARGEST)
    return Distance(forms, math.copysign(1.0, form.factor)), unit


def _size(form: Linear, units: Mapping[str, float]) -> float:
    """The largest term of a form; 1 where all are 0."""
    terms = [abs(weight) * units[name] for name, weight in form.weights.items()]
    return min(max([*terms, abs(form.constant)]), _LARGEST) or 1.0


def _form(form: Linear, units: Mapping[str, float], size: float) -> Linear:
    weights = {
        name: _number(_ratio(weight, units[name], size)) for name, weight in form.weights.items()
    }
    return Linear(weights, _number(form.constant / size))


def _ratio(weight: float, unit: float, size: float) -> float:
    product = weight * unit
    return product / size if math.isfinite(product) else weight / size * unit


def _number(value: float) -> float:
    """A weight to so many bits of its own size."""
    mantissa, exponent = math.frexp(value)
    return math.ldexp(round(math.ldexp(mantissa, _BITS)), exponent - _BITS)

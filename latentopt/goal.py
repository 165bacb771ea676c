"""Objective and constraint strings to linear forms of the metrics, without evaluating any code.

The strings are Ax's: an objective is maximized (a leading minus minimizes), commas separate several
objectives, and a constraint compares two linear forms with ``<=`` or ``>=``. Ours alone is
``-distance(k_xx - 12, k_yy - 4)``, for a search that is to match several values at once.
"""

import ast
import math
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from latentopt.errors import ConfigError
from latentopt.wording import nearest

__all__ = ["Constraint", "Distance", "Goal", "Linear"]

_MAX_CHARACTERS = 1000  # a longer expression is a mistake, and deep nesting would exhaust the stack


@dataclass(frozen=True)
class Linear:
    """A linear form of named metrics: ``constant + sum(weights[name] * metrics[name])``.

    >>> Linear({"k_xx": 1.0, "k_yy": -2.0})({"k_xx": 10.0, "k_yy": 3.0})
    4.0
    """

    weights: Mapping[str, float]
    constant: float = 0.0

    def __call__(self, metrics: Mapping[str, Any]) -> Any:
        """Value of the form for floats, or row by row for arrays of one shape."""
        return sum((w * metrics[name] for name, w in self.weights.items()), self.constant)

    def sem(self, metrics: Mapping[str, Any], sem: Mapping[str, Any]) -> Any:
        """Standard error of the value, of independent errors of the metrics, 0 where none is known.

        >>> Linear({"a": 3.0, "b": -4.0}).sem({"a": 0.0, "b": 0.0}, {"a": 1.0, "b": 1.0})
        5.0
        """
        terms = [abs(weight) * sem[name] for name, weight in self.weights.items() if name in sem]
        return sum((term**2 for term in terms), 0.0) ** 0.5

    def __str__(self) -> str:
        terms = [f"{weight!r}*{name}" for name, weight in self.weights.items()]
        if self.constant:
            terms.append(repr(self.constant))
        return " + ".join(terms)


@dataclass(frozen=True)
class Distance:
    """How far metrics are from a target: ``factor * sqrt(sum(form**2 for form in forms))``.

    As an objective it tells a strategy to model the metrics and to take the distance of what it
    predicts of them, which says more than a model of the distance itself.

    >>> Distance((Linear({"k_xx": 1.0}, -12.0), Linear({"k_yy": 2.0}, -8.0)), -1.0)(
    ...     {"k_xx": 15.0, "k_yy": 6.0}
    ... )
    -5.0
    """

    forms: tuple[Linear, ...]
    factor: float = 1.0

    @property
    def weights(self) -> dict[str, float]:
        """The metrics it depends on; the numbers mean nothing on their own."""
        return {name: self.factor for form in self.forms for name in form.weights}

    def __call__(self, metrics: Mapping[str, Any]) -> Any:
        """Value for floats, or row by row for arrays of one shape."""
        values = [form(metrics) for form in self.forms]
        unit = _power_of_two(values)  # the square of 1e200 is no number, that of 1e-200 is none
        squares = sum(((value / unit) ** 2 for value in values), sys.float_info.min)
        return self.factor * unit * squares**0.5  # never the root of 0, which has no gradient

    def sem(self, metrics: Mapping[str, Any], sem: Mapping[str, Any]) -> Any:
        """Standard error of the value to first order, of independent errors of the metrics."""
        distance = abs(self(metrics)) / abs(self.factor)
        slopes: dict[str, Any] = {}
        for form in self.forms:
            for name, weight in form.weights.items():
                slopes[name] = slopes.get(name, 0.0) + weight * form(metrics) / distance
        terms = [abs(self.factor * slopes[name]) * sem[name] for name in slopes if name in sem]
        return sum((term**2 for term in terms), 0.0) ** 0.5

    def __str__(self) -> str:
        return f"{self.factor!r}*distance({', '.join(map(str, self.forms))})"


@dataclass(frozen=True)
class Constraint:
    """An inequality between metrics, kept as its signed margin: feasible where it is >= 0."""

    text: str
    margin: Linear


@dataclass(frozen=True)
class Goal:
    """What a campaign is after: objectives to maximize, under constraints.

    >>> goal = Goal.parse("k_xx - 2*k_yy", ["volume_fraction <= 0.5"])
    >>> goal.metrics
    ('k_xx', 'k_yy', 'volume_fraction')
    >>> goal.margins({"k_xx": 9.0, "k_yy": 2.0, "volume_fraction": 0.25})
    {'volume_fraction <= 0.5': 0.25}
    """

    objectives: tuple[Linear | Distance, ...]
    constraints: tuple[Constraint, ...] = ()

    @classmethod
    def parse(cls, objective: str, constraints: Iterable[str] = ()) -> "Goal":
        """Goal from the two kinds of string; raises `ConfigError` naming the piece at fault."""
        return cls(parse_objectives(objective), tuple(parse_constraint(c) for c in constraints))

    @property
    def metrics(self) -> tuple[str, ...]:
        """Names of all metrics the goal needs, in order of first appearance."""
        forms = (*self.objectives, *(constraint.margin for constraint in self.constraints))
        return tuple(dict.fromkeys(name for form in forms for name in form.weights))

    def values(self, metrics: Mapping[str, Any]) -> tuple[Any, ...]:
        """Value of each objective, larger is better."""
        return tuple(objective(metrics) for objective in self.objectives)

    def margins(self, metrics: Mapping[str, Any]) -> dict[str, Any]:
        """Signed margin of each constraint by its text, feasible where >= 0."""
        return {constraint.text: constraint.margin(metrics) for constraint in self.constraints}

    def unknown_metrics(self, known: Iterable[str]) -> list[str]:
        """One line for each metric of the goal that is not among `known`, with the nearest name."""
        known = list(known)
        return [
            f"metric {name!r} is not evaluated; {nearest(name, known)}"
            for name in self.metrics
            if name not in known
        ]


def parse_objectives(text: str) -> tuple[Linear | Distance, ...]:
    """Forms to maximize, such as ``"k_xx - 2*k_yy"``; several are separated by commas.

    >>> [dict(form.weights) for form in parse_objectives("-cost, 2*(strength - 3*mass)")]
    [{'cost': -1.0}, {'strength': 2.0, 'mass': -6.0}]
    >>> [str(form) for form in parse_objectives("-distance(k_xx - 12, 2*k_yy - 8)")]
    ['-1.0*distance(1.0*k_xx + -12.0, 2.0*k_yy + -8.0)']
    """
    what = f"objective {text!r}"
    node = _parse(text, what)
    nodes = node.elts if isinstance(node, ast.Tuple) else [node]
    if not nodes:
        raise ConfigError(f"{what}: empty; write a linear form of metrics, such as k_xx - 2*k_yy.")
    forms = tuple(_distance(part, what) or _linear(part, text, what) for part in nodes)
    for form in forms:
        if not form.weights:
            raise ConfigError(f"{what}: names no metric; write a form such as k_xx - 2*k_yy.")
        if isinstance(form, Linear) and form.constant:
            raise ConfigError(
                f"{what}: the constant {form.constant:g} does not change which point is best; "
                "leave it out."
            )
    return forms


def parse_constraint(text: str) -> Constraint:
    """Signed margin of an inequality such as ``"a + 2*b >= 1"``.

    >>> str(parse_constraint("volume_fraction <= 0.5").margin)
    '-1.0*volume_fraction + 0.5'
    """
    what = f"constraint {text!r}"
    node = _parse(text, what)
    if not isinstance(node, ast.Compare):
        raise ConfigError(f"{what}: compares nothing; write an inequality such as {text} >= 0.")
    if len(node.ops) > 1:
        raise ConfigError(
            f"{what}: has {len(node.ops)} comparisons; write each as its own constraint."
        )
    if not isinstance(node.ops[0], ast.LtE | ast.GtE):
        raise ConfigError(f"{what}: only <= and >= are understood; use one of them.")
    left, right = (_linear(side, text, what) for side in (node.left, node.comparators[0]))
    larger, smaller = (right, left) if isinstance(node.ops[0], ast.LtE) else (left, right)
    margin = _add(larger, smaller, -1.0)
    if not margin.weights:
        raise ConfigError(
            f"{what}: names no metric, so nothing can change it; remove or correct it."
        )
    return Constraint(text, margin)


def _parse(text: str, what: str) -> ast.expr:
    if len(text) > _MAX_CHARACTERS:
        raise ConfigError(
            f"{what[:60]}...: has {len(text)} characters, at most {_MAX_CHARACTERS} are read; "
            "compute long combinations in an objective and name the result."
        )
    try:
        return ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        offset = getattr(error, "offset", None) or 1
        near = text.strip()[max(offset - 1, 0) :] or "its end"
        raise ConfigError(
            f"{what}: not an expression near {near!r}; "
            "use metric names, numbers, + - * / and parentheses."
        ) from None


def _distance(node: ast.expr, what: str) -> Distance | None:
    """The distance of a syntax tree that is one, with its sign and factor; else None."""
    match node:
        case ast.UnaryOp(op=ast.USub() | ast.UAdd() as sign, operand=operand):
            inner = _distance(operand, what)
            flip = -1.0 if isinstance(sign, ast.USub) else 1.0
            return inner and Distance(inner.forms, flip * inner.factor)
        case ast.BinOp(left=left, op=ast.Mult(), right=right):
            if (inner := _distance(right, what)) is not None:
                factor = _linear(left, ast.unparse(left), what)
                if factor.constant and not factor.weights:
                    return Distance(inner.forms, factor.constant * inner.factor)
        case ast.Call(func=ast.Name(id="distance"), args=[_, *_] as parts, keywords=[]):
            forms = tuple(_linear(part, ast.unparse(part), what) for part in parts)
            for part, form in zip(parts, forms, strict=True):
                if not form.weights:
                    raise ConfigError(
                        f"{what}: {ast.unparse(part)!r} names no metric; write the difference "
                        "from its target, such as k_xx - 12."
                    )
            return Distance(forms)
    return None


def _linear(node: ast.expr, text: str, what: str) -> Linear:
    """The linear form of a syntax tree, by its five admitted node types."""
    match node:
        case ast.Name(id=name):
            return Linear({name: 1.0})
        case ast.Constant(value=bool() | complex() | str() | bytes() | None):
            pass
        case ast.Constant(value=int() | float() as value) if value != math.inf:
            return Linear({}, _finite(value, what))
        case ast.UnaryOp(op=ast.USub() | ast.UAdd() as sign, operand=operand):
            return _scale(_linear(operand, text, what), -1.0 if isinstance(sign, ast.USub) else 1.0)
        case ast.BinOp(left=left, op=ast.Add() | ast.Sub() as operator, right=right):
            sign = 1.0 if isinstance(operator, ast.Add) else -1.0
            total = _add(_linear(left, text, what), _linear(right, text, what), sign)
            return _checked_form(total, what)
        case ast.BinOp(left=left, op=ast.Mult() | ast.Div() as operator, right=right):
            first, second = _linear(left, text, what), _linear(right, text, what)
            if isinstance(operator, ast.Mult) and not first.weights:
                return _checked_form(_scale(second, first.constant), what)
            if isinstance(operator, ast.Mult) and not second.weights:
                return _checked_form(_scale(first, second.constant), what)
            if isinstance(operator, ast.Div) and not second.weights and second.constant:
                return _checked_form(_scale(first, 1.0 / second.constant), what)
    raise ConfigError(
        f"{what}: {ast.unparse(node)!r} is not linear in the metrics; compute it in an objective "
        "of your own and use its name here."
    )


def _finite(value: int | float, what: str) -> float:
    """The number as a float; refused if no float is as large."""
    try:
        if math.isfinite(number := float(value)):
            return number
    except OverflowError:
        pass
    raise ConfigError(
        f"{what[:160]}: holds a number beyond 1.8e308, which cannot be computed with; choose "
        "smaller units."
    )


def _checked_form(form: Linear, what: str) -> Linear:
    for number in (*form.weights.values(), form.constant):
        _finite(number, what)
    return form


def _power_of_two(values: Iterable[Any]) -> float:
    """About the largest size among numbers or arrays: dividing by it changes no digit."""
    largest = 0.0
    for value in values:
        size = abs(value.detach() if hasattr(value, "detach") else value)
        if getattr(size, "ndim", 0):
            size = size.max() if math.prod(size.shape) else 0.0
        largest = max(largest, float(size))
    return math.ldexp(1.0, min(math.frexp(largest)[1], 1023)) if 0 < largest < math.inf else 1.0


def _scale(form: Linear, factor: float) -> Linear:
    weights = {name: factor * w for name, w in form.weights.items() if factor * w}
    return Linear(weights, factor * form.constant)


def _add(first: Linear, second: Linear, sign: float) -> Linear:
    weights = dict(first.weights)
    for name, weight in second.weights.items():
        weights[name] = weights.get(name, 0.0) + sign * weight
    kept = {name: weight for name, weight in weights.items() if weight}
    return Linear(kept, first.constant + sign * second.constant)

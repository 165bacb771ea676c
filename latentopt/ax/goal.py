"""A goal in the words of Ax: its objective and constraint strings, and the metrics it is told."""

from collections.abc import Mapping
from typing import Any

from ax.utils.common.string_utils import SYMPY_GLOBALS

from latentopt.goal import Constraint, Distance, Goal, Linear


class AxGoal:
    """What Ax is given to optimize in place of a `Goal`.

    Ax optimizes linear forms of metrics, with no metric in two objectives or in an objective and a
    constraint. What it cannot express is a metric of its own there, computed from the others:
    ``objective_0`` for a first objective that is a distance, ``margin_0 >= 0`` for a first
    constraint on a metric of the objective. Nor does Ax take names that SymPy has, such as ``E``:
    there these are ``E_``.

    Parameters
    ----------
    goal
        What is sought.

    Attributes
    ----------
    objective
        Ax's objective string.
    constraints
        Ax's outcome constraints, a string each.
    derived
        Metrics of Ax alone, as functions of the goal's metrics.

    Examples
    --------
    >>> words = AxGoal(Goal.parse("k_xx - 2*E", ["k_xx <= 9", "phi <= 0.5"]))
    >>> words.objective
    '1.0*k_xx + -2.0*E_'
    >>> words.constraints
    ['margin_0 >= 0', '-1.0*phi >= -0.5']
    >>> words.metrics({"k_xx": 8.0, "E": 3.0, "phi": 0.25})
    {'k_xx': 8.0, 'E_': 3.0, 'phi': 0.25, 'margin_0': 1.0}
    """

    def __init__(self, goal: Goal) -> None:
        self._known = goal.metrics
        plain: set[str] = set()  # metrics of the objectives that Ax can express
        self.derived: dict[str, Linear | Distance] = {}
        for i, form in enumerate(goal.objectives):
            if isinstance(form, Linear) and not plain & form.weights.keys():
                plain |= form.weights.keys()
            else:
                self.derived[f"objective_{i}"] = form
        for i, constraint in enumerate(goal.constraints):
            if plain & constraint.margin.weights.keys():
                self.derived[f"margin_{i}"] = constraint.margin
        self.objective = ", ".join(self._objective(i, f) for i, f in enumerate(goal.objectives))
        self.constraints = [self._constraint(i, c) for i, c in enumerate(goal.constraints)]

    def metrics(self, metrics: Mapping[str, Any]) -> dict[str, Any]:
        """The metrics by their names in Ax, and those of Ax alone that follow from them.

        Values are numbers or arrays of one shape; what follows is of the same kind and shape.
        """
        derived = {
            name: form(metrics)
            for name, form in self.derived.items()
            if metrics.keys() >= form.weights.keys()
        }
        return {**{_ax_name(name): value for name, value in metrics.items()}, **derived}

    def sems(self, metrics: Mapping[str, Any], sem: Mapping[str, Any]) -> dict[str, Any]:
        """Standard errors of what `metrics` returns, of those that follow from known ones."""
        derived = {
            name: form.sem(metrics, sem)
            for name, form in self.derived.items()
            if metrics.keys() >= form.weights.keys() and sem.keys() & form.weights.keys()
        }
        return {**{_ax_name(name): value for name, value in sem.items()}, **derived}

    def original(self, metrics: Mapping[str, Any]) -> dict[str, Any]:
        """What `metrics` was given, of what it returned.

        Names of the goal are left as they are: who called a metric ``E_`` for Ax means ``E_``.
        """
        return {
            name if name in self._known else _our_name(name): value
            for name, value in metrics.items()
            if name not in self.derived
        }

    def in_ax(self, form: Linear) -> Linear:
        """The form with the names that its metrics have in Ax."""
        weights = {_ax_name(name): weight for name, weight in form.weights.items()}
        return Linear(weights, form.constant)

    def _objective(self, i: int, form: Linear | Distance) -> str:
        if isinstance(form, Linear) and f"objective_{i}" not in self.derived:
            return str(_renamed(form))
        return f"objective_{i}"

    def _constraint(self, i: int, constraint: Constraint) -> str:
        if f"margin_{i}" in self.derived:
            return f"margin_{i} >= 0"
        return f"{_renamed(constraint.margin)} >= {-constraint.margin.constant!r}"


def _ax_name(metric: str) -> str:
    return f"{metric}_" if metric in SYMPY_GLOBALS else metric


def _our_name(metric: str) -> str:
    return metric[:-1] if metric[:-1] in SYMPY_GLOBALS and metric.endswith("_") else metric


def _renamed(form: Linear) -> Linear:
    """The form without its constant, its metrics by the names they have in Ax."""
    return Linear({_ax_name(name): weight for name, weight in form.weights.items()})

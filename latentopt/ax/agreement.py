"""Whether an Ax experiment is after the same goal as the strategy that proposes its trials."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from latentopt.ax.goal import AxGoal
from latentopt.errors import ConfigError
from latentopt.goal import Distance, Goal, Linear, parse_constraint, parse_objectives

if TYPE_CHECKING:
    from ax.core.optimization_config import OptimizationConfig
    from ax.core.outcome_constraint import OutcomeConstraint

__all__ = ["check_agreement"]

_DIGITS = 9  # to which two weights are the same
_Key = tuple  # of a form: equal for forms that order points alike


def check_agreement(goal: Goal, config: "OptimizationConfig | None") -> None:
    """Refuse an experiment whose optimization config is not the goal in other words.

    Positive factors and the order of objectives do not matter. Where Ax has no words for an
    objective (a distance, a metric of another objective) or a constraint (on a metric of a single
    objective), the experiment may have any objective in place of the one, which then decides only
    what Ax calls best, and nothing in place of the other.

    Parameters
    ----------
    goal
        What the strategy works towards.
    config
        The experiment's; None contradicts nothing.

    Raises
    ------
    ConfigError
        It names both.
    """
    if config is None:
        return
    try:
        agree = _same_objectives(goal, config) and _same_constraints(goal, config)
    except ConfigError:  # an expression of Ax that is none of ours
        agree = False
    if not agree:
        words = AxGoal(goal)
        raise ConfigError(
            f"the strategy of this experiment maximizes {_said(goal)}, but the experiment itself "
            f"maximizes {_said_by_ax(config)}. Give both the same goal: the one of the strategy is "
            f"client.configure_optimization({words.objective!r}, {words.constraints!r})."
        )


def _same_objectives(goal: Goal, config: "OptimizationConfig") -> bool:
    words = AxGoal(goal)
    ours = [_form_key(form) for form in parse_objectives(words.objective)]
    theirs = [_form_key(form) for form in parse_objectives(config.objective.expression)]
    if len(ours) != len(theirs):
        return False
    for key in [key for key in ours if key in theirs]:
        ours.remove(key)
    derived = [_form_key(Linear({name: 1.0})) for name in words.derived]
    return all(key in derived for key in ours)


def _same_constraints(goal: Goal, config: "OptimizationConfig") -> bool:
    words, thresholds = AxGoal(goal), list(config.objective_thresholds)
    if any(constraint.relative for constraint in config.outcome_constraints):
        return False
    said = {_margin_key(parse_constraint(text).margin) for text in words.constraints}
    direct = {_margin_key(words.in_ax(constraint.margin)) for constraint in goal.constraints}
    required = _margin_keys(config.outcome_constraints)
    known = required | _margin_keys(c for c in thresholds if not c.relative)
    sayable = {
        _margin_key(parse_constraint(text).margin)
        for i, text in enumerate(words.constraints)
        if f"margin_{i}" not in words.derived
    }
    return required <= said | direct and sayable <= known


def _margin_keys(constraints: "Iterable[OutcomeConstraint]") -> set[_Key]:
    return {_margin_key(parse_constraint(c.expression).margin) for c in constraints}


def _form_key(form: Linear | Distance) -> _Key:
    """Weights in units of the largest, by name."""
    largest = max(abs(weight) for weight in form.weights.values())
    return tuple(sorted((n, round(w / largest, _DIGITS)) for n, w in form.weights.items()))


def _margin_key(margin: Linear) -> _Key:
    largest = max(abs(weight) for weight in margin.weights.values())
    bound = float(f"{margin.constant / largest:.{_DIGITS}g}") + 0.0
    return (*_form_key(margin), ("", bound))


def _said(goal: Goal) -> str:
    objectives = ", ".join(str(form) for form in goal.objectives)
    return _subject_to(objectives, [constraint.text for constraint in goal.constraints])


def _said_by_ax(config: "OptimizationConfig") -> str:
    return _subject_to(config.objective.expression, [c.expression for c in config.all_constraints])


def _subject_to(objectives: str, constraints: Iterable[str]) -> str:
    constraints = ", ".join(constraints)
    return f"{objectives} subject to {constraints}" if constraints else objectives

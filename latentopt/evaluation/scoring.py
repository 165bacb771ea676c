"""One image to metrics by objectives: what runs in worker processes, which load no more for it."""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from jaxtyping import Float
from torch import Tensor

from latentopt.errors import EvaluationError
from latentopt.evaluation.objective import Objective, is_grid_objective
from latentopt.measurement import number_of
from latentopt.printable import is_plain, one_line, printable
from objectives.grid import Grid

_MOST_METRICS = 1000  # each trial's are in the journal for ever


def evaluate_images(
    objectives: Iterable[Objective],
    images: Float[Tensor, "1 c *space"],
    taken: Iterable[str] = (),
    grid: Grid | None = None,
) -> dict[str, float]:
    """Metrics of one image on a grid by all objectives, none of them named as one that is `taken`.

    It needs no latent space: this is what runs in worker processes. An `EvaluationError` says which
    objective failed and how; those after it, which may be costly, are not called.
    """
    metrics: dict[str, float] = {}
    for objective in objectives:
        # A copy each: one that changes the images harms no other.
        found = _call(objective, images.clone(), grid or Grid())
        if twice := sorted(set(found) & {*taken, *metrics}):
            raise invalid(f"{_name(objective)} returned {twice[0]}, which another has")
        if problem := problem_of(found, ()):
            raise invalid(problem)
        metrics |= found
    return metrics


def problem_of(metrics: Mapping[str, float], needed: Iterable[str]) -> str | None:
    """Why these metrics cannot be used: one that is missing or not finite; None if they can."""
    for name in needed:
        if name not in metrics:
            return f"{name} is missing among {', '.join(metrics) or 'no metrics'}"
    for name, value in metrics.items():
        if not np.isfinite(value):
            return f"{name} is {float(value)}"
    return None


def _call(objective: Objective, images: Tensor, grid: Grid) -> dict[str, float]:
    try:
        on_grid = is_grid_objective(objective)
        found = objective(images, grid=grid) if on_grid else objective(images)
    except Exception as error:  # whatever a user's solver raises ends this trial only
        known = isinstance(error, EvaluationError)
        if known and getattr(objective, "names_itself", False):
            raise  # it says all there is to say
        text = one_line(f"{type(error).__name__}: {printable(error)}").removesuffix(":")
        state = error.state if known else "crashed"
        raise EvaluationError(f"{_name(objective)} raised {text}", state) from error
    if not isinstance(found, Mapping):
        raise invalid(f"{_name(objective)} returned {type(found).__name__}, not values by name")
    return as_numbers(found)


def as_numbers(values: Mapping[str, Any]) -> dict[str, float]:
    """Values by name as floats, pairs with a standard error as `latentopt.measurement.Measured`.

    An `EvaluationError` names one that is neither.
    """
    if len(values) > _MOST_METRICS:
        raise invalid(f"there are {len(values)} values, more than {_MOST_METRICS}")
    for name in values:
        if not is_plain(str(name)):
            raise invalid(f"a metric's name should be text that can be printed, got {name!r:.60}")
    try:
        return {str(name): number_of(name, value) for name, value in values.items()}
    except ValueError as error:
        raise invalid(str(error)) from None


def invalid(problem: str) -> EvaluationError:
    """The error of an answer, as against an objective that broke down."""
    return EvaluationError(problem, "invalid")


def _name(objective: Objective) -> str:
    function = getattr(objective, "function", objective)
    named = getattr(objective, "kind", None) or getattr(function, "__name__", None)
    return named or type(function).__name__

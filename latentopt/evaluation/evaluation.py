"""One trial: from latent point to structure to metrics."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from latentopt.errors import EvaluationError
from latentopt.evaluation.objectives import Objective, is_grid_objective
from latentopt.measurement import number_of
from latentopt.microstructure import to_phases
from latentopt.printable import is_plain, one_line, printable
from latentopt.runs.trial import Trial
from latentopt.simulators.trial_simulations import CampaignSimulations, TrialSimulation
from latentopt.space.latent_space import LatentSpace
from objectives.grid import Grid
from objectives.phases import cut_phases

_MOST_METRICS = 1000  # each trial's are in the journal for ever


@dataclass(frozen=True)
class Evaluation:
    """How a structure is decoded and scored.

    Parameters
    ----------
    space
        Decodes.
    objectives
        Score, each with metrics of its own.
    score
        ``phases`` scores the segmented structure, which is what leaves us; ``decoded`` the grey
        image it came from.
    simulations
        Simulators, which come after the objectives; None if there are none.
    grid
        What a voxel measures and whether structures repeat, for objectives that depend on it.
    """

    space: LatentSpace
    objectives: tuple[Objective, ...]
    score: Literal["phases", "decoded"] = "phases"
    simulations: CampaignSimulations | None = None
    grid: Grid = field(default_factory=Grid)

    def image(self, z: np.ndarray) -> Float[Tensor, "1 c *space"]:
        """Decoded image of one point.

        Points are decoded one by one: in a batch, rounding depends on the neighbours, and a trial
        must not change because the run was stopped in the middle of its batch. An
        `EvaluationError` says that the image is not finite.
        """
        with torch.no_grad():
            image = self.space.decode(torch.from_numpy(z)[None])
        if not torch.isfinite(image).all():
            raise _invalid("the decoded image is not finite")
        return image

    def phases(self, z: np.ndarray) -> UInt8[np.ndarray, "*space"]:
        """Segmented structure of one point."""
        return to_phases(self.image(z))[0].cpu().numpy()

    def metrics(self, z: np.ndarray, trial: int | None = None) -> dict[str, float]:
        """All metrics of one point, those of the latent point itself included.

        Parameters
        ----------
        z
            The point.
        trial
            Its trial, which simulators have to know.

        Raises
        ------
        EvaluationError
            An objective or a simulator failed, or returned something else than one finite number
            for each name; its ``state`` says which kind of failure it is.
        """
        known = self.latent_metrics(z)
        found = evaluate_images(
            self.objectives_of(z, trial), self.scored(z), taken=known, grid=self.grid
        )
        return known | found

    def objectives_of(
        self, z: np.ndarray, trial: int | None = None, *, again: bool = False
    ) -> tuple[Objective, ...]:
        """What evaluates the image of a trial, cheap ones first: objectives, then simulators.

        Where it is evaluated `again`, simulators do not answer from what they know. A
        ``ValueError`` asks for the trial where there are simulators.
        """
        if self.simulations is None:
            return self.objectives
        if trial is None:
            raise ValueError("trial should be given, since simulations are kept by trial.")
        return (*self.objectives, *self.simulations.of_trial(z, trial, again=again))

    def scored(self, z: np.ndarray) -> Float[Tensor, "1 c *space"]:
        """The image of one point that objectives are given."""
        images = self.image(z)
        return images if self.score == "decoded" else cut_phases(images)

    def told(
        self, trial: Trial, given: Mapping[str, Any], needed: Iterable[str]
    ) -> dict[str, float]:
        """Everything known of a trial that was evaluated elsewhere.

        Parameters
        ----------
        trial
            Not evaluated here.
        given
            Its values, or tuples of value and standard error, by name.
        needed
            Metrics that have to be known.

        Raises
        ------
        ValueError
            A value is not a number, or one that is needed is missing.
        """
        try:
            given = as_numbers(given)
        except EvaluationError as error:
            raise ValueError(f"trial {trial.index}: {error}.") from None
        found = {**self.latent_metrics(trial.point), **trial.measured, **given}
        if missing := [name for name in needed if name not in found]:
            raise ValueError(
                f"trial {trial.index} needs {', '.join(missing)} for its goal, got "
                f"{', '.join(given) or 'no metrics'}."
            )
        return found

    def latent_metrics(self, z: np.ndarray) -> dict[str, float]:
        """Metrics of the point alone: its distance from the data, if the space knows any."""
        if len(self.space.reference_) < 2:
            return {}
        return {"distance_from_data": float(self.space.distance_from_data(z[None])[0])}


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
        found = _call(
            objective, images.clone(), grid or Grid()
        )  # one that changes them harms no other
        if twice := sorted(set(found) & {*taken, *metrics}):
            raise _invalid(f"{_name(objective)} returned {twice[0]}, which another has")
        if problem := problem_of(found, ()):
            raise _invalid(problem)
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
        if known and isinstance(objective, TrialSimulation):
            raise  # it says all there is to say
        text = one_line(f"{type(error).__name__}: {printable(error)}").removesuffix(":")
        state = error.state if known else "crashed"
        raise EvaluationError(f"{_name(objective)} raised {text}", state) from error
    if not isinstance(found, Mapping):
        raise _invalid(f"{_name(objective)} returned {type(found).__name__}, not values by name")
    return as_numbers(found)


def as_numbers(values: Mapping[str, Any]) -> dict[str, float]:
    """Values by name as floats, pairs with a standard error as `latentopt.measurement.Measured`.

    An `EvaluationError` names one that is neither.
    """
    if len(values) > _MOST_METRICS:
        raise _invalid(f"there are {len(values)} values, more than {_MOST_METRICS}")
    for name in values:
        if not is_plain(str(name)):
            raise _invalid(f"a metric's name should be text that can be printed, got {name!r:.60}")
    try:
        return {str(name): number_of(name, value) for name, value in values.items()}
    except ValueError as error:
        raise _invalid(str(error)) from None


def _invalid(problem: str) -> EvaluationError:
    """The error of an answer, as against an objective that broke down."""
    return EvaluationError(problem, "invalid")


def _name(objective: Objective) -> str:
    function = getattr(objective, "function", objective)
    named = getattr(objective, "kind", None) or getattr(function, "__name__", None)
    return named or type(function).__name__

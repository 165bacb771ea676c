"""One trial: from latent point to structure to metrics."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from latentopt.errors import EvaluationError
from latentopt.evaluation.objective import Objective
from latentopt.evaluation.scoring import as_numbers, evaluate_images, invalid
from latentopt.microstructure import to_phases
from latentopt.runs.trial import Trial
from latentopt.simulators.trial_simulations import CampaignSimulations
from latentopt.space.latent_space import LatentSpace
from objectives.grid import Grid
from objectives.phases import cut_phases


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
            raise invalid("the decoded image is not finite")
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

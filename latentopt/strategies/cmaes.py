"""Covariance matrix adaptation: an evolution strategy, for thousands of cheap evaluations."""

from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np
import torch
from jaxtyping import Float64
from pydantic import Field
from torch import Tensor

from latentopt.history import History
from latentopt.strategies.prior import draw
from latentopt.strategies.replay import Replay, merits
from latentopt.strategies.start import check_one_objective, first_points
from latentopt.unit_free import UnitFree
from objectives.settings import Settings

if TYPE_CHECKING:
    import cma


class CMAES(Settings):
    """Draws from a normal distribution that moves, stretches and shrinks towards the best points.

    The first points are training structures as different from one another as possible, and the
    best of them is the first mean. All later points update the distribution in generations, in the
    order of their trials [1]_. Only ranks matter: feasible points by their objective, then the
    others by their violation, failed ones last.

    References
    ----------
    .. [1] Hansen (2016), The CMA Evolution Strategy: A Tutorial, arXiv:1604.00772; package `cma`.
    """

    kind: Literal["cmaes"] = "cmaes"
    initial: int = Field(
        10,
        ge=2,
        description="Number of training structures that are evaluated before the first sample "
        "from the search distribution.",
    )
    sigma: float = Field(
        0.5,
        gt=0,
        description="Initial step size: standard deviation of the search distribution, in "
        "standard deviations of the training data.",
    )
    generation: int | None = Field(
        None,
        ge=3,
        description="Population size, which is the number of points in a generation. null takes "
        "4 + 3 ln(latent dimensions).",
    )
    multi_objective: ClassVar[bool] = False

    def propose(self, history: History, q: int) -> Float64[Tensor, "q d"]:
        """The next `q` draws from the distribution that all finished generations lead to.

        A draw depends on what is known and on its trial's index alone, not on `q`.

        Raises
        ------
        ConfigError
            The goal has several objectives.
        """
        check_one_objective(history, self.kind)
        history = UnitFree.of(history).history
        if history.next_index < self.initial:
            return first_points(history, q)
        if len(history.z) == 0:  # all failed
            return draw(history, q)
        noise = _Noise()
        evolution = self._evolution(history, noise)
        points = []
        for index in range(history.next_index, history.next_index + q):
            noise.restart(history.seed_of(index))
            points.append(torch.as_tensor(evolution.ask(1)[0], dtype=torch.float64))
        return history.space.project(torch.stack(points))

    def _evolution(self, history: History, noise: "_Noise") -> "cma.CMAEvolutionStrategy":
        """The package's object, told all finished generations."""
        import cma

        options = {
            "randn": noise,
            "seed": np.nan,  # any number would seed NumPy's global generator
            "verbose": -9,
            "verb_log": 0,
        }
        if self.generation:
            options["popsize"] = self.generation
        best = history.z[merits(history)[: self.initial].argmax()]
        evolution = cma.CMAEvolutionStrategy(best.numpy(), self.sigma, options)
        told = Replay.of(history)
        size = evolution.popsize
        finished = len(told.z) - (len(told.z) - self.initial) % size
        for begin in range(self.initial, finished, size):
            evolution.ask()  # tell is only allowed after ask; its points are not used
            # Points that were moved into the radius, or come from elsewhere, are longer steps than
            # a draw would be: cma clips those of points it does not know as its own.
            rows = slice(begin, begin + size)
            evolution.tell(list(told.z[rows].numpy()), _costs(told.merit[rows]))
        return evolution


def _costs(merit: Float64[Tensor, " n"]) -> list[float]:
    """What is minimized: -merit, with failed points just behind the worst that did not fail."""
    known = merit[merit.isfinite()]
    last = float(known.min()) - 1.0 if len(known) else 0.0
    return (-merit.nan_to_num(neginf=last)).tolist()


class _Noise:
    """Standard normal numbers of a generator of our own."""

    def __init__(self) -> None:
        self.restart(0)

    def restart(self, seed: int) -> None:
        self.generator = np.random.default_rng(seed)

    def __call__(self, *shape: int) -> np.ndarray:
        return self.generator.standard_normal(shape)

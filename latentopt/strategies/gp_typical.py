"""Gaussian processes on the latent point itself, searched inside the typical set.

In 64 dimensions a standard normal lives near radius 8 and the box [-3, 3]^64 has corners at 24: an
acquisition function left alone walks there, where no decoder was trained. Here it sees every point
through its projection into the data's radius, and starts from data, draws and the best points.
"""

import logging
import warnings
from typing import ClassVar, Literal

import torch
from jaxtyping import Float64
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor

from latentopt.errors import ConfigError
from latentopt.history import History
from latentopt.strategies.prior import draw
from latentopt.strategies.spread import spread_points

_log = logging.getLogger(__name__)


class GPTypical(BaseModel):
    """Expected improvement under one Gaussian process a metric, inside the data's radius.

    The first points are training structures as different from one another as possible. Then the
    metrics are modelled, not their combination: objective and constraints act on samples of the
    posterior [1]_. The prior on the lengthscales grows with the dimension [2]_. Until a feasible
    point is known, the probability of feasibility is maximized instead.

    References
    ----------
    .. [1] Ament et al. (2023), Unexpected Improvements to Expected Improvement for Bayesian
       Optimization, section 3.
    .. [2] Hvarfner, Hellsten, Nardi (2024), Vanilla Bayesian Optimization Performs Great in High
       Dimensions, section 4.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["gp_typical"] = "gp_typical"
    initial: int = Field(12, ge=2, description="Points from the data before the first fit.")
    restarts: int = Field(4, ge=1, description="Ascents of the acquisition function a point.")
    raw_samples: int = Field(512, ge=4, description="Points that compete to start an ascent.")
    max_iterations: int = Field(100, ge=1, description="Steps of a fit, and of an ascent.")
    multi_objective: ClassVar[bool] = False

    def propose(self, history: History, q: int) -> Float64[Tensor, "q d"]:
        """The next `q` points: spread over the data at first, then where improvement is expected.

        A fit that fails numerically is logged, and answered with draws from the prior.

        Raises
        ------
        ConfigError
            The goal has several objectives.
        """
        if len(history.goal.objectives) != 1:
            raise ConfigError(
                f"gp_typical takes one objective, got {len(history.goal.objectives)}; join them "
                "into one sum, or use strategy prior."
            )
        start = history.next_index
        if start < self.initial:
            points = spread_points(history.space, start + q, seed=history.seed)[start:]
            return torch.cat([points, draw(history, q)[len(points) :]])
        if len(history.z) < 2:  # all the rest failed
            return draw(history, q)
        return self._improve(history, q)

    def _improve(self, history: History, q: int) -> Float64[Tensor, "q d"]:
        from botorch.exceptions import BotorchWarning, ModelFittingError
        from linear_operator.utils.errors import NanError, NotPSDError
        from linear_operator.utils.warnings import NumericalWarning

        from latentopt.strategies.improvement import most_improving

        with torch.random.fork_rng(devices=[]), warnings.catch_warnings():
            warnings.simplefilter("ignore", BotorchWarning)
            warnings.simplefilter("ignore", NumericalWarning)
            # An ascent that ends early ends somewhere good: it never falls below its start.
            warnings.filterwarnings("ignore", "Optimization failed", RuntimeWarning)
            torch.manual_seed(history.seed_of(history.next_index))
            try:
                return most_improving(history, q, self)
            except (ModelFittingError, NotPSDError, NanError, torch.linalg.LinAlgError) as error:
                _log.warning("gp_typical could not fit (%s) and draws from the prior.", error)
                return draw(history, q)

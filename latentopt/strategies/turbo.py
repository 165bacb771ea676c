"""Trust region: a Gaussian process believed only near the best point, searched by its samples."""

from typing import ClassVar, Literal

from jaxtyping import Float64
from pydantic import Field
from torch import Tensor

from latentopt.history import History
from latentopt.strategies.fallback import modelled_or_drawn
from latentopt.strategies.replay import Replay
from latentopt.strategies.start import check_one_objective, first_points
from latentopt.strategies.trust_region import Region
from latentopt.unit_free import UnitFree
from objectives.settings import Settings


class Turbo(Settings):
    """Thompson sampling inside a box around the best point that grows and shrinks with success.

    The first points are training structures as different from one another as possible. From then
    on each point is the best of some candidates by one sample of a Gaussian process [1]_; under
    constraints the metrics are sampled together and the best feasible candidate is taken, or the
    one that violates least [2]_. A failed trial is a point that did not improve. A region that has
    shrunk to nothing is given up, and the search begins again elsewhere.

    References
    ----------
    .. [1] Eriksson et al. (2019), Scalable Global Optimization via Local Bayesian Optimization
       (TuRBO-1).
    .. [2] Eriksson, Poloczek (2021), Scalable Constrained Bayesian Optimization,
       arXiv:2002.08526, section 3.
    """

    kind: Literal["turbo"] = "turbo"
    initial: int = Field(
        10, ge=2, description="Number of training structures with which each trust region begins."
    )
    inputs: Literal["z", "structure"] = Field(
        "z",
        description="Inputs of the Gaussian process: the latent point (z), or features of the "
        "structure that it decodes to (structure).",
    )
    candidates: int | None = Field(
        None,
        ge=4,
        description="Number of candidate points for Thompson sampling. null takes 100 for each "
        "latent dimension, at most 2000, or 500 where inputs is structure.",
    )
    max_iterations: int = Field(
        50, ge=1, description="Largest number of iterations of a model fit."
    )
    multi_objective: ClassVar[bool] = False

    def propose(self, history: History, q: int) -> Float64[Tensor, "q d"]:
        """The next `q` points: spread over the data at first, then the choice of `q` samples.

        A fit that fails numerically is logged, and answered with draws from the prior.

        Raises
        ------
        ConfigError
            The goal has several objectives.
        """
        check_one_objective(history, self.kind)
        history = UnitFree.of(history).history
        told = Replay.of(history)
        region = Region.of(told, q, self.initial)
        begun = len(told.z) - region.begin + len(history.pending)
        if begun < self.initial or told.merit[region.begin :].isfinite().sum() < 2:
            return first_points(history, q)

        def sampled() -> Float64[Tensor, "q d"]:
            from latentopt.strategies.turbo_sampling import best_of_samples  # BoTorch

            return best_of_samples(
                history,
                q,
                region,
                inputs=self.inputs,
                candidates=self.candidates,
                max_iterations=self.max_iterations,
            )

        return modelled_or_drawn(history, q, self.kind, sampled)

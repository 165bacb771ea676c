"""Training structures in the order of their promise: a search that never leaves the data."""

from typing import ClassVar, Literal

import torch
from jaxtyping import Float64
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor

from latentopt.history import History
from latentopt.strategies.fallback import modelled_or_drawn
from latentopt.strategies.prior import draw
from latentopt.strategies.start import first_points

_SAME = 1e-6  # points nearer than this are one point
_AT_ONCE = 512  # points whose improvement is computed together


class Data(BaseModel):
    """The training structures that promise most improvement, as the space's encoder sees them.

    The first are as different from one another as possible. Then one Gaussian process a metric
    ranks all that were not evaluated yet by the expected improvement of the goal. Nothing is
    decoded that was not a structure of the training set, up to the model's reconstruction. When the
    set is used up, draws from the prior follow.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["data"] = "data"
    initial: int = Field(10, ge=2, description="Points before the first fit.")
    max_iterations: int = Field(50, ge=1, description="Steps of a fit.")
    multi_objective: ClassVar[bool] = True

    def propose(self, history: History, q: int) -> Float64[Tensor, "q d"]:
        """The next `q` training structures, chosen one by one, each with those before it pending.

        A fit that fails numerically is logged, and answered with draws from the prior.
        """
        if history.next_index < self.initial or len(history.z) < 2:
            return first_points(history, q)
        return modelled_or_drawn(history, q, self.kind, lambda: self._promising(history, q))

    def _promising(self, history: History, q: int) -> Float64[Tensor, "q d"]:
        from latentopt.strategies.acquisition import improvement
        from latentopt.strategies.inputs import StructureInputs
        from latentopt.strategies.surrogate import Surrogate

        inputs = StructureInputs(history.space)
        surrogate = Surrogate(history, inputs, max_iterations=self.max_iterations)
        acquisition = improvement(history, surrogate)
        taken = torch.cat([history.z, history.failed, history.screened])
        pool = _apart(inputs.pool(), torch.cat([taken, history.pending]))
        points = history.pending
        for _ in range(q):
            if len(pool) == 0:
                break
            acquisition.set_X_pending(inputs.exact(points) if len(points) else None)
            x = inputs.exact(pool)[:, None]
            with torch.no_grad():
                gain = torch.cat([acquisition(part) for part in x.split(_AT_ONCE)])
            best = pool[gain.argmax()][None]
            points, pool = torch.cat([points, best]), _apart(pool, best)
        chosen = points[len(history.pending) :]
        return torch.cat([chosen, draw(history, q)[len(chosen) :]])


def _apart(pool: Float64[Tensor, "m d"], taken: Float64[Tensor, "n d"]) -> Float64[Tensor, "k d"]:
    """Points of the pool that were not taken."""
    return pool[torch.cdist(pool, taken).amin(1) > _SAME]

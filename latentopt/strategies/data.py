"""Training structures in the order of their promise: a search that never leaves the data."""

from typing import ClassVar, Literal

import torch
from jaxtyping import Float64
from pydantic import Field
from torch import Tensor

from latentopt.history import History
from latentopt.strategies.apart import apart
from latentopt.strategies.fallback import modelled_or_drawn
from latentopt.strategies.prior import draw
from latentopt.strategies.start import first_points
from objectives.settings import Settings


class Data(Settings):
    """The training structures that promise most improvement, as the space's encoder sees them.

    The first are as different from one another as possible. Then one Gaussian process a metric
    ranks all that were not evaluated yet by the expected improvement of the goal. Nothing is
    decoded that was not a structure of the training set, up to the model's reconstruction. When the
    set is used up, draws from the prior follow.
    """

    kind: Literal["data"] = "data"
    initial: int = Field(
        10,
        ge=2,
        description="Number of training structures that are evaluated before the first model fit.",
    )
    max_iterations: int = Field(
        50, ge=1, description="Largest number of iterations of a model fit."
    )
    multi_objective: ClassVar[bool] = True

    def propose(self, history: History, q: int) -> Float64[Tensor, "q d"]:
        """The next `q` training structures, chosen one by one, each with those before it pending.

        A fit that fails numerically is logged, and answered with draws from the prior.
        """
        if history.next_index < self.initial or len(history.z) < 2:
            return first_points(history, q)
        return modelled_or_drawn(history, q, self.kind, lambda: self._promising(history, q))

    def _promising(self, history: History, q: int) -> Float64[Tensor, "q d"]:
        from latentopt.strategies.modelled.acquisition import improvement
        from latentopt.strategies.modelled.ascent import exact_values
        from latentopt.strategies.modelled.inputs import StructureInputs
        from latentopt.strategies.modelled.processes import SearchModel
        from latentopt.unit_free import UnitFree

        history = UnitFree.of(history).history
        inputs = StructureInputs(history.space)
        model = SearchModel(history, inputs, max_iterations=self.max_iterations)
        history = model.believed(history)
        acquisition = improvement(history, model)
        taken = torch.cat([history.z, history.failed, history.screened, history.pending])
        pool = inputs.pool()
        pool = pool[apart(pool, taken)]
        points = history.pending
        for _ in range(q):
            if len(pool) == 0:
                break
            acquisition.set_X_pending(inputs.exact(points) if len(points) else None)
            with torch.no_grad():
                best = pool[exact_values(acquisition, inputs, pool).argmax()][None]
            points, pool = torch.cat([points, best]), pool[apart(pool, best)]
        chosen = points[len(history.pending) :]
        return torch.cat([chosen, draw(history, q)[len(chosen) :]])

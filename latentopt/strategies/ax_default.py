"""Ax's default, untouched: the peer that the other strategies are measured against."""

from typing import TYPE_CHECKING, ClassVar, Literal

from jaxtyping import Float64
from torch import Tensor

from latentopt.history import History
from latentopt.strategies.fallback import modelled_or_drawn
from objectives.settings import Settings

if TYPE_CHECKING:
    from ax.api.client import Client

_BUDGET, _OBSERVED = 5, 2  # trials, and results, before Ax's default begins to model


class AxDefault(Settings):
    """What `ax.api.client.Client` proposes when nothing is configured.

    The middle of the box and four points of Sobol's in it, then expected improvement (for several
    objectives, of the dominated volume) under Gaussian processes on z, by an experiment that holds
    the whole history. It searches the whole box, whose corners in 64 dimensions are three times
    farther out than the data: points beyond the radius are projected onto it, and Ax is then told
    of the projected point. An objective that is a distance is modelled as a metric of its own,
    since Ax takes linear forms only. Points that a surrogate screened out are not told.

    Ax is made anew at each ask, so that the proposal depends on nothing but the history. What that
    costs is small beside the fit.
    """

    kind: Literal["ax"] = "ax"
    multi_objective: ClassVar[bool] = True

    def propose(self, history: History, q: int) -> Float64[Tensor, "q d"]:
        """The next `q` points of Ax; draws from the prior if its fit fails, which is logged."""
        from latentopt.ax.client import beginning_of_ax, points_of_ax

        def untouched(client: "Client") -> None:
            # The default's last node alone: a client made anew would begin with the first.
            client.configure_generation_strategy(
                initialization_budget=0, initialize_with_center=False
            )

        known = len(history.z) + len(history.pending)
        if known < _BUDGET or len(history.z) < _OBSERVED:
            return beginning_of_ax(history, history.next_index + q)[history.next_index :]
        return modelled_or_drawn(history, q, self.kind, lambda: points_of_ax(history, q, untouched))

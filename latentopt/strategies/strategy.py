"""What a campaign needs of a strategy, matched by shape: no base class to inherit."""

from typing import Protocol, runtime_checkable

from jaxtyping import Float
from torch import Tensor

from latentopt.history import History

__all__ = ["NamedStrategy", "Strategy"]


@runtime_checkable
class Strategy(Protocol):
    """History in, next points out.

    One that takes several objectives says so by ``multi_objective = True``; a campaign with several
    refuses any other. One that follows the gradient of the decoder says so by ``needs_gradient =
    True``; a campaign in a space that decodes without a gradient refuses it.
    """

    def propose(self, history: History, q: int) -> Float[Tensor, "q d"]:
        """The next points to evaluate.

        Parameters
        ----------
        history
            Every point that was evaluated, failed, screened out or is under way, in its space,
            towards its goal.
        q
            Number of points, 1 or more.

        Returns
        -------
        Float64 latent points inside the space's radius, the same for the same history and seed.
        """
        ...


@runtime_checkable
class NamedStrategy(Strategy, Protocol):
    """A strategy that settings can name, as each of `STRATEGIES`."""

    kind: str

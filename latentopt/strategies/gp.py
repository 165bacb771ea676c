"""Gaussian processes on the latent point itself, in the box of the data: what others do."""

from typing import TYPE_CHECKING, Literal

from latentopt.space.latent_space import LatentSpace
from latentopt.strategies.modelled.model_based import ModelBased

if TYPE_CHECKING:
    from latentopt.strategies.modelled.inputs import PointInputs


class GP(ModelBased):
    """Expected improvement under a Gaussian process on z whose prior grows with the dimension [1]_.

    The acquisition function is searched in the box; only the point it ends on is brought inside
    the data's radius.

    References
    ----------
    .. [1] Hvarfner, Hellsten, Nardi (2024), Vanilla Bayesian Optimization Performs Great in High
       Dimensions, section 4.
    """

    kind: Literal["gp"] = "gp"

    def inputs(self, space: LatentSpace) -> "PointInputs":
        """The point, wherever it is."""
        from latentopt.strategies.modelled.inputs import PointInputs

        return PointInputs(space, ball=False)

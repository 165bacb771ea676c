"""Gaussian processes on the latent point itself, searched inside the typical set.

In 64 dimensions a standard normal lives near radius 8 and the box [-3, 3]^64 has corners at 24: an
acquisition function left alone walks there, where no decoder was trained. Here it sees every point
through its projection into the data's radius.
"""

from typing import TYPE_CHECKING, Literal

from latentopt.space.latent_space import LatentSpace
from latentopt.strategies.modelled.model_based import ModelBased

if TYPE_CHECKING:
    from latentopt.strategies.modelled.inputs import PointInputs


class GPTypical(ModelBased):
    """Expected improvement under a Gaussian process on z, inside the data's radius.

    The prior on the lengthscales grows with the dimension [1]_; the radius keeps the search from
    the box's corners [2]_.

    References
    ----------
    .. [1] Hvarfner, Hellsten, Nardi (2024), Vanilla Bayesian Optimization Performs Great in High
       Dimensions, section 4.
    .. [2] Doumont, Fan, Maus, Gardner, Moss, Pleiss (2025), We Still Don't Understand High-
       Dimensional Bayesian Optimization.
    """

    kind: Literal["gp_typical"] = "gp_typical"

    def inputs(self, space: LatentSpace) -> "PointInputs":
        """The point's projection into the radius."""
        from latentopt.strategies.modelled.inputs import PointInputs

        return PointInputs(space, ball=True)

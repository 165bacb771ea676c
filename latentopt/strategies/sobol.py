"""Draws from the prior that leave no gaps: a Sobol sequence through the inverse normal CDF."""

from typing import ClassVar, Literal

import torch
from jaxtyping import Float64
from torch import Tensor

from latentopt.history import History
from objectives.settings import Settings

_OPEN = 2.0**-31  # keeps 0 and 1 out: the normal quantile there is infinite


class Sobol(Settings):
    """Standard normal points, more even than random ones, inside the data's radius.

    A scrambled Sobol sequence [1]_ fills the unit cube evenly, and the inverse of the normal
    distribution function carries it to where the data lie. (On the box of Ax's parameters it would
    fill corners, where no decoder was trained.) What has been seen so far does not matter.

    References
    ----------
    .. [1] Owen (1998), Scrambling Sobol' and Niederreiter-Xing points, J. Complexity 14.
    """

    kind: Literal["sobol"] = "sobol"
    multi_objective: ClassVar[bool] = True

    def propose(self, history: History, q: int) -> Float64[Tensor, "q d"]:
        """The next `q` points of the sequence.

        Each depends on the seed and its trial's index alone, so a batch is the same as its points
        asked one by one.
        """
        sequence = torch.quasirandom.SobolEngine(
            history.space.latent_dim, scramble=True, seed=history.seed
        )
        sequence.fast_forward(history.next_index)
        uniform = sequence.draw(q, dtype=torch.float64)
        return history.space.project(torch.special.ndtri(uniform.clamp(_OPEN, 1 - _OPEN)))

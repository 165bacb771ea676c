"""Draws from the prior: the baseline that every other strategy has to beat."""

from typing import ClassVar, Literal

import torch
from jaxtyping import Float64
from torch import Tensor

from latentopt.history import History
from objectives.settings import Settings


class Prior(Settings):
    """Standard normal points inside the data's radius, whatever has been seen so far."""

    kind: Literal["prior"] = "prior"
    multi_objective: ClassVar[bool] = True

    def propose(self, history: History, q: int) -> Float64[Tensor, "q d"]:
        """The next `q` draws."""
        return draw(history, q)


def draw(history: History, q: int) -> Float64[Tensor, "q d"]:
    """Draws for the next `q` trials.

    Each depends on the seed and its trial's index alone, so a batch is the same as its points asked
    one by one.
    """
    indices = range(history.next_index, history.next_index + q)
    return torch.cat([history.space.sample(1, seed=history.seed_of(i)) for i in indices])

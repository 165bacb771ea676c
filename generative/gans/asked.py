"""What the structures of a step are asked for: conditions of its images, thinned and blurred."""

import torch
from jaxtyping import Float
from torch import Tensor

from generative.conditions import Conditions
from generative.stages.players import Batch
from generative.stages.thinning import thinned, uniform_of

ASKED = "asked"  # where a batch keeps it for the players that move later


class AskedConditions:
    r"""Conditions under which structures are made and judged at a step.

    They are those of the images of the step. Some are left out, so that any part of a wish can be
    asked for. A property is asked for at :math:`y_i + \sigma e`, because no value of it is seen
    twice: :math:`\sigma = (4 s^5 / 3 n)^{1/5}` is the rule of thumb of kernel densities for n
    values of spread s, which is 1 in the unit of a condition.

    Parameters
    ----------
    conditions
        Of the model.

    References
    ----------
    .. [1] Ding et al. (2021), CcGAN: Continuous conditional generative adversarial networks for
       image generation.
    """

    def __init__(self, conditions: Conditions) -> None:
        self.size = conditions.size
        self.groups, self.values = conditions.groups, list(conditions.values)
        self.width = 0.0

    def fit(self, images: int) -> "AskedConditions":
        """Take the width of the kernel from the number of training images."""
        self.width = (4 / (3 * images)) ** 0.2
        return self

    def of(self, batch: Batch) -> Float[Tensor, "n f"] | None:
        """What is asked for at a step, the same for all of its players; None if nothing ever is."""
        if batch.condition is None:
            return None
        if ASKED not in batch.shared:
            uniform = uniform_of(batch.noise(1 + len(self.groups)))
            asked = thinned(batch.condition, self.groups, uniform)
            if self.values:
                blur = torch.zeros_like(asked)
                blur[:, self.values] = self.width * batch.noise(len(self.values))
                known = torch.zeros_like(asked)
                known[:, self.values] = asked[:, [i + 1 for i in self.values]]
                asked = asked + known * blur
            batch.shared[ASKED] = asked
        return batch.shared[ASKED]

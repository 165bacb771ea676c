"""Noise to codes in one step, by a network that is taught by the flow."""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn

from generative.diffusion.denoiser import Denoiser, DenoiserConfig
from generative.diffusion.flow import HALF_PI, NEAR_NOISE

HALFWAY = HALF_PI / 2


class Student(nn.Module):
    """The end of a diffusion prior's flow, from noise, in one step of the midpoint rule.

    Each evaluation of that step has a network of its own, like the teacher's. Behind weights of the
    teacher it is a poor solver of the flow; trained on ends of the flow it is a map in its own
    right. With one evaluation the first half of the step is left out.

    Parameters
    ----------
    grid, conditions, config
        As of the teacher's `Denoiser`.
    evaluations
        1 or 2.

    References
    ----------
    .. [1] Luhman and Luhman (2021), Knowledge distillation in iterative generative models for
       improved sampling speed.
    """

    begun_: Tensor

    def __init__(
        self, grid: Sequence[int], conditions: int, config: DenoiserConfig, evaluations: int = 1
    ) -> None:
        super().__init__()
        two = evaluations == 2
        self.first = Denoiser(grid, conditions, config) if two else None
        self.last = Denoiser(grid, conditions, config)
        self.register_buffer("begun_", torch.zeros((), dtype=torch.bool))

    def begin(self, teacher: Denoiser) -> None:
        """Take the weights of the teacher, unless it has been taught before."""
        if self.begun_:
            return
        for network in (self.first, self.last):
            if network is not None:
                network.load_state_dict(teacher.state_dict())
        self.begun_.fill_(True)

    def forward(
        self, noise: Float[Tensor, "n d"], condition: Float[Tensor, "n f"] | None = None
    ) -> Float[Tensor, "n d"]:
        """Codes of noise, in the units of the teacher's network."""
        middle = noise
        if self.first is not None:
            middle = noise - HALFWAY * self.first(
                noise, noise.new_full((1,), NEAR_NOISE), condition
            )
        return noise - HALF_PI * self.last(middle, noise.new_full((1,), HALFWAY), condition)

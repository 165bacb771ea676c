"""A diffusion prior over codes: their distribution, and a one-to-one map to normal noise."""

import math
from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn

from generative.diffusion.denoiser import Denoiser, DenoiserConfig
from generative.diffusion.flow import NEAR_DATA, NEAR_NOISE, SOLVERS, mix

__all__ = ["DiffusionPrior"]


class DiffusionPrior(nn.Module):
    """Noise to codes and back along the probability-flow ODE of a trained denoiser.

    Codes are shifted and scaled by one mean and one spread for all cells before they meet the
    network, so that their grid stays what it is.

    Parameters
    ----------
    grid
        Shape of a code: 8x8, 4x4x4.
    conditions
        Numbers in a condition, see `Conditions`.
    config
        Size of the network.

    References
    ----------
    .. [1] Song et al. (2021), Score-based generative modeling through stochastic differential
       equations, section 4.3.
    .. [2] Salimans and Ho (2022), Progressive distillation (the velocity as what is predicted).
    .. [3] Ho and Salimans (2022), Classifier-free diffusion guidance.
    """

    mean_: Tensor
    spread_: Tensor

    def __init__(
        self, grid: Sequence[int], conditions: int = 0, config: DenoiserConfig | None = None
    ) -> None:
        super().__init__()
        self.denoiser = Denoiser(grid, conditions, config or DenoiserConfig())
        self.register_buffer("mean_", torch.zeros(()))
        self.register_buffer("spread_", torch.ones(()))

    def scale_to(self, codes: Float[Tensor, "n d"]) -> None:
        """Take mean and spread from codes of training images."""
        self.mean_.copy_(codes.mean())
        self.spread_.copy_(codes.std().clamp_min(1e-6))

    def loss(
        self,
        codes: Float[Tensor, "n d"],
        *,
        noise: Float[Tensor, "n d"],
        time: Float[Tensor, " n"],
        condition: Float[Tensor, "n f"] | None = None,
    ) -> Float[Tensor, ""]:
        """Mean squared error of the predicted velocity, over rows and cells."""
        noisy, velocity = mix(self.standardize(codes), noise, time)
        return (self.denoiser(noisy, time, condition) - velocity).pow(2).mean()

    def to_noise(
        self,
        codes: Float[Tensor, "n d"],
        condition: Float[Tensor, "n f"] | None = None,
        *,
        steps: int = 10,
        solver: str = "midpoint",
        until: float = NEAR_NOISE,
    ) -> Float[Tensor, "n d"]:
        """Noise that `to_code` takes to these codes; differentiable."""
        velocity = self._velocity(condition, 1.0)
        return SOLVERS[solver](velocity, self.standardize(codes), NEAR_DATA, until, steps)

    def to_code(
        self,
        noise: Float[Tensor, "n d"],
        condition: Float[Tensor, "n f"] | None = None,
        *,
        guidance: float = 1.0,
        steps: int = 10,
        solver: str = "midpoint",
        start: float = NEAR_NOISE,
    ) -> Float[Tensor, "n d"]:
        """Codes of noise; differentiable.

        Parameters
        ----------
        noise
            Standard normal, or noisy data at the time ``start``.
        condition
            What to ask for; none without it.
        guidance
            1 samples the conditional distribution; above, the difference to the unconditional
            velocity is multiplied (eq. 6 of Ho and Salimans 2022, their w + 1).
        steps, solver
            Of the ODE: ``midpoint`` and ``heun`` evaluate the network twice a step, ``ddim`` once.
        """
        velocity = self._velocity(condition, guidance)
        return self.scaled(SOLVERS[solver](velocity, noise, start, NEAR_DATA, steps))

    def standardize(self, codes: Float[Tensor, "n d"]) -> Float[Tensor, "n d"]:
        """Codes in the units of the network: mean 0 and spread 1 over all cells."""
        return (codes - self.mean_) / self.spread_

    def scaled(self, codes: Float[Tensor, "n d"]) -> Float[Tensor, "n d"]:
        """Codes of the autoencoder from codes in the units of the network."""
        return self.mean_ + self.spread_ * codes

    def _velocity(self, condition: Tensor | None, guidance: float):
        if condition is None or guidance == 1.0:
            return lambda x, time: self.denoiser(x, time, condition)

        def guided(x: Tensor, time: Tensor) -> Tensor:
            free = self.denoiser(x, time)
            return free + guidance * (self.denoiser(x, time, condition) - free)

        return guided


def random_time(uniform: Float[Tensor, " n"]) -> Float[Tensor, " n"]:
    """Times between the ends of the flow for uniform numbers in [0, 1]."""
    return math.pi / 2 * (0.001 + 0.998 * uniform)

"""Losses of the two sides of an adversarial training, and the penalty on the critic's slope."""

from collections.abc import Callable
from typing import NamedTuple, Protocol

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

SMALL = 0.05  # spread of the noise by which a slope is told without a derivative


class CriticLoss(Protocol):
    """Loss of the critic, from its scores of as many images of each kind."""

    def __call__(self, real: Float[Tensor, " n"], made: Float[Tensor, " n"]) -> Float[Tensor, ""]:
        """Mean over the images."""
        ...


class GeneratorLoss(Protocol):
    """Loss of the generator, from the scores of its images, and in pairs of real ones, too."""

    def __call__(
        self, real: Float[Tensor, " n"] | None, made: Float[Tensor, " n"]
    ) -> Float[Tensor, ""]:
        """Mean over the images."""
        ...


class Game(NamedTuple):
    """Losses of both sides, and whether the generator's is of pairs with real images."""

    critic: CriticLoss
    generator: GeneratorLoss
    pairs: bool


def _pairs_critic(real: Tensor, made: Tensor) -> Tensor:
    return functional.softplus(made - real).mean()


def _pairs_generator(real: Tensor | None, made: Tensor) -> Tensor:
    assert real is not None
    return functional.softplus(real - made).mean()


def _single_critic(real: Tensor, made: Tensor) -> Tensor:
    return functional.softplus(-real).mean() + functional.softplus(made).mean()


def _single_generator(real: Tensor | None, made: Tensor) -> Tensor:
    return functional.softplus(-made).mean()


# Jolicoeur-Martineau 2019 and Huang et al. 2024: of each pair the critic says which is real.
# Goodfellow et al. 2014: it says it of single images, and the generator's loss does not saturate.
GAMES: dict[str, Game] = {
    "relativistic": Game(_pairs_critic, _pairs_generator, pairs=True),
    "non_saturating": Game(_single_critic, _single_generator, pairs=False),
}


def squared_slope(
    critic: Callable[[Tensor], Tensor],
    images: Float[Tensor, "n c *space"],
    noise: Float[Tensor, "n voxels"] | None = None,
) -> Float[Tensor, ""]:
    r"""Mean squared length of the critic's gradient at images: R1 of real ones, R2 of made ones.

    Parameters
    ----------
    critic
        Images to scores (n, 1).
    images
        Where the slope is taken.
    noise
        Standard normal numbers, one a voxel: the slope is then
        :math:`E\,(D(x + s e) - D(x))^2 / s^2` for noise e of a small spread s (Lin et al. 2025,
        Diffusion adversarial post-training), which is the same for small s and cheaper. Without
        noise it is computed by a second derivative (Mescheder et al. 2018).
    """
    with torch.autocast(images.device.type, enabled=False):
        images = images.detach().float()
        if noise is not None:
            moved = images + SMALL * noise.reshape(images.shape)
            return ((critic(moved) - critic(images)) / SMALL).square().mean()
        images = images.requires_grad_(True)
        (slope,) = torch.autograd.grad(critic(images).sum(), images, create_graph=True)
        return slope.square().flatten(1).sum(1).mean()


def mean_squared_distance(images: Float[Tensor, "n c *space"]) -> float:
    """E |x - x'|^2 of two images drawn from a set: twice the sum of the variances of its voxels.

    >>> mean_squared_distance(torch.tensor([[[0.0]], [[1.0]]]).reshape(2, 1, 1))
    1.0
    """
    return 2 * float(images.double().var(0).sum())

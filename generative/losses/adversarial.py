"""A discriminator of patches, and the game that a decoder plays with it."""

from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn import functional

LARGEST_WEIGHT = 1e4  # of the adversarial term, where the reconstruction's gradient vanishes


class Game(NamedTuple):
    """What the decoder loses to the discriminator, and the discriminator's own loss."""

    decoder: Float[Tensor, ""]
    discriminator: Float[Tensor, ""]


def patch_discriminator(image_shape: tuple[int, ...], width: int, layers: int) -> nn.Module:
    """MONAI's discriminator of patches, in 2-D and 3-D; its last answer is the score.

    Its weights are drawn from one seed, and nothing else is drawn.
    """
    from monai.networks.nets.patchgan_discriminator import PatchDiscriminator  # takes 1.5 s

    channels, *space = image_shape
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(0)
        return PatchDiscriminator(
            spatial_dims=len(space), channels=width, in_channels=channels, num_layers_d=layers
        )


def play(
    discriminator: nn.Module,
    real: Float[Tensor, "n c *space"],
    made: Float[Tensor, "m c *space"],
    *,
    reconstruction: Float[Tensor, ""],
    last: Float[Tensor, "..."],
    weight: float,
) -> Game:
    """Hinge losses of both sides, in one pass.

    Parameters
    ----------
    real, made
        Images, and what the decoder answered.
    reconstruction
        The loss beside which the decoder's side counts: the gradients of the two at ``last``, the
        decoder's last weights, are brought to one length (eq. 7 of Esser et al. 2021).
    weight
        Of the decoder's side after that.
    """
    # The discriminator judges with its weights held: the first part of the game is not its own.
    held = {name: value.detach() for name, value in discriminator.named_parameters()}
    fooled = -functional_call(discriminator, held, (made,))[-1].float().mean()
    true, false = (discriminator(x)[-1].float() for x in (real, made.detach()))
    found = functional.relu(1 - true).mean() + functional.relu(1 + false).mean()
    return Game(weight * _balance(reconstruction, fooled, last) * fooled, found)


def _balance(reconstruction: Tensor, adversarial: Tensor, last: Tensor) -> Tensor:
    (one,) = torch.autograd.grad(reconstruction, last, retain_graph=True)
    (other,) = torch.autograd.grad(adversarial, last, retain_graph=True)
    return (one.norm() / (other.norm() + 1e-8)).clamp(max=LARGEST_WEIGHT).detach()

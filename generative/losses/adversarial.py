"""A discriminator of patches, and the hinge losses of the two sides of the game."""

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

LARGEST_WEIGHT = 1e4  # of the adversarial term, where the reconstruction's gradient vanishes


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


def generator_loss(
    discriminator: nn.Module,
    made: Float[Tensor, "m c *space"],
    *,
    reconstruction: Float[Tensor, ""],
    last: Float[Tensor, "..."],
    weight: float,
) -> Float[Tensor, ""]:
    """Hinge loss of what made the images, weighed against its reconstruction loss.

    The discriminator's own parameters are to be held: this part of the game is not its own.

    Parameters
    ----------
    made
        What the decoder answered.
    reconstruction
        The loss beside which this one counts: the gradients of the two at ``last``, the decoder's
        last weights, are brought to one length (eq. 7 of Esser et al. 2021).
    weight
        Of this loss after that.
    """
    fooled = -discriminator(made)[-1].float().mean()
    return weight * _balance(reconstruction, fooled, last) * fooled


def discriminator_loss(
    discriminator: nn.Module,
    real: Float[Tensor, "n c *space"],
    made: Float[Tensor, "m c *space"],
) -> Float[Tensor, ""]:
    """Hinge loss of the discriminator: images above 1, made ones below -1."""
    true, false = (discriminator(x)[-1].float() for x in (real, made.detach()))
    return functional.relu(1 - true).mean() + functional.relu(1 + false).mean()


def _balance(reconstruction: Tensor, adversarial: Tensor, last: Tensor) -> Tensor:
    (one,) = torch.autograd.grad(reconstruction, last, retain_graph=True)
    (other,) = torch.autograd.grad(adversarial, last, retain_graph=True)
    return (one.norm() / (other.norm() + 1e-8)).clamp(max=LARGEST_WEIGHT).detach()

"""Whether a space decodes with a gradient, which a search may follow."""

import torch

from latentopt.space.latent_space import LatentSpace

__all__ = ["decodes_with_gradient"]


def decodes_with_gradient(space: LatentSpace) -> bool:
    """Whether decoded images have a gradient with respect to the points; one point is decoded.

    A space that is served over HTTP has none, nor has one whose decoder computes with NumPy. What
    goes wrong without a gradient, too, is raised.
    """
    z = space.sample(1, seed=0)
    try:
        with torch.enable_grad():
            return space.decode(z.clone().requires_grad_()).requires_grad
    except (TypeError, RuntimeError):
        space.decode(z)
        return False

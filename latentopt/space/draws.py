"""Draws of the standard normal distribution that latent points are whitened to."""

import torch
from jaxtyping import Float
from torch import Tensor


def normal_draws(n: int, dim: int, seed: int) -> Float[Tensor, "{n} {dim}"]:
    """Standard normal points, float64; the same for the same seed."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randn((n, dim), dtype=torch.float64, generator=generator)


def truncated(z: Float[Tensor, "n d"], factor: float) -> Float[Tensor, "n d"]:
    r"""Points moved to the mean, :math:`w = \bar w + \psi\,(w - \bar w)`, which is 0 in z.

    With smaller factors fewer structures are unlikely, and all are more alike.

    Parameters
    ----------
    z
        Whitened points: noise, or styles or codes whose mean and spread are taken out.
    factor
        Above 0, at most 1.

    Raises
    ------
    ValueError
        For another factor.

    References
    ----------
    .. [1] Karras et al. (2019), A style-based generator architecture for generative adversarial
       networks, section 2.1 and appendix B.
    """
    if not 0 < factor <= 1:
        raise ValueError(
            f"truncation should be above 0 and at most 1, got {factor:g}. 1 leaves points where "
            "they are; near 0 all structures are alike."
        )
    return factor * z

"""Draws of the standard normal distribution that latent points are whitened to."""

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor


def normal_draws(n: int, dim: int, seed: int) -> Float[Tensor, "{n} {dim}"]:
    """Standard normal points, float64; the same for the same seed.

    A ``ValueError`` refuses a number of points that is no whole number, or below 0.
    """
    if isinstance(n, bool) or not isinstance(n, int | np.integer) or n < 0:
        raise ValueError(f"n should be a whole number of points from 0, got {n!r}.")
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
    if not isinstance(factor, int | float | np.floating) or not 0 < factor <= 1:
        raise ValueError(
            f"truncation should be above 0 and at most 1, got {factor!r}. 1 leaves points where "
            "they are; near 0 all structures are alike."
        )
    return factor * z

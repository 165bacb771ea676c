"""The normal distribution of codes: what a latent space without a prior is sampled from."""

import torch
from jaxtyping import Float
from torch import Tensor


def gaussian_codes(codes: Float[Tensor, "m d"], n: int, *, seed: int = 0) -> Float[Tensor, "{n} d"]:
    """Draws from the normal distribution with the mean and covariance of codes.

    >>> codes = torch.tensor([[0.0, 1.0], [2.0, 1.0]])
    >>> gaussian_codes(codes, 3)[:, 1]
    tensor([1., 1., 1.])
    """
    known = codes.double().cpu()
    mean = known.mean(0)
    # Any square root of the covariance will do: this one has no more rows than codes or cells.
    root = torch.linalg.qr(known - mean, mode="r").R / len(known) ** 0.5
    generator = torch.Generator().manual_seed(seed)
    weights = torch.randn(n, len(root), generator=generator, dtype=torch.float64)
    return (mean + weights @ root).to(codes)

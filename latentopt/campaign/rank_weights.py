"""Weights by rank: how often a structure is seen when a model is trained on good and known ones."""

import numpy as np
from jaxtyping import Float, Float64

__all__ = ["rank_weights"]


def rank_weights(
    values: Float[np.ndarray, " n"], *, k: float = 1e-3, unvalued: int = 0
) -> Float64[np.ndarray, " m"]:
    r"""Weights :math:`w_i \propto 1 / (k N + \mathrm{rank}_i)` that sum to 1; the best has rank 0.

    Equal values share the mean weight of their ranks. Items without a value are taken to stand
    behind all others in unknown order, so each has the mean weight of the ranks left.

    Parameters
    ----------
    values
        Larger is better.
    k
        Small: the best items alone; large: all alike.
    unvalued
        How many items without a value follow those of `values`; N counts both.

    Returns
    -------
    One weight for each item, those of `values` first.

    References
    ----------
    .. [1] Tripp, Daxberger, Hernandez-Lobato (2020), Sample-Efficient Optimization in the Latent
       Space of Deep Generative Models via Weighted Retraining, section 3, the rank weight function.

    Examples
    --------
    >>> rank_weights(np.array([1.0, 3.0]), k=0.5).round(3).tolist()  # 1/(1+1) and 1/(1+0)
    [0.333, 0.667]
    >>> rank_weights(np.array([2.0]), k=1e9, unvalued=3).round(3).tolist()
    [0.25, 0.25, 0.25, 0.25]
    """
    n = len(values) + unvalued
    if n == 0 or not k > 0 or not np.isfinite(values).all():
        raise ValueError(
            f"expected finite values of one item or more and k above 0, got {n} items and k={k}."
        )
    by_rank = 1.0 / (k * n + np.arange(n))
    by_rank /= by_rank.sum()
    weights = np.full(n, by_rank[len(values) :].mean() if unvalued else 0.0)
    for value in np.unique(values):
        tied = np.flatnonzero(values == value)
        first = int((values > value).sum())
        weights[tied] = by_rank[first : first + len(tied)].mean()
    return weights

"""Images drawn by their weights, for what learns from a set of them at once."""

import numpy as np
from jaxtyping import Float, Int64


def resampled_rows(
    weights: Float[np.ndarray, " n"], seed: int, *, least: int
) -> Int64[np.ndarray, " m"]:
    """As many rows as there are weights, each as often as its weight has it on average.

    Parameters
    ----------
    weights
        Of each row; they sum to 1.
    seed
        Fixes the rows.
    least
        Different rows that are needed: where fewer are drawn, all rows come before them once.

    Examples
    --------
    >>> resampled_rows(np.array([0.0, 1.0, 0.0]), 0, least=1).tolist()
    [1, 1, 1]
    >>> resampled_rows(np.array([0.0, 1.0, 0.0]), 0, least=2).tolist()
    [0, 1, 2, 1, 1, 1]
    """
    rows = np.random.default_rng(seed).choice(len(weights), size=len(weights), p=weights)
    if len(np.unique(rows)) < least:
        rows = np.concatenate([np.arange(len(weights)), rows])
    return rows

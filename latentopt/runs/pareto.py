"""Trade-offs between several objectives: what nothing surpasses, and how much it commands."""

from collections.abc import Sequence
from typing import TypeVar

import numpy as np
from jaxtyping import Bool, Float

__all__ = ["along", "hypervolume", "non_dominated"]


_T = TypeVar("_T")


def non_dominated(values: Float[np.ndarray, "n m"]) -> Bool[np.ndarray, " n"]:
    """Which rows no other row surpasses: larger is better, and equal rows surpass neither.

    >>> non_dominated(np.array([[1.0, 3.0], [2.0, 2.0], [1.0, 2.0]])).tolist()
    [True, True, False]
    """
    return np.array(
        [not ((values >= row).all(1) & (values > row).any(1)).any() for row in values], dtype=bool
    )


def along(front: Sequence[_T], n: int) -> list[_T]:
    """At most n members of a front, evenly from one end to the other.

    >>> along("abcdefg", 3)
    ['a', 'd', 'g']
    """
    places = np.linspace(0, len(front) - 1, min(n, len(front)))
    return [front[k] for k in dict.fromkeys(round(place) for place in places)]


def hypervolume(values: Float[np.ndarray, "n m"], reference: Float[np.ndarray, " m"]) -> float:
    """Volume between a reference point and the rows that are better than it in all objectives.

    Exact, by slices along the last objective [1]_: quick for the tens of points and two to four
    objectives of a campaign.

    Parameters
    ----------
    values
        Larger is better.
    reference
        Rows that do not exceed it everywhere add nothing.

    Returns
    -------
    Volume in the product of the objectives' units.

    References
    ----------
    .. [1] While et al. (2006), A Faster Algorithm for Calculating Hypervolume, section 2.

    Examples
    --------
    >>> hypervolume(np.array([[2.0, 1.0], [1.0, 2.0]]), np.zeros(2))
    3.0
    """
    above = values[(values > reference).all(1)] - reference
    return _volume(above)


def _volume(points: Float[np.ndarray, "n m"]) -> float:
    """Volume of the union of the boxes from the origin to each point."""
    if not len(points):
        return 0.0
    if points.shape[1] == 1:
        return float(points.max())
    points = points[non_dominated(points)]
    points = points[np.argsort(-points[:, -1])]
    floors = np.append(points[1:, -1], 0.0)
    return sum(
        float(top - floor) * _volume(points[: k + 1, :-1])
        for k, (top, floor) in enumerate(zip(points[:, -1], floors, strict=True))
        if top > floor
    )

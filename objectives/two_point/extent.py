"""How far a phase is correlated with itself, and how much further in one direction."""

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Float64
from scipy import ndimage

from objectives.arrays import Array, as_tensor
from objectives.images import checked_images, phase_indicator
from objectives.two_point.correlation import two_point_statistics

UNIFORM = 1e-6  # variance below which there is nothing to correlate


@dataclass(frozen=True, eq=False)
class CorrelationExtent:
    """Of each image; NaN where the phase is nowhere or everywhere.

    Parameters
    ----------
    length
        Correlation length in voxels.
    anisotropy
        Length along the longest axis over that along the shortest; 1 is isotropic.
    """

    length: Float64[np.ndarray, " n"]
    anisotropy: Float64[np.ndarray, " n"]


def correlation_extent(images: Float[Array, "n c *space"], *, phase: int = 1) -> CorrelationExtent:
    r"""Size and elongation of the set of shifts at which a phase is still like itself.

    It is the set around shift zero at which the autocovariance of the phase,
    :math:`S_2(r) - f^2`, is at least 1/e of its value at zero. The correlation length is the
    radius of the disc (ball) of its area (volume); for an autocovariance :math:`e^{-r/l}` that is
    l. The anisotropy is the square root of the ratio of the largest to the smallest second moment
    of the set: the ratio of the axes, if it is an ellipse. Images are taken as periodic.

    Parameters
    ----------
    images
        In [0, 1].
    phase
        Its number.

    Raises
    ------
    EvaluationError
        (A ``ValueError``.) The images are not images, or have no such phase.

    Examples
    --------
    >>> blocks = np.kron(np.eye(2), np.ones((8, 8)))[None, None]
    >>> found = correlation_extent(blocks)
    >>> found.length.round(2), found.anisotropy.round(2)
    (array([2.59]), array([1.]))
    """
    x = phase_indicator(checked_images(as_tensor(images)), phase).double()
    fraction = x.flatten(1).mean(1)
    variance = x.flatten(1).var(1, correction=0)
    covariance = two_point_statistics(x)[:, 0]
    covariance = covariance - fraction.square()[(..., *[None] * (covariance.ndim - 1))]
    least = variance[(..., *[None] * (covariance.ndim - 1))] / math.e
    alike = (covariance >= least).cpu().numpy()
    empty = (variance < UNIFORM).cpu().numpy()
    found = [
        (math.nan, math.nan) if nothing else _size_and_elongation(each)
        for each, nothing in zip(alike, empty, strict=True)
    ]
    length, anisotropy = np.array(found, dtype=np.float64).reshape(-1, 2).T
    return CorrelationExtent(length, anisotropy)


def _size_and_elongation(alike: Bool[np.ndarray, "*shifts"]) -> tuple[float, float]:
    """Of the part of a set that holds shift zero, which is at the centre."""
    centre = tuple(n // 2 for n in alike.shape)
    parts, _ = ndimage.label(alike)
    places = np.argwhere(parts == parts[centre]) - np.array(centre)
    dim = alike.ndim
    ball = math.pi ** (dim / 2) / math.gamma(dim / 2 + 1)
    # A voxel is a cube of side 1, which has a moment of its own.
    moments = places.T @ places / len(places) + np.eye(dim) / 12
    values = np.linalg.eigvalsh(moments)
    return (len(places) / ball) ** (1 / dim), math.sqrt(values[-1] / values[0])

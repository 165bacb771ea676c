"""Structures as a few numbers, without torch: phase fractions and short correlations."""

import numpy as np
from jaxtyping import Float, Integer

__all__ = ["correlation_features"]

_SHIFTS = (1, 2, 4, 8)  # voxels along each axis
_UNIT = 0.2  # what fractions and correlations typically differ by


def correlation_features(
    phases: Integer[np.ndarray, "*space"],
) -> Float[np.ndarray, " k"]:
    r"""Fraction of each phase but the first, and how it correlates with itself along each axis.

    The correlation at a shift :math:`r` is :math:`(S_2(r) - f^2) / (f - f^2)` of the two-point
    function :math:`S_2` and the fraction :math:`f` of the phase [1]_, 1 where the voxels are the
    same and 0 where they have nothing in common; 0 for a phase that is nowhere or everywhere.
    Structures repeat beyond their faces.

    Parameters
    ----------
    phases
        Phase of each voxel, 0, 1, ...

    Returns
    -------
    As many for each phase from 1 to the last one that is there; for phase 1 always. All are in
    units of what structures typically differ by, so that distances weigh them alike.

    References
    ----------
    .. [1] Torquato (2002), Random Heterogeneous Materials, section 2.1.

    Examples
    --------
    >>> stripes = np.tile(np.array([0, 1], dtype=np.uint8), (4, 2))
    >>> correlation_features(stripes)[:3]  # fraction 1/2; alike along y, opposite along x
    array([2.5, 5. , 5. ])
    """
    features = []
    for phase in range(1, max(2, 1 + int(phases.max()))):
        m = (phases == phase).astype(np.float64)
        f = m.mean()
        features.append(f)
        for axis, side in enumerate(phases.shape):
            for shift in (r for r in _SHIFTS if 2 * r <= side):
                covariance = (m * np.roll(m, shift, axis)).mean() - f * f
                features.append(covariance / (f - f * f) if 0 < f < 1 else 0.0)
    return np.array(features) / _UNIT

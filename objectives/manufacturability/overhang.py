"""How flat the surfaces are that face the build plate."""

from typing import Literal

import numpy as np
from jaxtyping import Bool, Float64
from pydantic import Field
from scipy import ndimage

from objectives.manufacturability.rule import Measured, Rule
from objectives.manufacturability.structure import Structure

# Voxel stairs are smoothed by a Gaussian of this many voxels before their slope is read.
SMOOTHING = 1.5
# Gradients a voxel below this are the smooth tails beside a surface, not the surface (.27 itself).
FAINTEST = 0.05


class Overhang(Rule):
    """Surfaces that face the build plate should not lean too far from the build axis.

    The value is the angle between surface and build axis, in degrees: 0 for a vertical wall, 45 for
    a chamfer, 90 for a ceiling. A share `tolerated` of the surface that faces down may lean further
    (the bottom of a round pore's roof is always flat). Slopes are those of the image smoothed by
    1.5 voxels (of boxes, by 1.5 of their longest edge in every direction). The first layer along
    the axis stands on the plate, unless the image is periodic. Surfaces within twice that of an
    open side face are not judged: how they go on is not known. Without surfaces that face down the
    value is 0.
    """

    kind: Literal["overhang"] = "overhang"
    unit = "deg"
    at_least = False
    limit_deg: float = Field(
        default=45.0,
        ge=0,
        le=90,
        description="Largest angle allowed between a surface that faces down and the build axis, "
        "in degrees: 0 is a vertical wall, 90 a ceiling.",
    )
    axis: int = Field(
        default=0,
        ge=0,
        le=2,
        description="Build axis of the image, along which layers are added towards higher "
        "indices; 0 is z in 3-D and y in 2-D.",
    )
    tolerated: float = Field(
        default=0.05,
        ge=0,
        lt=1,
        description="Share of the surface facing down that may exceed the limit. 0 tolerates none.",
    )

    @property
    def bound(self) -> float:
        """The largest angle in degrees."""
        return self.limit_deg

    def measure(self, structure: Structure) -> Measured:
        """Angle that only the tolerated share exceeds, and the solid voxels over the limit."""
        structure.check_axis(self.axis)
        gradient = _gradient(structure)
        steepness = np.sqrt((gradient**2).sum(0))
        up = gradient[self.axis]
        # Area of the surface: the integral of the gradient (coarea formula).
        down = (up > 1e-9) & (steepness > FAINTEST) & structure.solid & self._judged(structure)
        angle = np.degrees(np.arcsin(np.clip(up[down] / steepness[down], 0, 1)))
        value = _quantile(angle, steepness[down], 1 - self.tolerated)
        too_flat = structure.nothing()
        if value > self.limit_deg:
            too_flat[down] = angle > self.limit_deg
        return value, too_flat

    def _judged(self, structure: Structure) -> Bool[np.ndarray, "*space"]:
        judged = ~structure.nothing()
        for axis, (n, sigma) in enumerate(zip(judged.shape, _sigmas(structure), strict=True)):
            skipped = min(round(2 * sigma), n // 4)
            if axis != self.axis and skipped and not structure.periodic:
                layers = np.moveaxis(judged, axis, 0)
                layers[:skipped] = layers[-skipped:] = False
        return judged


def _sigmas(structure: Structure) -> list[float]:
    """Voxels along each axis by which the image is smoothed."""
    sides = list(zip(structure.share.shape, structure.edges_um, strict=True))
    longest = max((edge for n, edge in sides if n > 1), default=1.0)
    return [SMOOTHING * (longest / edge if n > 1 else 1) for n, edge in sides]


def _gradient(structure: Structure) -> Float64[np.ndarray, "dim *space"]:
    """Of the smoothed share, for a length of a voxel (its longest edge) along each axis."""
    mode = "wrap" if structure.periodic else "nearest"
    sigmas, orders = _sigmas(structure), np.eye(structure.share.ndim, dtype=int)
    return np.stack(
        [
            sigma / SMOOTHING * ndimage.gaussian_filter(structure.share, sigmas, order, mode=mode)
            for sigma, order in zip(sigmas, orders.tolist(), strict=True)
        ]
    )


def _quantile(values: np.ndarray, weights: np.ndarray, share: float) -> float:
    """Value below which a share of the weight lies, linear between values; 0 of none."""
    if not values.size:
        return 0.0
    values = np.round(values, 6)  # equal ones in spite of rounding, in one order for all images
    order = np.lexsort((weights, values))
    values, weights = values[order], weights[order]
    middle = np.cumsum(weights) - weights / 2
    return float(np.interp(share * weights.sum(), middle, values))

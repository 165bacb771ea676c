"""Whether opposite faces of an image fit together."""

from typing import Literal

import numpy as np
from pydantic import Field

from objectives.manufacturability.rule import Measured, Rule
from objectives.manufacturability.structure import Structure


class PeriodicSeam(Rule):
    """Cells that are tiled should fit: opposite faces differ no more than neighbouring layers.

    The value is the mean difference of the solid's share between the last layer and the first,
    less that between neighbouring layers inside, of the worst axis. It is about 0 for a periodic
    image, wherever it is cut, and does not depend on whether the image is taken to be periodic. It
    is of these faces: shifting an image that is not periodic in truth moves its seam inside.
    Axes of one voxel have no seam.
    """

    kind: Literal["periodic_seam"] = "periodic_seam"
    unit = "1"
    at_least = False
    limit: float = Field(
        default=0.05,
        ge=0,
        le=1,
        description="Largest amount by which opposite faces may differ more than neighbouring "
        "layers do, as a mean absolute difference of the solid's share.",
    )

    @property
    def bound(self) -> float:
        """The largest excess allowed."""
        return self.limit

    def measure(self, structure: Structure) -> Measured:
        """Excess of the worst axis, and the voxels of the faces whose phases differ."""
        excess, blamed = [0.0] if max(structure.share.shape) == 1 else [], structure.nothing()
        for axis, n in enumerate(structure.share.shape):
            if n == 1:
                continue
            layers = np.moveaxis(structure.share, axis, 0)
            seam = np.abs(layers[-1] - layers[0])
            excess.append(float(seam.mean() - np.abs(np.diff(layers, axis=0)).mean()))
            if excess[-1] > self.limit:
                faces = np.moveaxis(blamed, axis, 0)
                faces[0] |= seam > 0.5
                faces[-1] |= seam > 0.5
        return max(excess), blamed

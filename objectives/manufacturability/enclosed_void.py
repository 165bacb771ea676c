"""Void without a way out."""

from typing import Literal

import numpy as np
from pydantic import Field

from objectives.manufacturability.rule import Measured, Rule
from objectives.manufacturability.structure import Structure


class EnclosedVoid(Rule):
    """Powder, resin and binder should have a way out of every pore.

    The value is the share of the image's volume in void that touches no face of the image (in a
    periodic image: void that is not endless); partly filled voxels count by their share. It is
    continuous as pores grow and shrink, and jumps where one opens. An image of one voxel's
    thickness is a section: there is no way out across it.
    """

    kind: Literal["enclosed_void"] = "enclosed_void"
    unit = "1"
    at_least = False
    limit: float = Field(
        default=0.0,
        ge=0,
        le=1,
        description="Largest share of the image's volume that may be enclosed void.",
    )

    @property
    def bound(self) -> float:
        """The largest share allowed."""
        return self.limit

    def measure(self, structure: Structure) -> Measured:
        """Share of enclosed void, and where it is."""
        clusters = structure.void_clusters
        ways_out = [axis for axis, n in enumerate(structure.share.shape) if n > 1]
        is_open = (clusters.spans | clusters.touches)[:, ways_out].any(1)
        is_open[0] = True
        enclosed = ~is_open[clusters.labels]
        volume = np.where(enclosed, 1.0 - structure.share, 0.0).sum()
        return float(volume / enclosed.size), enclosed

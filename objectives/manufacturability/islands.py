"""Solid that is connected to nothing."""

from typing import Literal

import numpy as np
from pydantic import Field

from objectives.manufacturability.rule import Measured, Rule
from objectives.manufacturability.structure import Structure


class Islands(Rule):
    """Solid should hang together, or stand on the build plate: loose pieces fall out.

    The value is the share of the solid's volume that is not connected to the largest piece (or to
    the plate); partly filled voxels count by their share. It is continuous as pieces grow and
    shrink, and jumps where one becomes attached. 0 without solid. Of the largest pieces, where
    several are equally large, any may be the one that stays: all of them are offending voxels.
    """

    kind: Literal["islands"] = "islands"
    unit = "1"
    at_least = False
    limit: float = Field(
        default=0.0,
        ge=0,
        le=1,
        description="Largest share of the solid's volume that may be loose.",
    )
    anchor: Literal["largest", "plate"] = Field(
        default="largest",
        description='Solid that does not count as loose: "largest" is the largest connected '
        'piece, "plate" is every piece that touches the build plate.',
    )
    axis: int = Field(
        default=0,
        ge=0,
        le=2,
        description="Build axis of the image, whose layer 0 lies on the build plate; 0 is z in "
        "3-D and y in 2-D. Only the anchor plate uses it.",
    )

    @property
    def bound(self) -> float:
        """The largest share allowed."""
        return self.limit

    def measure(self, structure: Structure) -> Measured:
        """Share of loose solid, and where it is."""
        structure.check_axis(self.axis)
        labels = structure.solid_clusters.labels
        volumes = np.bincount(labels.ravel(), weights=structure.share.ravel())
        volumes[0] = 0.0
        whole = max(volumes.sum(), 1e-300)
        if self.anchor == "plate":
            held = np.isin(np.arange(len(volumes)), np.take(labels, 0, self.axis))
            loose = float(volumes[~held].sum() / whole)
        else:
            held = volumes >= volumes.max() * (1 - 1e-9)
            loose = float((volumes.sum() - volumes.max()) / whole)
            held &= held[1:].sum() < 2
        return loose, structure.solid & ~held[labels]

"""Smallest gap between particles."""

from math import ceil
from typing import Literal

import numpy as np
from pydantic import Field
from scipy import ndimage

from objectives.manufacturability.clusters import find_clusters
from objectives.manufacturability.depth import MARGIN
from objectives.manufacturability.rule import Measured, Rule
from objectives.manufacturability.structure import Structure


class MinGap(Rule):
    """Particles and fibres should keep apart, or resin and powder do not get between them.

    The value is the smallest distance between the surfaces of two particles: ``g`` voxels for two
    walls with ``g`` voxels between them. Particles that touch are one, unless `erosion_um` tells
    them apart: each is then what is left of it at that depth (particles less deep are left out),
    and the gap is the distance of these cores less their depth. It is 0 for discs that touch and
    negative where they overlap, without a jump, until they are one at that depth too. With fewer
    than two particles the value is the longest edge of the image, and never more. A particle's own
    image in the next cell is no other particle.
    """

    kind: Literal["min_gap"] = "min_gap"
    limit_um: float = Field(gt=0, description="Smallest gap allowed.")
    erosion_um: float = Field(
        default=0.0,
        ge=0,
        description="Depth at which touching particles come apart, such as 2/3 of their radius.",
    )

    @property
    def bound(self) -> float:
        """The limit in micrometres."""
        return self.limit_um

    def measure(self, structure: Structure) -> Measured:
        """Smallest gap, and the voxels half-way between particles that are too close."""
        erosion = self.erosion_um / structure.voxel_size_um
        depth = structure.depth_of_centres
        cores = structure.solid & (depth >= erosion)
        labels = find_clusters(cores, periodic=structure.periodic).labels
        if labels.max() < 2:
            return structure.longest_edge * structure.voxel_size_um, structure.nothing()
        gaps, place = _between(labels, depth, structure.periodic)
        gaps = np.minimum(gaps, structure.longest_edge) * structure.voxel_size_um
        value = float(gaps.min(initial=structure.longest_edge * structure.voxel_size_um))
        blamed = structure.nothing()
        blamed[tuple(place[:, gaps < self.limit_um])] = True
        return value, blamed


def _between(
    labels: np.ndarray, depth: np.ndarray, periodic: bool
) -> tuple[np.ndarray, np.ndarray]:
    """Gaps in voxels, each seen from a voxel whose neighbour is nearest to another core; and where.

    On the straight line across the narrowest gap the nearest core changes: the pair of voxels
    there has the ends of the line as its nearest. The depth of an end is how far the surface is.
    """
    margin = MARGIN[labels.ndim]
    while True:
        pads = [min(margin, -(-n // 2)) if periodic else 0 for n in labels.shape]
        padded = np.pad(labels, [(p, p) for p in pads], mode="wrap") if any(pads) else labels
        nearest = ndimage.distance_transform_edt(
            padded == 0, return_distances=False, return_indices=True
        )
        owner, before = padded[tuple(nearest)], np.array(pads)[:, None]
        sizes = np.array(labels.shape)[:, None]
        gaps, places, narrowest = [], [], np.inf
        for axis in range(labels.ndim):
            where = np.argwhere(np.diff(owner, axis=axis) != 0).T
            beyond = where + np.eye(labels.ndim, dtype=int)[axis][:, None]
            ends = [nearest[(slice(None), *pixel)] for pixel in (where, beyond)]
            apart = np.sqrt(((ends[0] - ends[1]) ** 2).sum(0))
            gaps.append(apart - sum(depth[tuple((end - before) % sizes)] for end in ends))
            places.append((where - before) % sizes)
            narrowest = min(narrowest, apart.min(initial=np.inf))
        # The middle of a gap is in the image or its copy, its ends within half of it.
        needed = min(narrowest / 2 + 2, max(labels.shape) / 2)
        if not periodic or needed <= margin or margin >= max(labels.shape) / 2:
            return np.concatenate(gaps), np.concatenate(places, 1)
        margin = ceil(needed)

"""Smallest gap between particles."""

from typing import Literal

from pydantic import Field

from objectives.manufacturability.clusters import find_clusters
from objectives.manufacturability.depth import depth_inside
from objectives.manufacturability.gaps import ROUNDING, Particles, closest_pairs, middles
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
    limit_um: float = Field(
        gt=0, description="Smallest gap allowed between two particles, in micrometres."
    )
    erosion_um: float = Field(
        default=0.0,
        ge=0,
        description="Depth of erosion that separates touching particles, in micrometres, such as "
        "2/3 of their radius. With 0, particles that touch count as one.",
    )

    @property
    def bound(self) -> float:
        """The limit in micrometres."""
        return self.limit_um

    def measure(self, structure: Structure) -> Measured:
        """Smallest gap, and the voxels half-way between particles that are too close."""
        most, depth = structure.longest_edge_um, structure.depth_of_centres
        # Rounding must not decide what is as deep as the erosion.
        cores = structure.solid & (depth >= self.erosion_um - ROUNDING * structure.unit_um)
        labels = find_clusters(cores, periodic=structure.periodic).labels
        if labels.max() < 2:
            return most, structure.nothing()
        own, _ = depth_inside(cores * 1.0, periodic=structure.periodic, edges=structure.edges_um)
        particles = Particles(labels, depth - own, structure.edges_um, structure.periodic)
        here, there, gaps = closest_pairs(particles, self.limit_um)
        close = gaps < self.limit_um
        blamed = middles((here[close], there[close]), particles)
        return min(most, float(gaps.min())), blamed

"""Closest voxels of different particles, by trees instead of all pairs."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product

import numpy as np
from jaxtyping import Bool, Float64, Int
from scipy.spatial import KDTree

ROUNDING = 1e-7

Ends = Int[np.ndarray, "n dim"]


@dataclass(frozen=True)
class Particles:
    """Voxels of particles, and how far their surfaces lie beyond them.

    Attributes
    ----------
    labels
        Number of the particle of each voxel, from 1; 0 elsewhere. There are two or more.
    beyond
        Distance from the faces of a particle's outermost voxels to the surface that is meant.
    edges
        Edge of a voxel along each axis: the unit of `beyond` and of gaps.
    periodic
        Whether the image repeats.
    """

    labels: Int[np.ndarray, "*space"]
    beyond: Float64[np.ndarray, "*space"]
    edges: tuple[float, ...]
    periodic: bool

    @property
    def unit(self) -> float:
        """Shortest edge, of the axes of more than one voxel."""
        sides = zip(self.labels.shape, self.edges, strict=True)
        return min((edge for n, edge in sides if n > 1), default=self.edges[-1])


def closest_pairs(
    particles: Particles, within: float
) -> tuple[Ends, Ends, Float64[np.ndarray, "n"]]:
    """Pairs of voxels at the surfaces of two particles, each the closest of the other.

    A voxel may have several that are equally close. Pairs are left out if their gap is neither less
    than `within` nor the smallest of all.

    Returns
    -------
    Places of both ends, and the gaps.
    """
    where = np.argwhere(_at_surface(particles))
    beyond, unit = particles.beyond[tuple(where.T)], particles.unit
    longer = np.array(particles.edges) - unit
    # The nearest centre need not have the smallest gap: by so much it may be another's.
    slack = np.sqrt(np.square(longer).sum()) + np.ptp(beyond) + ROUNDING * unit
    halves = list(_halves(where, particles))

    def gaps(first: np.ndarray, second: np.ndarray) -> np.ndarray:
        apart = _apart(where[first], where[second], particles)
        return apart - unit - beyond[first] - beyond[second]

    nearest, bound, least = np.full(len(where), np.inf), np.inf, np.inf
    for asked, others, points, tree in halves:
        away, found = tree.query(points, distance_upper_bound=bound)
        nearest[asked] = np.minimum(nearest[asked], away)
        near = np.isfinite(away)
        least = min(least, gaps(asked[near], others[found[near]]).min(initial=np.inf))
        bound = max(least, within) + unit + 2 * beyond.max() + slack
    first, second = [], []
    for asked, others, points, tree in halves:
        near = nearest[asked] <= bound
        lists = tree.query_ball_point(points[near], nearest[asked][near] + slack)
        first.append(np.repeat(asked[near], [len(found) for found in lists]))
        second.append(others[np.concatenate([[], *lists]).astype(np.intp)])
    first, second = np.concatenate(first), np.concatenate(second)
    found, smallest = gaps(first, second), np.full(len(where), np.inf)
    np.minimum.at(smallest, first, found)
    best = found <= np.minimum(smallest[first], smallest[second]) + ROUNDING * unit
    return where[first[best]], where[second[best]], found[best]


def middles(ends: tuple[Ends, Ends], particles: Particles) -> Bool[np.ndarray, "*space"]:
    """The voxels half-way between two ends; both where that is between two voxels."""
    found, size = np.zeros(particles.labels.shape, bool), np.array(particles.labels.shape)
    for here, there in (ends, ends[::-1]):  # half a period away there is a middle on either side
        way = there - here
        if particles.periodic:
            way = (way + size // 2) % size - size // 2
        for up in product((0, 1), repeat=way.shape[1]):
            found[tuple(((here + (way + np.array(up)) // 2) % size).T)] = True
    return found


def _at_surface(particles: Particles) -> Bool[np.ndarray, "*space"]:
    """Voxels of particles with a neighbour over a face that is not of the same one."""
    labels, bare = particles.labels, np.zeros(particles.labels.shape, bool)
    for axis in range(labels.ndim):
        differs = np.roll(labels, -1, axis) != labels
        if not particles.periodic:
            np.moveaxis(differs, axis, 0)[-1] = False
        bare |= differs | np.roll(differs, 1, axis)
    return bare & (labels > 0)


def _halves(
    where: Ends, particles: Particles
) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray, KDTree]]:
    """Voxels to ask of, the others, places of the first and a tree of the others.

    By every digit of their binary numbers the particles are parted in two: two particles differ in
    a digit, so that each meets every other one.
    """
    edges = np.array(particles.edges)
    box = edges * particles.labels.shape if particles.periodic else None
    number, points = particles.labels[tuple(where.T)] - 1, where * edges
    for digit in range(int(number.max()).bit_length()):
        one = (number >> digit) % 2 == 1
        sides = [np.flatnonzero(side) for side in (one, ~one)]
        for asked, others in (sides, sides[::-1]):
            yield asked, others, points[asked], KDTree(points[others], boxsize=box)


def _apart(first: Ends, second: Ends, particles: Particles) -> Float64[np.ndarray, "n"]:
    """Distance of centres of cubes, for boxes of the cubes that they could be cut into."""
    steps = np.abs(first - second)
    if particles.periodic:
        steps = np.minimum(steps, np.array(particles.labels.shape) - steps)
    edges = np.array(particles.edges)
    away = np.where(steps > 0, steps * edges - (edges - particles.unit), 0.0)
    return np.sqrt(np.square(away).sum(1))

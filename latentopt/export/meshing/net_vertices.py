"""Vertices of a surface net: what they stand for, as numbers, and where they are.

Each belongs to a node of the lattice and has a slot there: the node itself, the point where one of
the six edges leaves the node's ball, or the middle of the edge along one of three axes. Along an
edge where a phase is joined each has a copy for each of the two voxels that the bridge parts.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64, Int64

from latentopt.export.meshing.touching_voxels import NOBODY, Touching
from latentopt.export.voxel_grid import VoxelGrid

_ITSELF, _MIDDLE = 6, 7  # slots after those of the six directions
_SLOTS = 10
_COPIES, _ONLY = 9, 8  # one for each of eight octants around the node, and one for no voxel
# In voxels. All vertices of a node stay within half a voxel of it along each axis, so the line
# between the centres of two voxels meets the face between these two and no other.
MOST_SMOOTHED = 0.35
_MOST_SMOOTHED_AT_BALL = 0.2
_RADIUS = 0.2  # of a ball, as a share of the edge
_PARTED = 0.1  # half the width of a bridge, along each axis

Numbers = Int64[np.ndarray, "*any"]


@dataclass(frozen=True)
class NetVertices:
    """Codes of the vertices of one structure, and their places.

    Parameters
    ----------
    grid
        The structure.
    touching
        Who is joined where.
    shifts
        How far smoothing moves each node, in voxels.
    """

    grid: VoxelGrid
    touching: Touching
    shifts: Float64[np.ndarray, "nodes 3"]

    def at(self, node: Numbers) -> Numbers:
        """The node itself."""
        return _code(node, _ITSELF, _ONLY)

    def on_edge(self, node: Numbers, direction: Numbers, voxel: Numbers, other: Numbers) -> Numbers:
        """Where an edge leaves the ball of a node, on the face between two voxels.

        Out of the box no edge leads; there it is the node itself.
        """
        axis, far = np.divmod(direction, 2)
        low = np.where(far == 1, node, node + self.grid.step[direction])
        last = np.array(self.grid.shape)[axis] - 2
        place = np.take_along_axis(self.grid.place(node), axis[..., None], -1)[..., 0]
        inside = np.where(far == 1, place < last, place > 0)
        copy = self._copy(node, np.where(inside, low, node), axis, voxel, other)
        return np.where(inside, _code(node, direction, copy), self.at(node))

    def middle(self, low: Numbers, axis: Numbers, voxel: Numbers, other: Numbers) -> Numbers:
        """The middle of an edge on the face between two voxels; -1 where nobody is joined."""
        copy = self._copy(low, low, axis, voxel, other)
        return np.where(copy == _ONLY, -1, _code(low, _MIDDLE + axis, copy))

    def _copy(
        self, node: Numbers, low: Numbers, axis: Numbers, voxel: Numbers, other: Numbers
    ) -> Numbers:
        """Octant of the one of both voxels that the bridge parts from its like, if there is one."""
        joined = self.touching.edges[axis, low]
        parted = np.where(self.grid.labels[voxel] == joined, other, voxel)
        return np.where(joined == NOBODY, _ONLY, self.grid.octant(node, parted))

    def places(self, codes: Int64[np.ndarray, " n"]) -> Float64[np.ndarray, "n 3"]:
        """Coordinates z, y, x in voxels."""
        rest, copy = np.divmod(codes, _COPIES)
        node, slot = np.divmod(rest, _SLOTS)
        direction = np.select(
            [slot < _ITSELF, slot >= _MIDDLE], [slot, 2 * (slot - _MIDDLE) + 1], 0
        )
        share = np.select([slot < _ITSELF, slot >= _MIDDLE], [_RADIUS, 0.5], 0.0)[:, None]
        end = np.where(slot == _ITSELF, node, node + self.grid.step[direction])
        # In this order it is exact on the outer faces.
        place = self._moved(node) + share * (self._moved(end) - self._moved(node))
        aside = (copy[:, None] >> np.array([2, 1, 0]) & 1) * 2.0 - 1.0  # towards the octant
        aside[np.arange(len(codes)), direction // 2] = 0
        aside[copy == _ONLY] = 0
        return place + _PARTED * aside

    def _moved(self, node: Int64[np.ndarray, " n"]) -> Float64[np.ndarray, "n 3"]:
        """Places of nodes after smoothing, which is bounded more where there is a ball."""
        ball = self.touching.nodes[node] != NOBODY
        most = np.where(ball, _MOST_SMOOTHED_AT_BALL, MOST_SMOOTHED)[:, None]
        return self.grid.place(node) + self.shifts[node].clip(-most, most)


def _code(node: Numbers, slot: Numbers | int, copy: Numbers | int) -> Numbers:
    return (node * _SLOTS + slot) * _COPIES + copy

"""Faces of voxels where phases meet, with their corners and edges."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Int64

from latentopt.export.voxel_grid import OUTSIDE, VoxelGrid

# Axes b, c in the plane of a face, with b x c = +axis (of z, y, x), and its corners along b and c,
# counter-clockwise seen from outside; edge i leads from corner i to corner i + 1.
_IN_PLANE = [(2, 1), (0, 2), (1, 0)]
_CORNERS = [[(0, 0), (0, 1), (1, 1), (1, 0)], [(0, 0), (1, 0), (1, 1), (0, 1)]]


def _corners() -> Int64[np.ndarray, "6 4 3"]:
    places = np.zeros((6, 4, 3), dtype=np.int64)
    for axis, plane in enumerate(_IN_PLANE):
        for end in (0, 1):
            places[2 * axis + end, :, axis] = end
            places[2 * axis + end][:, plane] = _CORNERS[end]
    return places


def _along(corners: Int64[np.ndarray, "6 4 3"]) -> Int64[np.ndarray, "6 4"]:
    steps = np.roll(corners, -1, axis=1) - corners
    return 2 * np.abs(steps).argmax(axis=2) + (steps.sum(axis=2) > 0)


def _beyond() -> Int64[np.ndarray, "6 4"]:
    over = np.zeros((6, 4), dtype=np.int64)
    for axis, (b, c) in enumerate(_IN_PLANE):
        over[2 * axis] = [2 * b, 2 * c + 1, 2 * b + 1, 2 * c]
        over[2 * axis + 1] = [2 * c, 2 * b + 1, 2 * c + 1, 2 * b]
    return over


# By the direction of a face: places z, y, x of its corners from the low corner of its voxel, the
# direction in which each edge leads, and the direction out of the face over each edge.
CORNERS = _corners()
ALONG = _along(CORNERS)
BEYOND = _beyond()


@dataclass(frozen=True)
class VoxelFaces:
    """Faces of voxels towards other phases and the outside.

    Parameters
    ----------
    voxel, direction
        The voxel whose face it is, and where the other one lies.
    label
        Phase of the voxel.
    nodes
        Corners.
    """

    voxel: Int64[np.ndarray, " faces"]
    direction: Int64[np.ndarray, " faces"]
    label: Int64[np.ndarray, " faces"]
    nodes: Int64[np.ndarray, "faces 4"]

    @classmethod
    def of(cls, grid: VoxelGrid) -> "VoxelFaces":
        """All faces of a structure, one for each of the two sides."""
        inside = np.flatnonzero(grid.labels != OUTSIDE)
        unlike = grid.labels[inside + grid.step[:, None]] != grid.labels[inside]
        direction, place = np.nonzero(unlike)
        voxel = inside[place]
        to_corners = CORNERS @ np.array(grid.strides)
        return cls(voxel, direction, grid.labels[voxel], voxel[:, None] + to_corners[direction])

    def once(self, grid: VoxelGrid) -> "VoxelFaces":
        """Each face from one side only: that of its lower voxel, or of the only one."""
        other = grid.labels[self.voxel + grid.step[self.direction]]
        kept = (self.direction % 2 == 1) | (other == OUTSIDE)
        return VoxelFaces(
            self.voxel[kept], self.direction[kept], self.label[kept], self.nodes[kept]
        )

    def edges(
        self, grid: VoxelGrid
    ) -> tuple[Int64[np.ndarray, "faces 4"], Int64[np.ndarray, "faces 4"]]:
        """Axis and low node of every edge."""
        low = np.minimum(self.nodes, np.roll(self.nodes, -1, axis=1))
        return ALONG[self.direction] // 2, low

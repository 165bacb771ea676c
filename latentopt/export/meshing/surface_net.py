"""Closed, smooth surfaces around the phases of a voxel structure that keep every voxel.

Surface nets [1]_ for several phases [2]_: the faces between unlike voxels, with each corner moved
a little towards its neighbours. Corners stay within half a voxel of their place, so the line
between the centres of two neighbouring voxels still crosses the surface once if their phases
differ and not at all otherwise: the voxels can be read back. The outer faces of the box stay flat.

Each face is made once and given to both of its phases, so the surfaces of all phases fill the box
and are the same triangles from both sides. Where voxels of a phase touch at an edge or a corner
only, one phase is joined and the others are parted by it
(`latentopt.export.meshing.touching_voxels`). So every surface is closed and manifold by
construction.

References
----------
.. [1] Gibson (1998), Constrained elastic surface nets, MICCAI, LNCS 1496.
.. [2] Frisken (2022), SurfaceNets for multi-label segmentations with preservation of sharp
   boundaries, Journal of Computer Graphics Techniques 11(1).
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64, Int64, Integer

from latentopt.export.meshing.interface_smoothing import smoothing_shifts
from latentopt.export.meshing.net_vertices import MOST_SMOOTHED, NetVertices
from latentopt.export.meshing.touching_voxels import NOBODY, Touching
from latentopt.export.meshing.voxel_faces import ALONG, VoxelFaces
from latentopt.export.voxel_grid import VoxelGrid

_GAP = -1  # in a loop: no vertex
_LONGEST = 12  # vertices of a loop
# Far or near side of each octant along z, y, x; and the axes in an order in which the three edges
# of an octant turn counter-clockwise seen from its node.
_FAR = np.arange(8)[:, None] >> np.array([2, 1, 0]) & 1
_AXES = np.where(_FAR.sum(axis=1, keepdims=True) % 2 == 1, [0, 1, 2], [2, 1, 0])


@dataclass(frozen=True)
class Surface:
    """Triangles around one phase.

    Parameters
    ----------
    vertices
        Coordinates x, y, z in voxels; the structure begins at 0.
    triangles
        Three vertices each, counter-clockwise seen from outside.
    """

    vertices: Float64[np.ndarray, "v 3"]
    triangles: Int64[np.ndarray, "t 3"]


@dataclass(frozen=True)
class _Pieces:
    """Polygons between two phases: codes of vertices in a loop, with `_GAP` where there is none.

    The loop is counter-clockwise seen from the phase `beyond`, which may be `OUTSIDE`.
    """

    loops: Int64[np.ndarray, "n m"]
    label: Int64[np.ndarray, " n"]
    beyond: Int64[np.ndarray, " n"]


def surface_net(labels: Integer[np.ndarray, "d h w"]) -> dict[int, Surface]:
    """Surface of every phase that has voxels, by its label.

    Parameters
    ----------
    labels
        Phase of every voxel, axes z, y, x; 0 or more.

    Examples
    --------
    >>> box = surface_net(np.zeros((1, 1, 1), dtype=int))[0]
    >>> len(box.vertices), len(box.triangles)
    (8, 12)
    """
    grid = VoxelGrid.around(labels)
    faces = VoxelFaces.of(grid)
    touching = Touching.of(grid, faces)
    net = NetVertices(grid, touching, smoothing_shifts(grid, MOST_SMOOTHED))
    walls, caps = _walls(net, faces.once(grid)), _caps(net)
    both = zip(vars(walls).values(), vars(caps).values(), strict=True)
    return _surfaces(net, _Pieces(*map(np.concatenate, both)))


def _walls(net: NetVertices, faces: VoxelFaces) -> _Pieces:
    """Faces of voxels, cut off at balls, with a middle on edges along which a phase is joined."""
    voxel = np.repeat(faces.voxel[:, None], 4, axis=1)
    other = voxel + net.grid.step[faces.direction][:, None]
    ahead = ALONG[faces.direction]
    behind = np.roll(ahead, 1, axis=1) ^ 1
    ball = net.touching.nodes[faces.nodes] != NOBODY
    axis, low = faces.edges(net.grid)
    loops = np.stack(
        [
            np.where(ball, net.on_edge(faces.nodes, behind, voxel, other), net.at(faces.nodes)),
            np.where(ball, net.on_edge(faces.nodes, ahead, voxel, other), _GAP),
            net.middle(low, axis, voxel, other),
        ],
        axis=2,
    )
    return _Pieces(loops.reshape(-1, _LONGEST), faces.label, net.grid.labels[other[:, 0]])


def _caps(net: NetVertices) -> _Pieces:
    """Corners of voxels that the balls of other phases cut off."""
    strides, labels = np.array(net.grid.strides), net.grid.labels
    balls = np.flatnonzero(net.touching.nodes != NOBODY)
    node, octant = np.repeat(balls, 8), np.tile(np.arange(8), len(balls))
    voxel = node + ((_FAR - 1) @ strides)[octant]
    cut = labels[voxel] != net.touching.nodes[node]
    node, octant, voxel = node[cut], octant[cut], voxel[cut]
    loops = []
    for turn in range(3):
        before, axis, after = (_AXES[octant, (turn + k) % 3] for k in (-1, 0, 1))
        direction = 2 * axis + _FAR[octant, axis]
        # The faces on both sides of the edge, each with the voxel across.
        first, second = (
            net.on_edge(node, direction, voxel, voxel + (1 - 2 * _FAR[octant, k]) * strides[k])
            for k in (after, before)
        )
        loops += [first, np.where(second == first, _GAP, second)]
    loops += [np.full(len(node), _GAP)] * (_LONGEST - len(loops))
    return _Pieces(np.stack(loops, axis=1), labels[voxel], net.touching.nodes[node])


def _surfaces(net: NetVertices, pieces: _Pieces) -> dict[int, Surface]:
    """Triangles of all pieces, from both sides."""
    codes, corner = np.unique(pieces.loops, return_inverse=True)
    corner = corner.reshape(pieces.loops.shape) - 1  # the first code is the gap
    corner = np.take_along_axis(corner, np.argsort(corner < 0, axis=1, kind="stable"), axis=1)
    places, count = net.places(codes[1:]), (corner >= 0).sum(axis=1)
    fan = count > 4
    centre = np.where(fan, len(places) + np.cumsum(fan) - 1, corner[:, 0])
    sums = np.where((corner[fan] >= 0)[..., None], places[corner[fan]], 0).sum(axis=1)
    vertices = np.concatenate([places, sums / count[fan, None]])[:, ::-1]  # z, y, x to x, y, z
    triangles, piece = _triangles(corner, count, centre)

    surfaces = {}
    for label in np.unique(net.grid.labels)[1:]:  # the first is outside
        ours, theirs = pieces.label[piece] == label, pieces.beyond[piece] == label
        around = np.concatenate([triangles[ours], triangles[theirs][:, ::-1]])
        used, numbers = np.unique(around, return_inverse=True)
        surfaces[int(label)] = Surface(vertices[used], numbers.reshape(-1, 3))
    return surfaces


def _triangles(
    corner: Int64[np.ndarray, "n m"],
    count: Int64[np.ndarray, " n"],
    centre: Int64[np.ndarray, " n"],
) -> tuple[Int64[np.ndarray, "t 3"], Int64[np.ndarray, " t"]]:
    """Vertices of all triangles, and the piece that each is a part of.

    A piece is a fan around its centre, which may be its first corner.
    """
    own_centre = centre != corner[:, 0]
    triangles, piece = [], []
    for k in range(corner.shape[1]):
        some = np.flatnonzero(np.where(own_centre, count > k, (k > 0) & (count > k + 1)))
        after = corner[some, (k + 1) % count[some]]
        triangles.append(np.stack([centre[some], corner[some, k], after], axis=1))
        piece.append(some)
    return np.concatenate(triangles), np.concatenate(piece)

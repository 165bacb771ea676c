"""Where voxels of one phase touch at an edge or a corner only, and which phase is joined there.

Around an edge of the lattice lie four voxels, around a corner (node) eight. Where a phase has two
of the four that lie across from each other, and neither of the others, its surface would meet
itself along the edge. There it is joined: a thin bridge of it parts the other two. Where two phases
could be joined, the one with more voxels is, of equals the one with the lower label.

A node at which the surface of a phase would still meet itself is given a small ball of such a
phase, chosen likewise. What is left around each edge and node is one sheet for each phase, so all
surfaces are manifold; and since each bridge belongs to one phase, they fill the box together.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Int64

from latentopt.export.meshing.voxel_faces import BEYOND, VoxelFaces
from latentopt.export.voxel_grid import OUTSIDE, VoxelGrid

NOBODY = -2


@dataclass(frozen=True)
class Touching:
    """Who is joined where.

    Parameters
    ----------
    edges
        Label of the phase that is joined along the edge from each node, by axis z, y, x; else
        `NOBODY`.
    nodes
        Label of the ball at each node; else `NOBODY`.
    """

    edges: Int64[np.ndarray, "3 nodes"]
    nodes: Int64[np.ndarray, " nodes"]

    @classmethod
    def of(cls, grid: VoxelGrid, faces: VoxelFaces) -> "Touching":
        """All such edges and nodes of a structure; `faces` are those of both sides."""
        rank = _ranks(grid)
        edges = np.stack([_joined_along(grid, axis, rank) for axis in range(3)])
        return cls(edges, _balls(grid, faces, edges, rank))


def _ranks(grid: VoxelGrid) -> Int64[np.ndarray, " labels"]:
    """Place of each label among all: 0 has most voxels; the last is for `OUTSIDE`."""
    counts = np.bincount(grid.labels[grid.labels != OUTSIDE])
    rank = np.empty(len(counts) + 1, dtype=np.int64)
    rank[np.argsort(-counts, kind="stable")] = np.arange(len(counts))
    rank[-1] = len(counts)
    return rank


def _joined_along(
    grid: VoxelGrid, axis: int, rank: Int64[np.ndarray, " labels"]
) -> Int64[np.ndarray, " nodes"]:
    b, c = (stride for other, stride in enumerate(grid.strides) if other != axis)
    here, beside, below, across = (np.roll(grid.labels, shift) for shift in (0, b, c, b + c))
    first = (here == across) & (here != beside) & (here != below)
    second = (beside == below) & (beside != here) & (beside != across)
    second &= ~(first & (rank[here] < rank[beside]))
    return np.where(second, beside, np.where(first, here, NOBODY))


def _balls(
    grid: VoxelGrid,
    faces: VoxelFaces,
    edges: Int64[np.ndarray, "3 nodes"],
    rank: Int64[np.ndarray, " labels"],
) -> Int64[np.ndarray, " nodes"]:
    """Labels that have more than one sheet at a node: the first in rank of each node."""
    sheet = _sheets(_partners(grid, faces, edges))
    node, label = np.empty((2, sheet.max() + 1), dtype=np.int64)
    node[sheet], label[sheet] = faces.nodes, faces.label[:, None]
    _, first, sheets = np.unique(
        node * (label.max() + 1) + label, return_index=True, return_counts=True
    )
    several = first[sheets > 1]
    several = several[np.argsort(-rank[label[several]])]  # the first in rank is written last
    balls = np.full(grid.labels.size, NOBODY)
    balls[node[several]] = label[several]
    return balls


def _partners(
    grid: VoxelGrid, faces: VoxelFaces, edges: Int64[np.ndarray, "3 nodes"]
) -> Int64[np.ndarray, "faces 4"]:
    """For each edge of each face: the face of the same phase beyond, as 4 * face + edge.

    The way there leads round the edge within the phase, from voxel to face neighbour, and over a
    bridge where the phase is joined.
    """
    number = np.full((6, grid.labels.size), -1)
    number[faces.direction, faces.voxel] = np.arange(len(faces.voxel))
    edge_towards = np.full((6, 6), -1)
    edge_towards[np.arange(6)[:, None], BEYOND] = np.arange(4)
    normal = np.repeat(faces.direction[:, None], 4, axis=1)
    over = BEYOND[faces.direction]
    voxel = np.repeat(faces.voxel[:, None], 4, axis=1)
    beside = voxel + grid.step[over]
    diagonal = beside + grid.step[normal]
    label = faces.label[:, None]
    like_beside, like_diagonal = grid.labels[beside] == label, grid.labels[diagonal] == label
    joined = edges[faces.edges(grid)] == label
    return np.select(
        [~like_beside & ~joined, like_beside & ~like_diagonal],
        [
            4 * number[over, voxel] + edge_towards[over, normal],
            4 * number[normal, beside] + edge_towards[normal, over ^ 1],
        ],
        4 * number[over ^ 1, diagonal] + edge_towards[over ^ 1, normal ^ 1],
    )


def _sheets(partner: Int64[np.ndarray, "faces 4"]) -> Int64[np.ndarray, "faces 4"]:
    """Sheet of a surface that each corner of each face is on: partners around a node share one."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    start, beyond = np.arange(partner.size), partner.ravel()
    pairs = [(start, _next_corner(beyond)), (_next_corner(start), beyond)]  # it runs the other way
    rows, columns = (np.concatenate(ends) for ends in zip(*pairs, strict=True))
    links = coo_array((np.ones(len(rows), bool), (rows, columns)), shape=(partner.size,) * 2)
    _, sheet = connected_components(links, directed=False)
    return sheet.reshape(-1, 4).astype(np.int64)


def _next_corner(corner: Int64[np.ndarray, " n"]) -> Int64[np.ndarray, " n"]:
    return corner - corner % 4 + (corner + 1) % 4

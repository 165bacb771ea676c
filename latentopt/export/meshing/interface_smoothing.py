"""How far to move the corners of voxels so that interfaces lose their steps."""

import numpy as np
from jaxtyping import Float64, Int64

from latentopt.export.voxel_grid import OUTSIDE, VoxelGrid

# Taubin (1995), A signal processing approach to fair surface design: shrink, then swell a little
# more, so that volumes stay as they are.
_SHRINK, _SWELL, _ROUNDS = 0.5, -0.53, 10


def smoothing_shifts(grid: VoxelGrid, most: float) -> Float64[np.ndarray, "nodes 3"]:
    """Shift z, y, x of every node, in voxels.

    Each node moves towards the mean of its neighbours along edges where phases meet, within the
    cube of half-width `most` around its place. Nodes on an outer face stay on it and heed only
    neighbours on it. All phases share the shifts, so interfaces fit each other.
    """
    from scipy.sparse import csr_array

    start, end, axis = _interface_edges(grid)
    nodes, place = np.unique(np.concatenate([start, end]), return_inverse=True)
    shifts = np.zeros((grid.labels.size, 3))
    if not nodes.size:
        return shifts
    bound = grid.on_boundary(nodes)
    here, there = place.reshape(-1), np.roll(place.reshape(2, -1), 1, axis=0).ravel()
    along, sign = np.tile(axis, 2), np.repeat([1.0, -1.0], len(axis))
    heeded = ~bound[here, along]
    here, there, along, sign = here[heeded], there[heeded], along[heeded], sign[heeded]

    count = np.bincount(here, minlength=len(nodes)).clip(min=1)
    mean = csr_array((1 / count[here], (here, there)), shape=(len(nodes), len(nodes)))
    pull = np.zeros((len(nodes), 3))
    np.add.at(pull, (here, along), sign / count[here])

    moved = np.zeros((len(nodes), 3))
    for _ in range(_ROUNDS):
        for weight in (_SHRINK, _SWELL):
            moved += weight * np.where(bound, 0, pull + mean @ moved - moved)
            moved.clip(-most, most, out=moved)
    shifts[nodes] = moved
    return shifts


def _interface_edges(
    grid: VoxelGrid,
) -> tuple[Int64[np.ndarray, " e"], Int64[np.ndarray, " e"], Int64[np.ndarray, " e"]]:
    """First node, second node and axis of every lattice edge around which phases meet."""
    edges = []
    for axis, stride in enumerate(grid.strides):
        b, c = (other for place, other in enumerate(grid.strides) if place != axis)
        around = np.stack([np.roll(grid.labels, shift) for shift in (0, b, c, b + c)])
        highest = around.max(axis=0)
        lowest = np.where(around == OUTSIDE, highest, around).min(axis=0)
        start = np.flatnonzero(lowest < highest)
        edges.append((start, start + stride, np.full(len(start), axis)))
    start, end, axis = (np.concatenate(parts) for parts in zip(*edges, strict=True))
    return start, end, axis

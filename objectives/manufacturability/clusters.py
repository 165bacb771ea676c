"""Connected clusters of a phase, across the faces of periodic images too."""

from collections import deque
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Int
from scipy import ndimage


@dataclass(frozen=True)
class Clusters:
    """Face-connected clusters of a phase.

    Attributes
    ----------
    labels
        Number of the cluster of each voxel, from 1; 0 outside the phase.
    spans
        Row i says of cluster i along which axes it is endless: it touches both faces, or, in a
        periodic image, meets its own image in another cell. Row 0 is False.
    touches
        Row i says of cluster i along which axes it touches a face (an open one: none if periodic).
    """

    labels: Int[np.ndarray, "*space"]
    spans: Bool[np.ndarray, "m dim"]
    touches: Bool[np.ndarray, "m dim"]


def find_clusters(inside: Bool[np.ndarray, "*space"], *, periodic: bool) -> Clusters:
    """Clusters of the voxels that are `inside`."""
    labels, number = ndimage.label(inside)
    if periodic:
        return _joined(labels, number)
    spans = np.zeros((number + 1, inside.ndim), bool)
    touches = spans.copy()
    for axis in range(inside.ndim):
        faces = np.zeros((2, number + 1), bool)
        for face, index in enumerate((0, -1)):
            faces[face, np.take(labels, index, axis)] = True
        spans[:, axis], touches[:, axis] = faces.all(0), faces.any(0)
    spans[0] = touches[0] = False
    return Clusters(labels, spans, touches)


def _joined(labels: np.ndarray, number: int) -> Clusters:
    """Clusters of one cell, joined across its faces.

    Walking through neighbouring cells gives each piece the cell it is reached in; a piece reached
    in two cells belongs to a cluster that is endless along the axes by which the cells differ.
    """
    dim = labels.ndim
    neighbours: dict[int, list[tuple[int, np.ndarray]]] = {}
    for axis in range(dim):
        step = np.eye(dim, dtype=int)[axis]
        last, first = np.take(labels, -1, axis).ravel(), np.take(labels, 0, axis).ravel()
        both = (last > 0) & (first > 0)
        for a, b in np.unique(np.stack([last[both], first[both]], 1), axis=0).tolist():
            neighbours.setdefault(a, []).append((b, step))
            neighbours.setdefault(b, []).append((a, -step))
    home = np.arange(number + 1)
    spans = np.zeros((number + 1, dim), bool)
    cells: dict[int, np.ndarray] = {}
    for start in neighbours:
        if start in cells:
            continue
        cells[start] = np.zeros(dim, int)
        queue = deque([start])
        while queue:
            piece = queue.popleft()
            home[piece] = start
            for other, step in neighbours[piece]:
                cell = cells[piece] + step
                if other not in cells:
                    cells[other] = cell
                    queue.append(other)
                else:
                    spans[start] |= cells[other] != cell
    kept, renumbered = np.unique(home, return_inverse=True)
    return Clusters(renumbered[labels], spans[kept], np.zeros((len(kept), dim), bool))


def throat(
    height: np.ndarray, axis: int, *, periodic: bool
) -> tuple[float, Bool[np.ndarray, "*space"]]:
    """Largest height such that all at least as high spans the axis, and the places just so high.

    The narrowest place of the widest way, when the height is a signed depth.
    """
    heights = np.unique(height)
    low, high = 0, len(heights)  # at the lowest everything spans
    while high - low > 1:
        middle = (low + high) // 2
        if find_clusters(height >= heights[middle], periodic=periodic).spans[:, axis].any():
            low = middle
        else:
            high = middle
    clusters = find_clusters(height >= heights[low], periodic=periodic)
    level = clusters.spans[:, axis][clusters.labels] & (height == heights[low])
    # Beside the way, too, the height passes this level, on slopes that go up on one side and down
    # on the other; the narrowest place is no slope along any axis.
    flat = level.copy()
    for along in range(height.ndim):
        mode = "wrap" if periodic else "edge"
        wide = np.pad(height, [(int(a == along),) * 2 for a in range(height.ndim)], mode=mode)
        sides = np.moveaxis(wide, along, 0)
        rises = np.sign(np.moveaxis(np.stack([sides[:-2], sides[2:]]), 1, along + 1) - height)
        flat &= rises[0] * rises[1] >= 0
    return float(heights[low]), flat if flat.any() else level

"""Voxels as finite elements, hexahedra in 3-D and quadrilaterals in 2-D, and their text.

Nodes and elements are numbered with x fastest: element i is voxel i in C order. Both start at 0
here and at 1 in files. Corners are ordered as Abaqus, Gmsh and VTK do: counter-clockwise seen
from +z, the lower face first.
"""

from collections.abc import Iterable, Sequence

import numpy as np
from jaxtyping import Int64, UInt8

_CORNERS_XY = ((0, 0), (1, 0), (1, 1), (0, 1))
# A block of text in which every line has the same length.
Column = UInt8[np.ndarray, "rows _"]


def node_grid(shape: tuple[int, ...]) -> Int64[np.ndarray, "*nodes"]:
    """Number of every node, by its place along z, y, x.

    >>> node_grid((1, 2))
    array([[0, 1, 2],
           [3, 4, 5]])
    """
    counts = tuple(n + 1 for n in shape)
    return np.arange(np.prod(counts)).reshape(counts)


def element_nodes(shape: tuple[int, ...]) -> Int64[np.ndarray, "elements corners"]:
    """Nodes of every element.

    >>> element_nodes((1, 2))
    array([[0, 1, 4, 3],
           [1, 2, 5, 4]])
    """
    nodes = node_grid(shape)
    corners = [(y, x) for x, y in _CORNERS_XY]
    if len(shape) == 3:
        corners = [(z, y, x) for z in (0, 1) for y, x in corners]
    columns = [
        nodes[tuple(slice(k, k + n) for k, n in zip(corner, shape, strict=True))].ravel()
        for corner in corners
    ]
    return np.stack(columns, axis=1)


def column(items: Iterable[object]) -> Column:
    """Texts as lines of equal length, padded with blanks on the left."""
    texts = [str(item) for item in items]
    width = max(map(len, texts))
    text = "".join(text.rjust(width) for text in texts).encode("ascii")
    return np.frombuffer(text, np.uint8).reshape(len(texts), width)


def coordinate_columns(
    shape: tuple[int, ...], voxel_size_m: tuple[float, ...], number_format: str
) -> list[Column]:
    """Coordinates x, y(, z) of every node in metres, written in a format such as ``".13e"``."""
    places = np.indices([n + 1 for n in shape]).reshape(len(shape), -1)
    return [
        column(format(i * size, number_format) for i in range(count + 1))[place]
        for place, count, size in zip(places[::-1], shape[::-1], voxel_size_m[::-1], strict=True)
    ]


def lines(columns: Sequence[Column], separator: str) -> bytes:
    """Columns side by side, one row a line."""
    between = np.frombuffer(separator.encode(), np.uint8)
    end = np.frombuffer(b"\n", np.uint8)
    parts = []
    for place, part in enumerate(columns):
        after = end if place == len(columns) - 1 else between
        parts += [part, np.broadcast_to(after, (len(part), after.size))]
    return np.concatenate(parts, axis=1).tobytes()

"""Voxels and their corners (nodes) under one numbering, for walks from neighbour to neighbour."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Bool, Float64, Int64, Integer

OUTSIDE = -1


@dataclass(frozen=True)
class VoxelGrid:
    """A structure within a layer of `OUTSIDE`, flat in C order, axes z, y, x.

    Node i is the low corner of voxel i. Directions are numbered 2 * axis + end, so that
    ``direction ^ 1`` is the opposite one.
    """

    labels: Int64[np.ndarray, " voxels"]
    shape: tuple[int, int, int]

    @classmethod
    def around(cls, labels: Integer[np.ndarray, "d h w"]) -> "VoxelGrid":
        """The grid of a structure."""
        padded = np.pad(labels.astype(np.int64), 1, constant_values=OUTSIDE)
        return cls(padded.ravel(), padded.shape)

    @property
    def strides(self) -> tuple[int, int, int]:
        """Steps in the numbering along z, y, x."""
        return (self.shape[1] * self.shape[2], self.shape[2], 1)

    @cached_property
    def step(self) -> Int64[np.ndarray, "6"]:
        """Steps in the numbering by direction."""
        return np.array([sign * stride for stride in self.strides for sign in (-1, 1)])

    def place(self, numbers: Int64[np.ndarray, "*any"]) -> Float64[np.ndarray, "*any 3"]:
        """Low corners z, y, x in voxels, from the corner of the structure."""
        return np.stack(np.unravel_index(numbers, self.shape), axis=-1) - 1.0

    def on_boundary(self, nodes: Int64[np.ndarray, " n"]) -> Bool[np.ndarray, "n 3"]:
        """Whether nodes lie on an outer face across z, y, x."""
        place = self.place(nodes)
        return (place == 0) | (place == np.array(self.shape) - 2)

    def octant(
        self, nodes: Int64[np.ndarray, "*any"], voxels: Int64[np.ndarray, "*any"]
    ) -> Int64[np.ndarray, "*any"]:
        """Where voxels lie seen from one of their nodes: 4 z + 2 y + x, each 1 on the far side."""
        z, rest = np.divmod(nodes - voxels, self.strides[0])
        y, x = np.divmod(rest, self.strides[1])
        return 7 - (4 * z + 2 * y + x)

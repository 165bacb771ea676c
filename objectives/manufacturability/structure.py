"""One phase of one image, with the distances that several rules need computed once."""

from functools import cached_property

import numpy as np
from jaxtyping import Bool, Float

from objectives.grid import Grid
from objectives.manufacturability.clusters import Clusters, find_clusters
from objectives.manufacturability.depth import Depth, depth_inside


class Structure:
    """What a rule looks at: a solid phase, and the void that is all the rest.

    Parameters
    ----------
    image
        One image of all channels, which `TrainingDistance` scores.
    share
        Share of the solid in every voxel; above one half the voxel is solid.
    grid
        Edges of a voxel, and whether the image repeats beyond its faces.
    """

    def __init__(
        self, image: Float[np.ndarray, "c *space"], share: Float[np.ndarray, "*space"], grid: Grid
    ) -> None:
        self.image = image
        self.share = share.astype(np.float64)  # 1 - share is the void's, to the last digit
        self.grid = grid
        self.periodic = grid.periodic
        self.edges_um = grid.edges_um(share.ndim)

    @property
    def longest_edge_um(self) -> float:
        """Longest edge of the image: the size of what has no smaller one."""
        return max(n * edge for n, edge in zip(self.share.shape, self.edges_um, strict=True))

    @property
    def unit_um(self) -> float:
        """Shortest edge of a voxel, along the axes of more than one."""
        sides = zip(self.share.shape, self.edges_um, strict=True)
        return min((edge for n, edge in sides if n > 1), default=self.edges_um[-1])

    @cached_property
    def solid(self) -> Bool[np.ndarray, "*space"]:
        """Solid voxels."""
        return self.share > 0.5

    @property
    def depth_of_centres(self) -> Depth:
        """Depth in micrometres of the centres of solid voxels, by `depth_inside`."""
        return self._solid_depths[0]

    @property
    def solid_depth(self) -> Depth:
        """The same, raised to the depth between voxels: half the width of what is solid."""
        return self._solid_depths[1]

    @cached_property
    def void_depth(self) -> Depth:
        """Raised depth of the void voxels."""
        # Where the share of the solid is exactly one half, the voxel is void.
        share = np.where(self.share == 0.5, 0.5 + 1e-6, 1 - self.share)
        return self._depths(share)[1]

    @cached_property
    def _solid_depths(self) -> tuple[Depth, Depth]:
        return self._depths(self.share)

    def _depths(self, share: Float[np.ndarray, "*space"]) -> tuple[Depth, Depth]:
        return depth_inside(share, periodic=self.periodic, edges=self.edges_um)

    @cached_property
    def solid_clusters(self) -> Clusters:
        """Face-connected clusters of the solid."""
        return find_clusters(self.solid, periodic=self.periodic)

    @cached_property
    def void_clusters(self) -> Clusters:
        """Face-connected clusters of the void."""
        return find_clusters(~self.solid, periodic=self.periodic)

    def nothing(self) -> Bool[np.ndarray, "*space"]:
        """A mask without voxels."""
        return np.zeros(self.share.shape, bool)

    def check_axis(self, axis: int) -> None:
        """Refuse an axis that the image does not have, as a ``ValueError``."""
        if axis >= self.share.ndim:
            raise ValueError(
                f"axis should be 0 to {self.share.ndim - 1} for images of {self.share.ndim} axes, "
                f"got {axis}. Axes are z, y, x, or y, x of a section."
            )

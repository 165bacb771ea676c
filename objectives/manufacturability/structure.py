"""One phase of one image, with the distances that several rules need computed once."""

from functools import cached_property

import numpy as np
from jaxtyping import Bool, Float

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
    voxel_size_um
        Edge of a voxel.
    periodic
        Whether the image repeats beyond its faces.
    """

    def __init__(
        self,
        image: Float[np.ndarray, "c *space"],
        share: Float[np.ndarray, "*space"],
        *,
        voxel_size_um: float,
        periodic: bool,
    ) -> None:
        self.image = image
        self.share = share
        self.voxel_size_um = voxel_size_um
        self.periodic = periodic

    @property
    def longest_edge(self) -> int:
        """Voxels along the longest axis: the size of what has no smaller one."""
        return max(self.share.shape)

    @cached_property
    def solid(self) -> Bool[np.ndarray, "*space"]:
        """Solid voxels."""
        return self.share > 0.5

    @property
    def depth_of_centres(self) -> Depth:
        """Depth in voxels of the centres of solid voxels, by `depth_inside`."""
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
        return depth_inside(share, periodic=self.periodic)[1]

    @cached_property
    def _solid_depths(self) -> tuple[Depth, Depth]:
        return depth_inside(self.share, periodic=self.periodic)

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

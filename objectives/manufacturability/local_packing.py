"""Densest place of a phase."""

from typing import Literal

import numpy as np
from pydantic import Field
from scipy import ndimage

from objectives.manufacturability.rule import Measured, Rule
from objectives.manufacturability.structure import Structure


class LocalPacking(Rule):
    """No window of the image should hold more of the solid than a limit.

    The value is the largest share of the solid in a cube (square in 2-D) that is moved over the
    image, and stays inside it where the image is not periodic. Its edges are rounded to voxels. The
    offending voxels are the centres of windows over the limit: both, or all, where that is between
    voxels.
    """

    kind: Literal["local_packing"] = "local_packing"
    unit = "1"
    at_least = False
    limit: float = Field(
        gt=0, le=1, description="Largest share of a window's volume that the solid may fill."
    )
    window_um: float = Field(
        gt=0, description="Edge of the window, in micrometres; it is rounded to whole voxels."
    )

    @property
    def bound(self) -> float:
        """The largest share allowed."""
        return self.limit

    def measure(self, structure: Structure) -> Measured:
        """Share in the fullest window, and the centres of windows that are too full.

        Raises
        ------
        ValueError
            The window is larger than the image.
        """
        shape = structure.share.shape
        sides = [
            1 if n == 1 else max(1, round(self.window_um / edge))  # one voxel thick: a section
            for n, edge in zip(shape, structure.edges_um, strict=True)
        ]
        if any(side > n for side, n in zip(sides, shape, strict=True)):
            raise ValueError(
                f"window_um should fit into the image of {' x '.join(map(str, shape))} voxels, got "
                f"{self.window_um:g} um, which are {' x '.join(map(str, sides))} voxels. Use a "
                "smaller window."
            )
        mode = "wrap" if structure.periodic else "nearest"
        share = ndimage.uniform_filter(structure.share, sides, mode=mode)
        # A running sum leaves rounding errors behind: full is full.
        share = np.clip(np.round(share, 12), 0, 1)
        if not structure.periodic:  # windows that stick out see the image's last voxel repeated
            whole = tuple(
                slice(side // 2, n - (side - 1) // 2) for side, n in zip(sides, shape, strict=True)
            )
            inner = np.full(shape, -np.inf)
            inner[whole] = share[whole]
            share = inner
        dense = share > self.limit + 1e-12
        for axis, side in enumerate(sides):
            if side % 2 == 0:  # the centre is half a step before the voxel
                dense |= np.roll(dense, -1, axis)  # a window inside never begins behind a face
        return float(share.max()), dense

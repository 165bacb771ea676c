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
    image, and stays inside it where the image is not periodic. The offending voxels are the centres
    of windows over the limit.
    """

    kind: Literal["local_packing"] = "local_packing"
    unit = "1"
    at_least = False
    limit: float = Field(gt=0, le=1, description="Largest share allowed in a window.")
    window_um: float = Field(gt=0, description="Edge of the window, rounded to voxels.")

    @property
    def bound(self) -> float:
        """The largest share allowed."""
        return self.limit

    def measure(self, structure: Structure) -> Measured:
        """Share in the fullest window, and the centres of windows that are too full."""
        edge = max(1, round(self.window_um / structure.voxel_size_um))
        shape = structure.share.shape
        edges = [1 if n == 1 else edge for n in shape]  # one voxel thick: a section
        if any(e > n for e, n in zip(edges, shape, strict=True)):
            raise ValueError(
                f"window_um should fit into the image of {' x '.join(map(str, shape))} voxels, got "
                f"{self.window_um:g} um, which are {edge} voxels. Use a smaller window."
            )
        mode = "wrap" if structure.periodic else "nearest"
        share = ndimage.uniform_filter(structure.share.astype(np.float64), edges, mode=mode)
        inner = np.ones(shape, bool)
        if not structure.periodic:  # windows that stick out see the image's last voxel repeated
            whole = tuple(
                slice(e // 2, n - (e - 1) // 2) for e, n in zip(edges, shape, strict=True)
            )
            inner[:] = False
            inner[whole] = True
        # A running sum leaves rounding errors behind: full is full.
        value = float(np.clip(np.round(share[inner].max(), 12), 0, 1))
        return value, inner & (share > self.limit + 1e-12)

"""A volume on the page: slices along each axis, moved by sliders."""

import base64
import io

import numpy as np
from jaxtyping import UInt8

from latentopt.pictures import paletted_picture
from latentopt.printable import escape_html as escape
from objectives.grid import Grid

__all__ = ["slice_view", "volume_png"]

_LONGEST = 64  # voxels along a side of what is embedded: a page of twelve stays below a megabyte


def slice_view(phases: UInt8[np.ndarray, "d h w"], grid: Grid, label: str) -> str:
    """The voxels, and a place where the page's script shows three slices of them with sliders.

    Parameters
    ----------
    phases
        Labels of the volume. Beyond 64 voxels along a side every second, third, ... is kept.
    grid
        Edges of a voxel, which give the proportions of the slices.
    label
        What the volume is, for readers who do not see it.
    """
    step = _step(phases)
    shape = phases[::step, ::step, ::step].shape
    edges = ",".join(f"{edge:g}" for edge in grid.edges_um(3))
    data = base64.b64encode(volume_png(phases)).decode()
    return (
        f'<div class="slices" data-label="{escape(label)}" data-step="{step}" '
        f'data-shape="{",".join(map(str, shape))}" data-edges="{edges}" data-volume="{data}"></div>'
    )


def volume_png(phases: UInt8[np.ndarray, "d h w"]) -> bytes:
    """PNG of the slices along z, one below the other, each voxel in the colour of its phase."""
    step = _step(phases)
    kept = phases[::step, ::step, ::step]
    buffer = io.BytesIO()
    picture = paletted_picture(kept.reshape(-1, kept.shape[-1]))
    picture.save(buffer, format="png", optimize=True)
    return buffer.getvalue()


def _step(phases: np.ndarray) -> int:
    return -(-max(phases.shape) // _LONGEST)

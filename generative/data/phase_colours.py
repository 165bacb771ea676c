"""The colours of phases, the same in every picture, and an image as a picture in them."""

import numpy as np
from jaxtyping import Float

__all__ = ["PHASE_COLOURS", "picture_of"]

# Phase 0, 1, ...: told apart by lightness too, so that they survive grey printing.
PHASE_COLOURS = (
    "#26364a", "#ecdfc6", "#c8553d", "#6fa58f", "#f2a541",
    "#7d5a86", "#8cc1cf", "#5d6b2f", "#d98cb3", "#9a9a9a",
)  # fmt: skip


def picture_of(image: Float[np.ndarray, "c *space"], *, phases: bool) -> Float[np.ndarray, "h w 3"]:
    """Red, green and blue in [0, 1] of an image, or of the middle slice of a volume along z.

    Parameters
    ----------
    image
        Of phases: one channel is the share of phase 1, more are the shares of one phase each. A
        voxel that is not decided has a mixture of their colours.
    phases
        Whether the channels are phases. Otherwise three are red, green and blue, and other numbers
        are shown as grey levels.

    Examples
    --------
    >>> picture_of(np.ones((1, 1, 1)), phases=False).tolist()
    [[[1.0, 1.0, 1.0]]]
    """
    plane = image if image.ndim == 3 else image[:, image.shape[1] // 2]
    if phases:
        shares = plane if len(plane) > 1 else np.concatenate([1 - plane, plane])
        table = np.array([tuple(bytes.fromhex(colour[1:])) for colour in PHASE_COLOURS]) / 255
        colours = table[np.arange(len(shares)) % len(table)]
    elif len(plane) == 3:
        shares, colours = plane, np.eye(3)
    else:
        shares, colours = plane, np.full((len(plane), 3), 1 / len(plane))
    return np.clip(np.tensordot(np.moveaxis(shares, 0, -1), colours, 1), 0, 1)

"""Label maps that were saved as pictures of a few flat colours."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Shaped, UInt8

from generative.data.grey.segment import luminance

_STEP = 2**20


def distinct_colours(
    images: Sequence[Shaped[np.ndarray, "3 ..."]], most: int
) -> Shaped[np.ndarray, "k 3"] | None:
    """The colours that occur, the darkest first; None if they are more than ``most``, or all grey.

    Equal brightness is ordered by red, green and blue.
    """
    if all((image == image[:1]).all() for image in images):
        return None
    seen = np.empty((0, 3), images[0].dtype)
    for image in images:
        flat = image.reshape(3, -1).T
        for start in range(0, len(flat), _STEP):
            seen = np.unique(np.concatenate([seen, flat[start : start + _STEP]]), axis=0)
            if len(seen) > most:
                return None
    brightness = luminance(seen.T[None, :, :, None].astype(np.float64)).ravel()
    return seen[np.lexsort((*seen.T[::-1], brightness))]


def coded(
    raw: Shaped[np.ndarray, "n 3 *space"], colours: Shaped[np.ndarray, "k 3"]
) -> UInt8[np.ndarray, "n 1 *space"]:
    """The number of each voxel's colour."""
    codes = np.zeros((len(raw), 1, *raw.shape[2:]), np.uint8)
    for number, colour in enumerate(colours):
        same = raw == colour.reshape(1, 3, *(1,) * (raw.ndim - 2))
        codes[same.all(axis=1, keepdims=True)] = number
    return codes


def code_names(colours: Shaped[np.ndarray, "k 3"]) -> Sequence[str]:
    """Names such as ``(255, 0, 0)``."""
    return [f"({', '.join(f'{part:g}' for part in colour)})" for colour in colours]

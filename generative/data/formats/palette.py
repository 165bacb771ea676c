"""Pictures whose pixels are indices of a palette: labels, unless the palette is a ramp of grey."""

from pathlib import Path
from typing import Literal

import numpy as np
from jaxtyping import Integer, UInt8

from generative.errors import DataError

# What an index is taken for: "auto" asks where it is doubtful, "labels" never, and "picture" is
# the colour that a viewer shows.
Indices = Literal["auto", "labels", "picture"]


def is_grey_ramp(palette: UInt8[np.ndarray, "n 3"]) -> bool:
    """Whether a palette says nothing but that the indices are grey levels, darkest first.

    Entry i is the grey level i, or the 2, 4, 16 or 256 entries go from black to white in even
    steps. Programs store plain grey pictures so. Every other palette, a reversed ramp or one of
    black and white in the other order among them, is one of labels.

    Examples
    --------
    >>> is_grey_ramp(np.array([[0] * 3, [255] * 3], np.uint8))
    True
    >>> is_grey_ramp(np.array([[255] * 3, [0] * 3], np.uint8))
    False
    """
    n = len(palette)
    steps = np.arange(n)
    plain = (palette == steps[:, None]).all()
    even = n in (2, 4, 16, 256) and (palette == np.rint(steps * 255 / (n - 1))[:, None]).all()
    return bool(plain or even)


def check_opaque(
    indices: Integer[np.ndarray, "h w"], alpha: dict[int, int], treat: Indices, path: Path
) -> None:
    """Refuse pixels that the palette shows as transparent, unless they are said to be labels.

    Raises
    ------
    DataError
        Naming the index and what settles it.
    """
    clear = [index for index, opacity in alpha.items() if opacity < 255]
    found = np.intersect1d(clear, indices) if clear and treat != "labels" else ()
    if len(found):
        raise DataError(
            f"{path}: has transparent pixels (index {int(found[0])} of its palette); pass "
            "grey='labels' (--grey labels) if they are a phase like the others, or save it without "
            "transparency."
        )

"""Pictures as a viewer turns them, by tag 274 of TIFF and EXIF."""

import numpy as np

TAG = 274


def checked_orientation(value: object) -> int:
    """1 to 8; anything else says nothing, and is 1 as viewers take it.

    >>> checked_orientation(6), checked_orientation(0), checked_orientation(None)
    (6, 1, 1)
    """
    return int(value) if isinstance(value, int) and 1 <= value <= 8 else 1


def swaps_sides(orientation: int) -> bool:
    """Whether width becomes height."""
    return orientation >= 5


def turned(pixels: np.ndarray, orientation: int) -> np.ndarray:
    """Pixels whose first two axes are stored rows and columns, as they are to be seen.

    References
    ----------
    .. [1] TIFF revision 6.0, Orientation: where row 0 and column 0 are in the visible picture.

    Examples
    --------
    6 is a quarter turn clockwise:

    >>> turned(np.array([[1, 2], [3, 4]]), 6).tolist()
    [[3, 1], [4, 2]]
    """
    match orientation:
        case 2:
            return pixels[:, ::-1]
        case 3:
            return pixels[::-1, ::-1]
        case 4:
            return pixels[::-1]
        case 5:
            return pixels.swapaxes(0, 1)
        case 6:
            return pixels.swapaxes(0, 1)[:, ::-1]
        case 7:
            return pixels[::-1, ::-1].swapaxes(0, 1)
        case 8:
            return pixels.swapaxes(0, 1)[::-1]
    return pixels

"""What stored values mean: two phases, labels, grey levels or colours; decided for a whole set."""

from typing import Literal, get_args

import numpy as np
from jaxtyping import Float32, Shaped

from generative.data.check import Names, row_name
from generative.data.segment import luminance, one_hot, otsu
from generative.errors import DataError

Grey = Literal["auto", "otsu", "labels", "keep"]
Content = Literal["phases", "grey", "colour"]

# With "auto", more distinct values than this are grey levels and not labels of phases.
MAX_AUTO_PHASES = 8
MAX_PHASES = 255


def to_phases(
    raw: Shaped[np.ndarray, "n c *space"],
    *,
    grey: Grey = "auto",
    channels: int | None = None,
    names: Names | None = None,
) -> tuple[Float32[np.ndarray, "n k *space"], Content]:
    """Images in [0, 1] from values as stored, judged over the whole set and never one by one.

    - At most two distinct values: two phases, the lower 0 and the higher 1.
    - With ``grey="auto"``, 3 to 8 distinct whole values that are evenly spaced to within one level
      (0, 1, 2 or 0, 127, 255): labels of as many phases, one channel each, in ascending order.
    - Anything else in one channel: grey levels.
    - Several channels: phases if they are in [0, 1] and sum to 1; three others are colour.

    Parameters
    ----------
    raw
        Boolean, integer or floating; finite.
    grey
        ``"otsu"`` (and ``"auto"``) segments grey levels by `otsu`; ``"keep"`` scales them to
        [0, 1]: 8 and 16 bits by 255 and 65,535, floats must be in [0, 1] already; ``"labels"``
        takes every distinct value as a phase.
    channels
        Channels wanted: 1; 3 to keep colour; k to read labels 0 to k - 1 as k phases, whether or
        not all occur. None takes what the values say, and colour as grey.
    names
        What to call each row in an error.

    Returns
    -------
    The images and what they are.

    Raises
    ------
    DataError
        If the values fit none of these, or not the ``channels`` asked for.
    """
    if grey not in get_args(Grey):
        raise ValueError(f"grey should be one of {', '.join(get_args(Grey))}, got {grey!r}.")
    if raw.shape[1] == 1:
        return _one_channel(raw, grey, channels, names)
    first = row_name(names, 0)
    if _sums_to_one(raw):
        if channels not in (None, raw.shape[1]):
            raise DataError(
                f"{first}: expected channels={channels}, got {raw.shape[1]} phases, one a channel; "
                "leave out channels=."
            )
        return raw.astype(np.float32), "phases"
    if raw.shape[1] != 3:
        volumes = "" if raw.ndim == 5 else " (volumes: spatial_dims=3, for a 3-D model)"
        raise DataError(
            f"{first}: expected one channel, three colours, or phases in [0, 1] that sum to 1, got "
            f"{raw.shape[1]} other channels{volumes}; save the one that shows the phases."
        )
    if channels == 3:
        return _scaled(raw, first), "colour"
    return _one_channel(luminance(raw), grey, channels, names)


def _one_channel(
    raw: np.ndarray, grey: Grey, channels: int | None, names: Names | None
) -> tuple[np.ndarray, Content]:
    first = row_name(names, 0)
    values = _distinct(raw, MAX_PHASES)
    if channels not in (None, 1):
        return _labels(raw, values, channels, names), "phases"
    if values is not None and _two_phases(values, raw.dtype):
        # Only zeros: phase 0 throughout.
        return np.equal(raw, values[-1] or 1).astype(np.float32), "phases"
    if grey == "labels" or (grey == "auto" and _are_labels(values, first)):
        if channels == 1:
            raise DataError(
                f"{first}: expected two phases in one channel, got labels of more in this data; "
                "pass grey='otsu' to threshold them as grey levels, or leave out channels=."
            )
        return _labels(raw, values, None, names), "phases"
    if grey == "keep":
        return _scaled(raw, first), "grey"
    return otsu(raw, names=names), "phases"


def _sums_to_one(raw: np.ndarray) -> bool:
    return all(
        image.min() >= 0 and np.allclose(image.sum(axis=0, dtype=np.float64), 1, atol=1e-4)
        for image in raw
    )


def _distinct(raw: np.ndarray, at_most: int) -> list[int | float] | None:
    """Distinct values in ascending order, or None as soon as there are more than ``at_most``."""
    seen: set[int | float] = set()
    flat = raw.reshape(-1)
    for start in range(0, flat.size, 2**20):
        seen.update(np.unique(flat[start : start + 2**20]).tolist())
        if len(seen) > at_most:
            return None
    return sorted(seen)


def _two_phases(values: list[int | float], dtype: np.dtype) -> bool:
    """Whether two values, or one that by itself means phase 0 or 1."""
    full = np.iinfo(dtype).max if dtype.kind in "iu" else 1
    return len(values) == 2 or (len(values) == 1 and values[0] in (0, 1, full))


def _are_labels(values: list[int | float] | None, name: str) -> bool:
    """Whether a few whole values are labels; refuse the ones that could be either."""
    if values is None or not 3 <= len(values) <= MAX_AUTO_PHASES:
        return False
    if any(value != round(value) for value in values):
        return False
    steps = np.diff(values)
    if np.abs(steps - steps.mean()).max() > 1:
        raise DataError(
            f"{name}: expected two phases, labels such as 0, 1, 2, or grey levels, got only the "
            f"values {', '.join(f'{v:g}' for v in values)} in this data; pass grey='labels' or "
            "grey='otsu'."
        )
    return True


def _labels(
    raw: np.ndarray, values: list[int | float] | None, n_phases: int | None, names: Names | None
) -> np.ndarray:
    """One channel per phase; by label where 0 to n_phases - 1, else by rank of the value."""
    n_phases = n_phases or len(values or ())
    if values and values[0] >= 0 and values[-1] < n_phases and all(v == round(v) for v in values):
        labels = raw
    elif values and len(values) == n_phases >= 2:
        labels = np.searchsorted(values, raw)
    else:
        found = f"{len(values)} from {values[0]:g} to {values[-1]:g}" if values else "more than 255"
        raise DataError(
            f"{row_name(names, 0)}: expected labels 0 to {max(n_phases, 2) - 1}, or as many "
            f"distinct values, got {found} in this data; pass the right channels= or grey='otsu'."
        )
    return one_hot(labels[:, 0].astype(np.uint8), n_phases, names=names)


def _scaled(raw: np.ndarray, name: str) -> np.ndarray:
    """Grey levels and colours on the scale of their type."""
    if raw.dtype.kind in "bf":
        return raw.astype(np.float32)
    if raw.dtype not in (np.uint8, np.uint16):
        raise DataError(
            f"{name}: expected grey levels of 8 or 16 bits, or floats in [0, 1], got {raw.dtype}; "
            "divide by the full scale and save as float32."
        )
    return (raw / np.float32(np.iinfo(raw.dtype).max)).astype(np.float32)

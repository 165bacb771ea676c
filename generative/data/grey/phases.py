"""Images in [0, 1] from stored values, by what they mean in the whole set."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float32, Shaped

from generative.data.check import Names, row_name
from generative.data.grey.meaning import Grey, Meaning, meaning_of, one_population
from generative.data.grey.segment import one_hot, otsu_threshold
from generative.errors import DataError

Content = Literal["phases", "grey", "colour"]

_RANGE_TOLERANCE = 1e-3  # of `objectives.images`, which imports torch


@dataclass(frozen=True, eq=False)
class Phases:
    """Images in [0, 1], what they are, and what was made of the stored values.

    Parameters
    ----------
    images
        (n, k, *space).
    content
        What they are.
    reading
        One line for people, such as ``values 0, 255 became phases 0, 1``.
    """

    images: Float32[np.ndarray, "n k *space"]
    content: Content
    reading: str


def read_phases(
    raw: Shaped[np.ndarray, "n c *space"],
    *,
    grey: Grey = "auto",
    channels: int | None = None,
    names: Names | None = None,
    indexed: bool = False,
    lossy: bool = False,
) -> Phases:
    """Images in [0, 1] from values as stored, judged over the whole set and never one by one.

    - At most two distinct values: two phases, the lower 0 and the higher 1.
    - With ``grey="auto"``, 3 to 8 distinct whole values that are evenly spaced, large steps to
      within one level (0, 1, 2 or 0, 127, 255), or any indices of a palette: labels of as many
      phases, one channel each, in ascending order.
    - Anything else in one channel: grey levels. ``"auto"`` refuses those that may be something
      else (`doubts`) and names the treatments that settle it.
    - Several channels: phases if they are in [0, 1] and sum to 1; three others are colour.

    Parameters
    ----------
    raw
        Boolean, integer or floating; finite.
    grey
        ``"otsu"`` (and ``"auto"``) segments grey levels by `otsu`; ``"keep"`` scales them to
        [0, 1]: 8 and 16 bits by 255 and 65,535, floats must be in [0, 1] already; ``"labels"``
        takes every distinct value (or colour, the darkest first) as a phase.
    channels
        Channels wanted: 1; 3 to keep colour; k to read labels 0 to k - 1 as k phases, whether or
        not all occur. None takes what the values say, and colour as grey.
    names
        What to call each row in an error.
    indexed
        The values are indices of a palette.
    lossy
        They come from JPEG, so that a few uneven ones are grey levels near their true ones.

    Raises
    ------
    DataError
        If the values fit none of these, or not the ``channels`` asked for, or may be several.
    """
    told = meaning_of(
        list(raw), grey=grey, channels=channels, names=names, indexed=indexed, lossy=lossy
    )
    return as_phases(raw, told, names=names, sure=grey != "auto")


def as_phases(
    raw: Shaped[np.ndarray, "n c *space"],
    meaning: Meaning,
    *,
    names: Names | None = None,
    sure: bool = False,
) -> Phases:
    """Images in [0, 1] of a set, or of a part of one, whose values mean what is said of them.

    Parameters
    ----------
    raw
        As stored, or already `Meaning.levels` of that.
    meaning
        Of the whole set.
    names
        What to call each row in an error.
    sure
        Threshold grey levels without asking whether they show two populations.

    Raises
    ------
    DataError
        If grey levels cannot be thresholded or scaled, or show one population.
    """
    levels = meaning.levels(raw)
    if meaning.kind == "otsu":
        return _thresholded(levels, names, () if sure else meaning.doubts, sure=sure)
    if meaning.kind in ("colour", "keep"):
        content = "colour" if meaning.kind == "colour" else "grey"
        return Phases(_scaled(levels, row_name(names, 0)), content, meaning.reading)
    if meaning.kind == "labels":
        images = _one_channel_each(levels, meaning)
    elif meaning.kind == "two":  # only zeros: phase 0 throughout
        images = np.equal(levels, meaning.values[-1] or 1).astype(np.float32)
    else:
        images = levels.astype(np.float32)
    return Phases(images, "phases", meaning.reading)


def _one_channel_each(levels: np.ndarray, meaning: Meaning) -> np.ndarray:
    values = np.array(meaning.values)
    phases = np.array(meaning.phases, np.uint8)
    images = np.empty((len(levels), meaning.n_phases, *levels.shape[2:]), np.float32)
    for row, level in enumerate(levels):
        images[row] = one_hot(phases[np.searchsorted(values, level)], meaning.n_phases)[0]
    return images


def _thresholded(
    raw: np.ndarray, names: Names | None, doubts: Sequence[str], *, sure: bool
) -> Phases:
    """Phase 1 above each image's own Otsu threshold, once it is sure that there are two."""
    found = list(doubts)
    images = np.empty(raw.shape, np.float32)
    levels = []
    for row, image in enumerate(raw):
        levels.append(otsu_threshold(image, row_name(names, row)))
        images[row] = image > levels[-1]
        if not sure:
            found += one_population(image, levels[-1], row_name(names, row))
    if found:
        others = f" (and {len(found) - 1} more of {len(raw)} images)" if len(found) > 1 else ""
        raise DataError(
            f"{found[0]}{others}; pass grey='otsu' (--grey otsu) to threshold it all the same, "
            "grey='labels' to take each value as a phase, grey='keep' to keep the levels, or "
            "leave it out."
        )
    low, high = min(levels), max(levels)
    at = f"{low:.6g}" if low == high else f"{low:.6g} to {high:.6g}"
    return Phases(images, "phases", f"values above Otsu's threshold ({at}) became phase 1")


def _scaled(raw: np.ndarray, name: str) -> np.ndarray:
    """Grey levels and colours on the scale of their type."""
    if raw.dtype.kind in "bf":
        levels = raw.astype(np.float32)
        near = levels.min() >= -_RANGE_TOLERANCE and levels.max() <= 1 + _RANGE_TOLERANCE
        return levels.clip(0, 1) if near else levels  # others are refused by `check_images`
    if raw.dtype not in (np.uint8, np.uint16):
        raise DataError(
            f"{name}: expected grey levels of 8 or 16 bits, or floats in [0, 1], got {raw.dtype}; "
            "divide by the full scale and save as float32."
        )
    return (raw / np.float32(np.iinfo(raw.dtype).max)).astype(np.float32)

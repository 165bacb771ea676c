"""What stored values mean: two phases, labels, grey levels or colours; decided for a whole set."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from jaxtyping import Float32, Shaped

from generative.data.check import Names, row_name
from generative.data.flat_colours import code_names, coded, distinct_colours
from generative.data.populations import has_two_populations, is_label_map
from generative.data.segment import luminance, one_hot, otsu_threshold
from generative.errors import DataError

Grey = Literal["auto", "otsu", "labels", "keep"]
Content = Literal["phases", "grey", "colour"]

# With "auto", more distinct values than this are grey levels and not labels of phases.
MAX_AUTO_PHASES = 8
MAX_PHASES = 255
_LISTED = 10
_ROUNDED_STEP = 8
_RANGE_TOLERANCE = 1e-3  # of `objectives.images`, which imports torch
_LOOKED_AT = 8  # images of a set, for flat regions


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


def to_phases(
    raw: Shaped[np.ndarray, "n c *space"],
    *,
    grey: Grey = "auto",
    channels: int | None = None,
    names: Names | None = None,
) -> tuple[Float32[np.ndarray, "n k *space"], Content]:
    """Images and content of `read_phases`, which has the rule."""
    _check_grey(grey)
    read = read_phases(raw, grey=grey, channels=channels, names=names)
    return read.images, read.content


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
    _check_grey(grey)
    if raw.shape[1] == 1:
        what = "indices" if indexed else "lossy values" if lossy else "values"
        return _one_channel(raw, grey, channels, names, what)
    first = row_name(names, 0)
    if _sums_to_one(raw):
        if channels not in (None, raw.shape[1]):
            raise DataError(
                f"{first}: expected channels={channels}, got {raw.shape[1]} phases, one a channel; "
                "leave out channels=."
            )
        reading = f"{raw.shape[1]} channels that sum to 1 are the shares of as many phases"
        return Phases(raw.astype(np.float32), "phases", reading)
    if raw.shape[1] != 3:
        volumes = "" if raw.ndim == 5 else " (volumes: spatial_dims=3, for a 3-D model)"
        raise DataError(
            f"{first}: expected one channel, three colours, or phases in [0, 1] that sum to 1, got "
            f"{raw.shape[1]} other channels{volumes}; save the one that shows the phases."
        )
    if channels == 3:
        return Phases(_scaled(raw, first), "colour", "three colours were kept")
    return _colours(raw, grey, channels, names, lossy=lossy)


def _check_grey(grey: str) -> None:
    if grey not in get_args(Grey):
        raise ValueError(f"grey should be one of {', '.join(get_args(Grey))}, got {grey!r}.")


def doubts(
    raw: Shaped[np.ndarray, "n 1 *space"], names: Names | None = None, *, lossy: bool = False
) -> list[str]:
    """What speaks against taking grey levels for two populations, a line for each image or set.

    Empty if every image shows two of them (`has_two_populations`) and none is a map of labels
    (`is_label_map`), which JPEG (``lossy``) does not keep.
    """
    if not lossy and (labelled := _looks_labelled(raw, names)):
        return labelled
    lines = []
    for row, image in enumerate(raw):
        try:
            threshold = otsu_threshold(image, row_name(names, row))
        except DataError as error:
            lines.append(str(error))
        else:
            lines += _one_population(image, threshold, row_name(names, row))
    return lines


def _looks_labelled(raw: np.ndarray, names: Names | None) -> list[str]:
    spread = np.linspace(0, len(raw) - 1, min(_LOOKED_AT, len(raw)), dtype=int)
    for row in dict.fromkeys(spread.tolist()):
        if is_label_map(raw[row, 0]):
            return [
                f"{row_name(names, row)}: looks like labels ({len(np.unique(raw[row]))} values in "
                "flat regions, such as numbers of grains), not like grey levels of two phases"
            ]
    return []


def _one_population(image: np.ndarray, threshold: float | int, name: str) -> list[str]:
    if has_two_populations(image[0], float(threshold)):
        return []
    return [
        f"{name}: its grey levels are one population, such as noise on one phase, which Otsu's "
        f"threshold ({threshold:.6g}) would cut in two"
    ]


def _colours(
    raw: np.ndarray, grey: Grey, channels: int | None, names: Names | None, *, lossy: bool
) -> Phases:
    """Three colours as labels of few flat ones, or as grey levels."""
    first = row_name(names, 0)
    colours = None if grey in ("otsu", "keep") else distinct_colours(raw, MAX_PHASES)
    if colours is not None and grey == "labels":
        return _one_channel(coded(raw, colours), grey, channels, names, code_names(colours))
    few = colours is not None and len(colours) <= MAX_AUTO_PHASES
    if grey == "auto" and colours is not None and (few or is_label_map(coded(raw, colours)[0, 0])):
        shown = ", ".join(code_names(colours)[:_LISTED])
        raise DataError(
            f"{first}: holds {len(colours)} flat colours only ({shown}), which may be labels; pass "
            "grey='labels' (--grey labels) to number them from dark to bright, grey='otsu' to "
            "threshold their brightness, or save the labels themselves as grey or palette images."
        )
    levels = np.concatenate([luminance(image[None]) for image in raw])
    return _one_channel(levels, grey, channels, names, "lossy values" if lossy else "values")


def _one_channel(
    raw: np.ndarray,
    grey: Grey,
    channels: int | None,
    names: Names | None,
    what: str | Sequence[str],
) -> Phases:
    """Phases of one channel; ``what`` its values are called, or the name of each code."""
    first = row_name(names, 0)
    values = _distinct(raw, MAX_PHASES)
    if channels not in (None, 1):
        return _labels(raw, values, channels, names, what)
    if values is not None and _two_phases(values, raw.dtype):
        # Only zeros: phase 0 throughout.
        images = np.equal(raw, values[-1] or 1).astype(np.float32)
        phases = [0, 1] if len(values) == 2 else [int(values[0] != 0)]
        return Phases(images, "phases", _became(values, phases, what))
    if grey == "labels" or (grey == "auto" and _are_labels(values, first, what)):
        if channels == 1:
            raise DataError(
                f"{first}: expected two phases in one channel, got labels of more in this data; "
                "pass grey='otsu' to threshold them as grey levels, or leave out channels=."
            )
        return _labels(raw, values, None, names, what)
    if grey == "keep":
        return Phases(_scaled(raw, first), "grey", "grey levels were kept")
    return _thresholded(raw, names, sure=grey != "auto", lossy=what == "lossy values")


def _thresholded(raw: np.ndarray, names: Names | None, *, sure: bool, lossy: bool) -> Phases:
    """Phase 1 above each image's own Otsu threshold, once it is sure that there are two."""
    found = [] if sure or lossy else _looks_labelled(raw, names)
    images = np.empty(raw.shape, np.float32)
    levels = []
    for row, image in enumerate(raw):
        levels.append(otsu_threshold(image, row_name(names, row)))
        images[row] = image > levels[-1]
        if not sure:
            found += _one_population(image, levels[-1], row_name(names, row))
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


def _became(values: Sequence[int | float], phases: Sequence[int], what: str | Sequence[str]) -> str:
    """``values 0, 1, 2 became phases 0, 1, 2``."""
    if isinstance(what, str):
        shown = [f"{value:g}" for value in values]
        noun = "indices of the palette" if what == "indices" else "values"
        noun = noun if len(values) > 1 else {"values": "value"}.get(noun, "index of the palette")
    else:
        shown, noun = [what[int(value)] for value in values], "colours"
    text = ", ".join(shown)
    if len(shown) > _LISTED:
        text = f"{', '.join(shown[:3])}, ... {shown[-1]} ({len(shown)})"
    labels = [str(phase) for phase in phases]
    into = ", ".join(labels)
    if len(labels) > _LISTED:
        into = f"{', '.join(labels[:3])}, ... {labels[-1]}"
    return f"{noun} {text} became phase{'s' if len(labels) > 1 else ''} {into}"


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


def _are_labels(values: list[int | float] | None, name: str, what: str | Sequence[str]) -> bool:
    """Whether a few values are labels; refuse the ones that could be either."""
    if what == "indices":
        if values is None or len(values) > MAX_AUTO_PHASES:
            many = "more than 255" if values is None else str(len(values))
            raise DataError(
                f"{name}: is a palette image of {many} indices, which may be labels or a picture; "
                "pass grey='labels' (--grey labels) to take each index as a phase, or grey='otsu' "
                "to threshold the picture that its palette shows."
            )
        return True
    if values is None or not 3 <= len(values) <= MAX_AUTO_PHASES:
        return False
    steps = np.diff(values)
    rounded = steps.mean() >= _ROUNDED_STEP  # 0, 127, 255 are three even steps of 127.5
    even = np.ptp(steps) == 0 or (rounded and np.abs(steps - steps.mean()).max() <= 1)
    if not even and what == "lossy values":
        return False
    if not even or any(value != round(value) for value in values):
        absent = values[0] >= 0 and values[-1] < MAX_PHASES and not rounded
        all_labels = f", or channels={values[-1] + 1:g} if some of its labels are absent"
        raise DataError(
            f"{name}: expected two phases, labels such as 0, 1, 2, or grey levels, got only the "
            f"values {', '.join(f'{v:g}' for v in values)} in this data; pass grey='labels' or "
            f"grey='otsu' (--grey labels, --grey otsu){all_labels if absent else ''}."
        )
    return True


def _labels(
    raw: np.ndarray,
    values: list[int | float] | None,
    n_phases: int | None,
    names: Names | None,
    what: str | Sequence[str],
) -> Phases:
    """One channel per phase; by label where 0 to n_phases - 1, else by rank of the value."""
    n_phases = n_phases or len(values or ())
    if values and values[0] >= 0 and values[-1] < n_phases and all(v == round(v) for v in values):
        labels, phases = raw, [int(value) for value in values]
    elif values and len(values) == n_phases >= 2:
        labels, phases = np.searchsorted(values, raw), list(range(n_phases))
    else:
        found = f"{len(values)} from {values[0]:g} to {values[-1]:g}" if values else "more than 255"
        raise DataError(
            f"{row_name(names, 0)}: expected labels 0 to {max(n_phases, 2) - 1}, or as many "
            f"distinct values, got {found} in this data; pass the right channels= or grey='otsu'."
        )
    images = one_hot(labels[:, 0].astype(np.uint8), n_phases, names=names)
    return Phases(images, "phases", _became(values, phases, what))


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

"""What the stored values of a set mean, told once over all its images, whatever their sizes."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal, get_args

import numpy as np
from jaxtyping import Shaped

from generative.data.check import Names, row_name
from generative.data.grey.flat_colours import code_names, coded, distinct_colours
from generative.data.grey.populations import has_two_populations, is_label_map
from generative.data.grey.segment import luminance, otsu_threshold
from generative.errors import DataError

Grey = Literal["auto", "otsu", "labels", "keep"]
Image = Shaped[np.ndarray, "_ ..."]  # (c, *space); sizes may differ
Number = int | float

# With "auto", more distinct values than this are grey levels and not labels of phases.
MAX_AUTO_PHASES = 8
MAX_PHASES = 255
_LISTED = 10
_ROUNDED_STEP = 8
_LOOKED_AT = 8  # images of a set, for flat regions


@dataclass(frozen=True, eq=False)
class Meaning:
    """What stored values mean, for every image of the set and every part of one.

    Parameters
    ----------
    kind
        ``"shares"`` of phases, one a channel; ``"colour"`` that is kept; ``"two"`` phases in one
        channel; ``"labels"``, one channel each; grey levels to ``"keep"``, or for ``"otsu"``.
    values, phases
        The values that occur, ascending, and the phase of each. Of two phases and labels.
    n_phases
        Channels of labels.
    colours
        Flat colours in the order of their numbers, which are the values; None if there are none.
    reading
        One line for people. Empty for ``"otsu"``, whose thresholds are those of each image.
    doubts
        What speaks against thresholding the set at all, a line each.
    """

    kind: Literal["shares", "colour", "two", "labels", "keep", "otsu"]
    values: tuple[Number, ...] = ()
    phases: tuple[int, ...] = ()
    n_phases: int = 1
    colours: Shaped[np.ndarray, "k 3"] | None = None
    reading: str = ""
    doubts: tuple[str, ...] = ()

    def levels(self, raw: Shaped[np.ndarray, "n c *space"]) -> Shaped[np.ndarray, "n k *space"]:
        """The channel that has the values: numbers or brightness of colours, else what is there."""
        if self.kind in ("shares", "colour") or raw.shape[1] != 3:
            return raw
        if self.colours is not None:
            return coded(raw, self.colours)
        return np.concatenate([luminance(image[None]) for image in raw])


def meaning_of(
    images: Sequence[Image],
    *,
    grey: Grey = "auto",
    channels: int | None = None,
    names: Names | None = None,
    indexed: bool = False,
    lossy: bool = False,
) -> Meaning:
    """What values mean by the rule of `read_phases`, which has the parameters.

    Parameters
    ----------
    images
        All images of the set as stored, of one number of channels and any sizes.

    Raises
    ------
    DataError
        As `read_phases`, but for the two populations that Otsu's threshold needs (`doubts`).
    """
    check_grey(grey)
    count, first = len(images[0]), row_name(names, 0)
    what = "indices" if indexed else "lossy values" if lossy else "values"
    if count == 1:
        return _one_channel(images, grey, channels, names, what)
    if all(_sums_to_one(image) for image in images):
        if channels not in (None, count):
            raise DataError(
                f"{first}: expected channels={channels}, got {count} phases, one a channel; "
                "leave out channels=."
            )
        reading = f"{count} channels that sum to 1 are the shares of as many phases"
        return Meaning("shares", n_phases=count, reading=reading)
    if count != 3:
        volumes = "" if images[0].ndim == 4 else " (volumes: spatial_dims=3, for a 3-D model)"
        raise DataError(
            f"{first}: expected one channel, three colours, or phases in [0, 1] that sum to 1, got "
            f"{count} other channels{volumes}; save the one that shows the phases."
        )
    if channels == 3:
        return Meaning("colour", reading="three colours were kept")
    return _colours(images, grey, channels, names, what)


def check_grey(grey: str) -> None:
    """Refuse an unknown treatment of grey levels.

    Raises
    ------
    ValueError
        With those that are known.
    """
    if grey not in get_args(Grey):
        raise ValueError(f"grey should be one of {', '.join(get_args(Grey))}, got {grey!r}.")


def doubts(
    raw: Shaped[np.ndarray, "n 1 *space"], names: Names | None = None, *, lossy: bool = False
) -> list[str]:
    """What speaks against taking grey levels for two populations, a line for each image or set.

    Empty if every image shows two of them (`has_two_populations`) and none is a map of labels
    (`is_label_map`), which JPEG (``lossy``) does not keep.
    """
    if not lossy and (labelled := _looks_labelled(list(raw), names)):
        return labelled
    lines = []
    for row, image in enumerate(raw):
        try:
            threshold = otsu_threshold(image, row_name(names, row))
        except DataError as error:
            lines.append(str(error))
        else:
            lines += one_population(image, threshold, row_name(names, row))
    return lines


def _looks_labelled(images: Sequence[Image], names: Names | None) -> list[str]:
    spread = np.linspace(0, len(images) - 1, min(_LOOKED_AT, len(images)), dtype=int)
    for row in dict.fromkeys(spread.tolist()):
        if is_label_map(images[row][0]):
            count = len(np.unique(images[row]))
            return [
                f"{row_name(names, row)}: looks like labels ({count} values in flat regions, such "
                "as numbers of grains), not like grey levels of two phases"
            ]
    return []


def one_population(image: Image, threshold: float | int, name: str) -> list[str]:
    """A line if an image of one channel shows no two populations for a threshold to part."""
    if has_two_populations(image[0], float(threshold)):
        return []
    return [
        f"{name}: its grey levels are one population, such as noise on one phase, which Otsu's "
        f"threshold ({threshold:.6g}) would cut in two"
    ]


def _colours(
    images: Sequence[Image], grey: Grey, channels: int | None, names: Names | None, what: str
) -> Meaning:
    """Three colours as labels of few flat ones, or as grey levels."""
    first = row_name(names, 0)
    colours = None if grey in ("otsu", "keep") else distinct_colours(images, MAX_PHASES)
    if colours is not None and grey == "labels":
        codes = [coded(image[None], colours)[0] for image in images]
        told = _one_channel(codes, grey, channels, names, code_names(colours))
        return replace(told, colours=colours)
    few = colours is not None and len(colours) <= MAX_AUTO_PHASES
    if (
        grey == "auto"
        and colours is not None
        and (few or is_label_map(coded(images[0][None], colours)[0, 0]))
    ):
        shown = ", ".join(code_names(colours)[:_LISTED])
        raise DataError(
            f"{first}: holds {len(colours)} flat colours only ({shown}), which may be labels; pass "
            "grey='labels' (--grey labels) to number them from dark to bright, grey='otsu' to "
            "threshold their brightness, or save the labels themselves as grey or palette images."
        )
    return _one_channel(
        [luminance(image[None])[0] for image in images], grey, channels, names, what
    )


def _one_channel(
    images: Sequence[Image],
    grey: Grey,
    channels: int | None,
    names: Names | None,
    what: str | Sequence[str],
) -> Meaning:
    """Of one channel; ``what`` its values are called, or the name of each code."""
    first = row_name(names, 0)
    values = _distinct(images, MAX_PHASES)
    if channels not in (None, 1):
        return _labels(values, channels, first, what)
    if values is not None and _two_phases(values, images[0].dtype):
        phases = [0, 1] if len(values) == 2 else [int(values[0] != 0)]
        return Meaning("two", tuple(values), tuple(phases), reading=_became(values, phases, what))
    if grey == "labels" or (grey == "auto" and _are_labels(values, first, what)):
        if channels == 1:
            raise DataError(
                f"{first}: expected two phases in one channel, got labels of more in this data; "
                "pass grey='otsu' to threshold them as grey levels, or leave out channels=."
            )
        return _labels(values, None, first, what)
    if grey == "keep":
        return Meaning("keep", reading="grey levels were kept")
    asked = grey == "auto" and what != "lossy values"
    return Meaning("otsu", doubts=tuple(_looks_labelled(images, names) if asked else ()))


def _labels(
    values: list[Number] | None, n_phases: int | None, first: str, what: str | Sequence[str]
) -> Meaning:
    """By label where 0 to n_phases - 1, else by rank of the value."""
    n_phases = n_phases or len(values or ())
    if values and values[0] >= 0 and values[-1] < n_phases and all(v == round(v) for v in values):
        phases = [int(value) for value in values]
    elif values and len(values) == n_phases >= 2:
        phases = list(range(n_phases))
    else:
        found = f"{len(values)} from {values[0]:g} to {values[-1]:g}" if values else "more than 255"
        raise DataError(
            f"{first}: expected labels 0 to {max(n_phases, 2) - 1}, or as many distinct values, "
            f"got {found} in this data; pass the right channels= or grey='otsu'."
        )
    reading = _became(values, phases, what)
    return Meaning("labels", tuple(values), tuple(phases), n_phases, reading=reading)


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


def _sums_to_one(image: np.ndarray) -> bool:
    return image.min() >= 0 and np.allclose(image.sum(axis=0, dtype=np.float64), 1, atol=1e-4)


def _distinct(images: Sequence[Image], at_most: int) -> list[Number] | None:
    """Distinct values in ascending order, or None as soon as there are more than ``at_most``."""
    seen: set[Number] = set()
    for image in images:
        flat = image.reshape(-1)
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

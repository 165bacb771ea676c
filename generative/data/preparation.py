"""What is done to micrographs on their way to a data set."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from generative.data.grey.meaning import Meaning
from generative.data.grey.segmentation import Segmentation
from generative.errors import DataError


@dataclass(frozen=True)
class Preparation:
    """What is done to each image, in this order.

    Parameters
    ----------
    info_bar
        Rows cut off the bottom: a number, or ``"auto"`` for `info_bars` at bottom and top.
    denoised
        Non-local means first.
    segmentation
        How grey levels become phases; or ``"auto"``: what `read_dataset` makes of the values of the
        whole set, and Otsu's threshold of each image if they are grey levels of two populations; or
        ``"labels"``: every distinct value of the set is one; or ``"keep"``: the levels are kept,
        scaled to [0, 1].
    colour
        Keep three colour channels; else they become grey. With ``"keep"`` or k-means.
    patch
        Side of the patches, one number or one an axis; None takes whole images of one size.
    stride
        From one patch to the next; the side by default.
    drop_empty
        Leave out images of which 99 % lies within 2 % of one value.
    drop_duplicates
        Leave out images that equal an earlier one, mirrored and turned ones too.

    Raises
    ------
    ValueError
        For settings that would have no effect, or spoil the others.
    """

    info_bar: int | Literal["auto"] = 0
    denoised: bool = False
    segmentation: Segmentation | Literal["auto", "labels", "keep"] = "auto"
    colour: bool = False
    patch: int | tuple[int, ...] | None = None
    stride: int | tuple[int, ...] | None = None
    drop_empty: bool = False
    drop_duplicates: bool = False

    def __post_init__(self) -> None:
        method = getattr(self.segmentation, "method", self.segmentation)
        if self.stride is not None and self.patch is None:
            raise ValueError("stride is from patch to patch: set patch (--patch), or leave it out.")
        if self.colour and method not in ("keep", "k_means"):
            raise ValueError(f"colour is for keep and k_means: {method} takes grey levels.")
        if self.denoised and method == "labels":
            raise ValueError("denoised labels are none: take one of the other segmentations.")


def settled(how: Preparation, meaning: Meaning) -> Preparation:
    """With Otsu's threshold in the place of ``"auto"`` where the values are grey levels.

    Raises
    ------
    DataError
        If they look like labels of many phases, or are phases that should be denoised.
    """
    if how.segmentation != "auto":
        return how
    if meaning.kind == "otsu":
        ask(meaning.doubts)
        return replace(how, segmentation=Segmentation())
    if how.denoised:
        raise DataError(
            f"{meaning.reading}, and denoised labels are none; leave out --denoise, or "
            "say what the grey levels are (--segment otsu, keep or another)."
        )
    return how


def ask(found: Sequence[str]) -> None:
    """Refuse what speaks against a threshold."""
    if found:
        raise DataError(
            f"{found[0]}; pass --segment otsu to cut it all the same, or --segment labels, keep or "
            "thresholds, or leave it out."
        )

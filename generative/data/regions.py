"""Patches of few large images, split by where they lie: the parts share no voxel."""

from collections.abc import Iterator

import numpy as np
from jaxtyping import Int64

from generative.data.check import by
from generative.data.dataset import Dataset
from generative.data.patches import FRACTIONS, Split, check_fractions, split_by_parent
from generative.errors import DataError

LEAST_PARENTS = 3  # to give each part one


def split_patches(dataset: Dataset, *, fractions: tuple[float, float, float] = FRACTIONS) -> Split:
    """Training, validation and test patches, each from a region of its own of every image.

    For patches that are cut already, as those of a prepared set; `split_regions` is for whole
    images. Every parent is parted across its longest axis that has room for three patches side by
    side: at the ends of patches near the shares, training first and test last. Patches across a
    border are left out, and those of an image that equals an earlier one: mirrored or turned, its
    regions are elsewhere. A parent without room gives all its patches to the training; if none has
    room, whole parents are held out. So they are for windows around points (`prepare_windows`) of
    three frames and more, and the windows of one frame are never in two parts.

    Parameters
    ----------
    dataset
        Patches whose places are known. Images of one parent (the slices of a stack) are parted at
        the same voxels.
    fractions
        Shares of the axis for training, validation and test; positive, with sum 1.

    Raises
    ------
    DataError
        If the places are not known, or there is neither room in a parent nor a third one.
    ValueError
        If the fractions are not three positive numbers with sum 1.

    Examples
    --------
    >>> from generative.data.patches import extract_patches
    >>> patches = extract_patches(Dataset.from_images(np.zeros((1, 1, 80, 8))), 8)
    >>> [len(part) for part in split_patches(patches)]
    [8, 1, 1]
    """
    check_fractions(fractions)
    if dataset.places is None:
        raise DataError(
            f"{dataset.sources[0]}: where each patch lies in its image is not known; cut the "
            "images again with data prepare, or give whole images."
        )
    dataset = dataset.subset(np.flatnonzero(~dataset.places.copies))
    assert dataset.places is not None  # a subset keeps them
    parents = np.unique(dataset.parents)
    if dataset.positions is not None and len(parents) >= LEAST_PARENTS:
        return split_by_parent(dataset, fractions=fractions)
    part_of = np.zeros(len(dataset), np.int64)
    space = dataset.image_shape[1:]
    if dataset.places.sizes is not None:
        space = tuple(dataset.places.sizes.max(axis=0).tolist())
    parted = 0
    for parent in parents:
        rows = np.flatnonzero(dataset.parents == parent)
        parts = _parted(dataset.places.offsets[rows], space, fractions)
        if parts is not None:
            part_of[rows], parted = parts, parted + 1
    if not parted and len(parents) >= LEAST_PARENTS:
        return split_by_parent(dataset, fractions=fractions)
    if not parted:
        raise DataError(_no_room(dataset))
    return Split(*(dataset.subset(np.flatnonzero(part_of == part)) for part in range(3)))


def _no_room(dataset: Dataset) -> str:
    parents = len(np.unique(dataset.parents))
    return (
        f"{dataset.sources[0]}: {len(dataset)} patches of {by(dataset.image_shape[1:])} voxels "
        f"from {parents} image{'' if parents == 1 else 's'} cannot be parted into training, "
        "validation and test: along no axis do three lie side by side without sharing voxels. "
        "Cut smaller patches, with a stride that divides their side, or add images."
    )


def _parted(
    offsets: Int64[np.ndarray, "n d"],
    space: tuple[int, ...],
    fractions: tuple[float, float, float],
) -> Int64[np.ndarray, "n"] | None:
    """The part of each patch of one parent, -1 of those across a border; None without room."""
    extent = offsets.max(axis=0) + space - offsets.min(axis=0)
    for axis in np.argsort(-extent, kind="stable"):
        starts, side = offsets[:, axis], space[axis]
        borders = min(_borders(np.unique(starts), side, fractions), default=None)
        if borders is not None:
            _, first, second = borders
            parts = np.full(len(starts), -1, np.int64)
            parts[starts + side <= first] = 0
            parts[(starts >= first) & (starts + side <= second)] = 1
            parts[starts >= second] = 2
            return parts
    return None


def _borders(
    starts: Int64[np.ndarray, "m"], side: int, fractions: tuple[float, float, float]
) -> Iterator[tuple[float, int, int]]:
    """Pairs of borders with a patch before, between and after them, and how far from the shares."""
    length = starts[-1] + side - starts[0]
    wanted = starts[0] + length * np.cumsum(fractions)[:2]
    ends = starts + side
    for first in ends:
        between = starts[starts >= first]
        if not len(between):
            return
        seconds = ends[(ends >= between[0] + side) & (ends <= starts[-1])]
        if len(seconds):
            second = seconds[np.abs(seconds - wanted[1]).argmin()]
            yield float(np.abs((first, second) - wanted).sum()), int(first), int(second)

"""Patches of large images, and splits that never share a parent or a voxel."""

import itertools
from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from generative.data.check import Limits, by
from generative.data.dataset import NOT_LABELLED, Dataset, Places
from generative.errors import DataError

FRACTIONS = (0.8, 0.1, 0.1)


class Split(NamedTuple):
    """Three data sets with nothing in common.

    Parameters
    ----------
    train, validation, test
        At least one image each, and no voxel of one data set lies in another.
    """

    train: Dataset
    validation: Dataset
    test: Dataset


def extract_patches(
    dataset: Dataset,
    size: int | tuple[int, ...],
    *,
    stride: int | tuple[int, ...] | None = None,
    limits: Limits | None = None,
) -> Dataset:
    """Patches on a regular grid over every image; they keep its class, parent and time.

    Split by parent or by region first: patches of one image are correlated, and with a stride
    below the size they share voxels. Patches of windows have no positions: their centres are no
    points.

    Parameters
    ----------
    dataset
        Images of any size.
    size
        Voxels a side, one number or one per axis (z, y, x).
    stride
        Voxels from one patch to the next; ``size`` by default, which tiles without overlap. What
        is left at the far side, too narrow for a patch, is dropped.
    limits
        Largest sizes accepted of the patches together.

    Raises
    ------
    DataError
        If the images are smaller than a patch, or the patches exceed the limits.

    Examples
    --------
    >>> large = Dataset.from_images(np.zeros((1, 1, 100, 64)))
    >>> extract_patches(large, 32).sources[1]
    'array[0][0:32, 32:64]'
    """
    regions = patch_regions(dataset.image_shape[1:], size, stride, dataset.sources[0])
    sizes = tuple(side.stop - side.start for side in regions[0])
    shape = (len(dataset) * len(regions), dataset.image_shape[0], *sizes)
    (limits or Limits()).check(shape, dataset.sources[0])

    patches = np.empty(shape, np.float32)
    sources: list[str] = []
    corners = np.array([[side.start for side in region] for region in regions], np.int64)
    for row, image in enumerate(dataset.images):
        for region in regions:
            patches[len(sources)] = image[(slice(None), *region)]
            sources.append(region_name(dataset.sources[row], region))
    return replace(
        dataset,
        images=patches,
        labels=np.repeat(dataset.labels, len(regions)),
        sources=tuple(sources),
        parents=np.repeat(dataset.parents, len(regions)),
        places=_places(dataset, corners),
        positions=None,
        times=None if dataset.times is None else np.repeat(dataset.times, len(regions)),
    )


def _places(dataset: Dataset, corners: np.ndarray) -> Places:
    """Places of what is cut at the same corners (r, d) from every image, image by image."""
    whole = dataset.places or Places.of_whole(len(dataset), dataset.spatial_dims)
    if whole.sizes is not None:  # of windows: any part of them lies within what they read
        return whole.subset(np.repeat(np.arange(len(dataset)), len(corners)))
    offsets = (whole.offsets[:, None] + corners).reshape(-1, corners.shape[1])
    origins, copies = (np.repeat(a, len(corners)) for a in (whole.origins, whole.copies))
    return Places(origins, offsets, copies)


def patch_regions(
    space: tuple[int, ...],
    size: int | tuple[int, ...],
    stride: int | tuple[int, ...] | None,
    name: str,
) -> list[tuple[slice, ...]]:
    """Regions of the patches of one image of ``space``, as `extract_patches` cuts them.

    Raises
    ------
    DataError
        If the image, called ``name``, is smaller than a patch.
    """
    sizes = _per_axis(size, space, "size")
    strides = sizes if stride is None else _per_axis(stride, space, "stride")
    if any(side > whole for side, whole in zip(sizes, space, strict=True)):
        raise DataError(
            f"{name}: an image of {by(space)} voxels is smaller than a patch of "
            f"{by(sizes)}; take smaller patches, or larger shares where regions were split."
        )
    corners = [
        range(0, whole - side + 1, step)
        for whole, side, step in zip(space, sizes, strides, strict=True)
    ]
    return [
        tuple(slice(at, at + side) for at, side in zip(corner, sizes, strict=True))
        for corner in itertools.product(*corners)
    ]


def split_by_parent(
    dataset: Dataset, *, fractions: tuple[float, float, float] = FRACTIONS, seed: int = 0
) -> Split:
    """Training, validation and test images with no parent in two of them.

    Parents are drawn at random, class by class, so that each class is spread over the three as
    evenly as its number of parents allows; each split gets one parent at least. The class of a
    parent is that of its first image with a label; parents without one are a class of their own.

    Parameters
    ----------
    dataset
        Images or patches.
    fractions
        Shares of the parents in training, validation and test; positive, with sum 1.
    seed
        The same seed gives the same split.

    Raises
    ------
    DataError
        If there are fewer than three parents.
    ValueError
        If the fractions are not three positive numbers with sum 1.
    """
    check_fractions(fractions)
    parents = np.unique(dataset.parents)
    if len(parents) < 3:
        raise DataError(
            f"{dataset.sources[0]}: expected at least 3 parents to split, got {len(parents)}; cut "
            "each into disjoint regions with split_regions before taking patches."
        )
    order = np.random.default_rng(seed).permutation(len(parents))
    order = order[np.argsort(_class_of_parents(dataset, parents)[order], kind="stable")]

    counts = _whole_shares(len(parents), fractions)
    taken = np.zeros(3, np.int64)
    split_of = np.empty(len(parents), np.int64)
    for done, parent in enumerate(order, start=1):
        # The split furthest behind its share takes the next parent: even within each class.
        behind = np.where(taken < counts, done * counts / len(parents) - taken, -np.inf)
        split_of[parent] = np.argmax(behind)
        taken[split_of[parent]] += 1
    row_split = split_of[np.searchsorted(parents, dataset.parents)]
    return Split(*(dataset.subset(np.flatnonzero(row_split == part)) for part in range(3)))


def _class_of_parents(dataset: Dataset, parents: np.ndarray) -> np.ndarray:
    """Label of the first labelled image of each of the sorted parents; -1 without one."""
    labels = np.full(len(parents), NOT_LABELLED)
    known = np.flatnonzero(dataset.labels != NOT_LABELLED)
    labelled, first = np.unique(dataset.parents[known], return_index=True)
    labels[np.searchsorted(parents, labelled)] = dataset.labels[known[first]]
    return labels


def split_regions(
    dataset: Dataset,
    *,
    fractions: tuple[float, float, float] = FRACTIONS,
    axis: int | None = None,
    gap: int = 0,
    smallest: int = 1,
) -> Split:
    """Training, validation and test regions of every image: bands of 2-D images, slabs of volumes.

    For few large parents: every image is cut across one axis into three regions that share no
    voxel, training first and test last. Take patches of each split afterwards. The regions of an
    image keep its parent number.

    Parameters
    ----------
    dataset
        Whole images, not patches that overlap.
    fractions
        Shares of the axis for training, validation and test; positive, with sum 1.
    axis
        Axis of space to cut across (0 is the first of z, y, x); the longest by default.
    gap
        Voxels left out between two regions; the correlation length makes them independent too.
    smallest
        Voxels along the axis that each region has at least, such as the side of the patches to be
        cut from it; a region whose share is less takes them from the largest.

    Raises
    ------
    DataError
        If two parts of one image are in the data set, or a region would have no voxel.
    ValueError
        For fractions, an axis or a gap that make no sense.

    Examples
    --------
    >>> split = split_regions(Dataset.from_images(np.zeros((1, 1, 100, 32))), gap=5)
    >>> [part.image_shape for part in split]
    [(1, 72, 32), (1, 9, 32), (1, 9, 32)]
    """
    check_fractions(fractions)
    space = dataset.image_shape[1:]
    axis = int(np.argmax(space)) if axis is None else axis
    if not 0 <= axis < len(space) or gap < 0:
        raise ValueError(
            f"expected an axis from 0 to {len(space) - 1} and a gap of 0 or more voxels, got "
            f"axis={axis}, gap={gap}."
        )
    if space[axis] - 2 * gap < 3 * smallest:
        raise DataError(
            f"{dataset.sources[0]}: an axis of {space[axis]} voxels cannot be cut into three "
            f"regions of {smallest} or more with gaps of {gap}; choose a longer axis, smaller "
            "patches or a smaller gap."
        )
    if dataset.are_parts:
        raise DataError(
            f"{dataset.sources[0]}: expected whole images, got several parts of one, which may "
            "share voxels; split first and take patches afterwards."
        )
    parts, start = [], 0
    widths = _whole_shares(space[axis] - 2 * gap, fractions)
    total, widths = widths.sum(), np.maximum(widths, smallest)
    while widths.sum() > total:
        widths[np.argmax(widths)] -= 1
    for width in widths:
        region = [slice(0, side) for side in space]
        region[axis] = slice(start, start + int(width))
        parts.append(_region(dataset, tuple(region)))
        start += int(width) + gap
    return Split(*parts)


def _region(dataset: Dataset, region: tuple[slice, ...]) -> Dataset:
    """The same region of every image."""
    return replace(
        dataset,
        images=np.ascontiguousarray(dataset.images[(slice(None), slice(None), *region)]),
        sources=tuple(region_name(source, region) for source in dataset.sources),
        places=_places(dataset, np.array([[side.start for side in region]], np.int64)),
        positions=None,
    )


def region_name(source: str, region: Sequence[slice]) -> str:
    """``"a.png[0:64, 64:128]"``."""
    return f"{source}[{', '.join(f'{side.start}:{side.stop}' for side in region)}]"


def _whole_shares(total: int, fractions: tuple[float, float, float]) -> np.ndarray:
    """Whole numbers near ``total * fractions``, each at least 1, that add up to ``total``."""
    shares = np.maximum(np.floor(total * np.array(fractions) + 1e-9), 1).astype(np.int64)
    while shares.sum() != total:
        behind = total * np.array(fractions) - shares
        if shares.sum() < total:
            shares[np.argmax(behind)] += 1
        else:
            shares[np.argmin(np.where(shares > 1, behind, np.inf))] -= 1
    return shares


def check_fractions(fractions: tuple[float, ...]) -> None:
    """Refuse what are not three shares by a ``ValueError``."""
    if len(fractions) != 3 or min(fractions) <= 0 or abs(sum(fractions) - 1) > 1e-6:
        raise ValueError(f"fractions should be three positive numbers with sum 1, got {fractions}.")


def _per_axis(value: int | tuple[int, ...], space: tuple[int, ...], name: str) -> tuple[int, ...]:
    values = (value,) * len(space) if isinstance(value, int) else tuple(value)
    if len(values) != len(space) or min(values) < 1:
        raise ValueError(
            f"{name} should be one number or {len(space)} of at least 1, got {value!r}."
        )
    return values

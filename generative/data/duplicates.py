"""Images that are the same, or the same mirrored or turned by quarter turns."""

import hashlib
import itertools
import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Int64, Shaped, UInt64

_DIGEST = 16  # bytes: two different images share one by a chance of 1 in 10^38
_AT_ONCE = 2**22  # voxels
_MIX = 0x9E3779B97F4A7C15  # odd, so that no value is lost in products modulo 2^64

Orientation = tuple[tuple[int, ...], tuple[int, ...]]  # order of the axes, and those to mirror


class Duplicates(NamedTuple):
    """Rows of images that are one and the same but for their orientation."""

    rows: tuple[int, ...]
    exact: bool  # in the same orientation too


def find_duplicates(
    images: Iterable[Shaped[np.ndarray, "_ ..."]], *, constant: bool = True
) -> list[Duplicates]:
    """Groups of two or more equal images, compared voxel by voxel in every orientation.

    Orientations are the 8 of the square and the 48 of the cube; channels stay in place. An image
    and its negative are no duplicates: two phases that change places are another material.

    Parameters
    ----------
    images
        Images (c, *space) of any sizes and types.
    constant
        Count images of one value too. They say nothing of where they are from.

    Returns
    -------
    Groups in the order of their first row.

    Examples
    --------
    >>> picture = np.array([[[1, 2], [3, 4]]])
    >>> find_duplicates([picture, np.zeros((1, 2, 2)), np.rot90(picture, axes=(1, 2))])
    [Duplicates(rows=(0, 2), exact=False)]
    """
    alike = defaultdict(list)  # large volumes are seldom two of one size
    for row, image in enumerate(images):
        alike[image.dtype, len(image), tuple(sorted(image.shape[1:]))].append((row, image))
    same = defaultdict(list)
    for row, image in (pair for pairs in alike.values() if len(pairs) > 1 for pair in pairs):
        if constant or not is_constant(image):
            same[turned_digest(image)].append((row, digest(image)))
    groups = [
        Duplicates(tuple(row for row, _ in found), len({own for _, own in found}) == 1)
        for found in same.values()
        if len(found) > 1
    ]
    return sorted(groups)


def share_parents(
    parents: Int64[np.ndarray, "n"], groups: Sequence[Duplicates]
) -> Int64[np.ndarray, "n"]:
    """Parents of images, where the parents of duplicates are one: the smallest of their numbers.

    Examples
    --------
    >>> share_parents(np.array([0, 0, 1, 2, 3]), [Duplicates((1, 3), True)]).tolist()
    [0, 0, 1, 0, 3]
    """
    root = {int(parent): int(parent) for parent in np.unique(parents)}

    def find(parent: int) -> int:
        while root[parent] != parent:
            root[parent] = root[root[parent]]
            parent = root[parent]
        return parent

    for group in groups:
        found = [find(int(parents[row])) for row in group.rows]
        for parent in found:
            root[parent] = min(found)
    return np.array([find(int(parent)) for parent in parents], dtype=np.int64)


def image_digests(images: Shaped[np.ndarray, "n _ ..."]) -> Int64[np.ndarray, "n"]:
    """Eight bytes for each image (n, c, *space), by which `were_seen` knows it in any orientation.

    Those of a training set are kept with what was learned from it.
    """
    digests = b"".join(turned_digest(image)[:8] for image in images)
    return np.frombuffer(digests, "<i8").astype(np.int64)


def were_seen(
    images: Shaped[np.ndarray, "n _ ..."], known: Int64[np.ndarray, "m"]
) -> Bool[np.ndarray, "n"]:
    """Which images (n, c, *space) equal one of those with digests ``known``, or are it turned.

    An image of one value is not counted: it says nothing of where it is from.
    """
    told = np.array([not is_constant(image) for image in images], bool)
    return told & np.isin(image_digests(images), known)


def is_constant(image: Shaped[np.ndarray, "_ ..."]) -> bool:
    """Whether every channel has one value throughout."""
    flat = image.reshape(len(image), -1)
    return bool((flat == flat[:, :1]).all())


def turned_digest(image: Shaped[np.ndarray, "_ ..."]) -> bytes:
    """A digest of an image (c, *space) that is the same in each of its orientations, in no other.

    The image is brought into an orientation of its own: sums over all axes but one are put in
    order. Where they leave several (in symmetric images), the smallest digest of these counts.
    """
    if is_constant(image):
        return digest(image.transpose(0, *np.argsort(image.shape[1:], kind="stable") + 1))
    return min(digest(_turned(image, way)) for way in _orientations(_sums(image)))


def _sums(image: np.ndarray) -> list[tuple[int, ...]]:
    """Along each axis, the sums of `_keys` over all others; no order of the voxels changes them."""
    space = image.shape[1:]
    sums = [np.zeros(side, np.uint64) for side in space]
    step = max(1, _AT_ONCE // max(1, math.prod(space[1:])))
    for start in range(0, space[0], step):
        keys = _keys(image[:, start : start + step])
        for axis, total in enumerate(sums):
            others = tuple(a for a in range(len(space)) if a != axis)
            part = total[start : start + step] if axis == 0 else total
            part += keys.sum(axis=others, dtype=np.uint64)
    return [tuple(total.tolist()) for total in sums]


def _keys(image: np.ndarray) -> UInt64[np.ndarray, "*space"]:
    """One number a voxel, which tells its values in all channels apart as well as chance can."""
    if image.dtype.kind == "f":
        image = image + image.dtype.type(0)  # one zero, not two
    bits = image.astype(image.dtype.newbyteorder("="), copy=False)
    keys = np.zeros(image.shape[1:], np.uint64)
    for channel in bits:
        whole = channel.view(f"u{channel.dtype.itemsize}") if channel.dtype.itemsize <= 8 else None
        numbers = channel.astype(np.float64).view(np.uint64) if whole is None else whole
        keys = (keys + numbers.astype(np.uint64) + 1) * np.uint64(_MIX)
    return keys


def _orientations(sums: Sequence[tuple[int, ...]]) -> Iterator[Orientation]:
    """Orientations in which the sums along the axes are in order."""
    axes = range(len(sums))
    smaller = {a: min(sums[a], sums[a][::-1]) for a in axes}
    ways = {a: [f for f in (False, True) if sums[a][:: -1 if f else 1] == smaller[a]] for a in axes}
    ranked = sorted(axes, key=lambda a: (len(smaller[a]), smaller[a]))
    alike = [list(group) for _, group in itertools.groupby(ranked, key=lambda a: smaller[a])]
    for order in itertools.product(*(itertools.permutations(group) for group in alike)):
        flat = tuple(itertools.chain.from_iterable(order))
        for mirrored in itertools.product(*(ways[a] for a in flat)):
            yield flat, tuple(k for k, yes in enumerate(mirrored) if yes)


def _turned(image: np.ndarray, way: Orientation) -> np.ndarray:
    order, mirrored = way
    turned = image.transpose(0, *(a + 1 for a in order))
    return np.flip(turned, tuple(k + 1 for k in mirrored))


def digest(image: Shaped[np.ndarray, "_ ..."]) -> bytes:
    """A digest of type, shape and values of an image."""
    if image.dtype.kind == "f":
        image = image + image.dtype.type(0)  # one zero, not two
    head = f"{image.dtype} {image.shape}".encode()
    found = hashlib.blake2b(head, digest_size=_DIGEST)
    found.update(np.ascontiguousarray(image).view(np.uint8).data)
    return found.digest()

"""Images that are the same, or the same mirrored or turned by quarter turns."""

import hashlib
import itertools
from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Shaped


class Duplicates(NamedTuple):
    """Rows of images that are one and the same but for their orientation."""

    rows: tuple[int, ...]
    exact: bool  # in the same orientation too


def find_duplicates(images: Sequence[Shaped[np.ndarray, "_ ..."]]) -> list[Duplicates]:
    """Groups of two or more equal images, compared voxel by voxel in every orientation.

    Parameters
    ----------
    images
        Images (c, *space) of any sizes and types; orientations are the 8 of the square and the 48
        of the cube, and channels stay in place.

    Returns
    -------
    Groups in the order of their first row.

    Examples
    --------
    >>> picture = np.array([[[1, 2], [3, 4]]])
    >>> find_duplicates([picture, np.zeros((1, 2, 2)), np.rot90(picture, axes=(1, 2))])
    [Duplicates(rows=(0, 2), exact=False)]
    """
    # What no turn changes is compared first: turning all images would take 8 or 48 times as long.
    alike = defaultdict(list)
    for row, image in enumerate(images):
        alike[_invariant(image)].append(row)
    same = defaultdict(list)
    for rows in alike.values():
        if len(rows) > 1:
            for row in rows:
                same[min(_digest(turned) for turned in _orientations(images[row]))].append(row)
    groups = [
        Duplicates(tuple(rows), len({_digest(images[row]) for row in rows}) == 1)
        for rows in same.values()
        if len(rows) > 1
    ]
    return sorted(groups)


def _invariant(image: np.ndarray) -> bytes:
    head = f"{image.dtype} {len(image)} {sorted(image.shape[1:])}".encode()
    values = np.sort(image.reshape(len(image), -1), axis=1)
    return hashlib.blake2b(head + values.tobytes(), digest_size=16).digest()


def _orientations(image: np.ndarray) -> Iterator[np.ndarray]:
    axes = range(1, image.ndim)
    for order in itertools.permutations(axes):
        turned = image.transpose(0, *order)
        for count in range(len(axes) + 1):
            for flipped in itertools.combinations(axes, count):
                yield np.flip(turned, flipped)


def _digest(image: np.ndarray) -> bytes:
    head = f"{image.dtype} {image.shape}".encode()
    return hashlib.blake2b(head + image.tobytes(), digest_size=16).digest()

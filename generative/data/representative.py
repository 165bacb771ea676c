"""A few images that stand for many: spread over phase fractions and over parents."""

import numpy as np
from jaxtyping import Float, Int64

__all__ = ["representative_rows"]


def representative_rows(
    images: Float[np.ndarray, "n c *space"],
    k: int,
    parents: Int64[np.ndarray, " n"] | None = None,
) -> Int64[np.ndarray, " r"]:
    """Rows of images to look at, from the smallest phase fraction to the largest.

    The images are ranked by their mean level (of several phases: by their fractions, each weighted
    with its number), and parted into `k` groups of equal size. Of each group comes the image of the
    parent that was taken least so far, and of those the one nearest to the middle of the group. So
    each stands for equally many images, and rare ones are shown as rarely as they occur.

    Parameters
    ----------
    images
        Phases or grey levels, in [0, 1].
    k
        How many are wanted.
    parents
        Specimen of each image; each is its own unless given.

    Returns
    -------
    At most `k` rows, all different.
    """
    channels = images.shape[1]
    means = images.reshape(len(images), channels, -1).mean(-1, dtype=np.float64)
    weights = np.arange(channels) if channels > 1 else np.ones(1)
    order = np.argsort(means @ weights, kind="stable")
    parents = np.arange(len(images)) if parents is None else np.asarray(parents)
    taken: dict[int, int] = {}
    rows = []
    for group in np.array_split(order, min(k, len(images))):
        distance = np.abs(np.arange(len(group)) - (len(group) - 1) / 2)
        known = np.array([taken.get(int(parents[row]), 0) for row in group])
        row = int(group[np.lexsort((distance, known))[0]])
        taken[int(parents[row])] = taken.get(int(parents[row]), 0) + 1
        rows.append(row)
    return np.array(rows, dtype=np.int64)

"""Digests of the images that a surrogate was fitted to, kept in a file of its folder."""

from pathlib import Path

import numpy as np
from jaxtyping import Float32

from generative.data.duplicates import image_digests, were_seen

__all__ = ["SEEN_IMAGES", "count_seen", "digests_text"]

SEEN_IMAGES = "images.txt"


def digests_text(images: Float32[np.ndarray, "n c *space"]) -> bytes:
    """Content of the file: a line of 16 hexadecimal digits for each image."""
    lines = (f"{digest & 2**64 - 1:016x}\n" for digest in image_digests(images).tolist())
    return "".join(lines).encode()


def count_seen(images: Float32[np.ndarray, "n c *space"], folder: Path) -> int:
    """How many of the images a folder's surrogate was fitted to, mirrored or turned ones too.

    0 where the folder keeps no such file: surrogates made in Python or by older versions.
    """
    try:
        lines = (folder / SEEN_IMAGES).read_text(encoding="ascii").split()
        digests = np.array([int(line, 16) for line in lines], np.uint64).view(np.int64)
    except (OSError, ValueError, OverflowError):  # none, or a file of the user's own
        return 0
    return int(were_seen(images, digests).sum())

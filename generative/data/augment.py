"""More images from the same ones: flips, rotations, periodic shifts and blur."""

import numpy as np
from jaxtyping import Float
from pydantic import Field
from scipy.ndimage import gaussian_filter

from objectives.settings import Settings


class Augmentation(Settings):
    """What may be done to an image; each is drawn anew for every image."""

    flips: bool = Field(
        True, description="Whether each image is mirrored, along each axis with probability 1/2."
    )
    rotations: bool = Field(
        True,
        description="Whether each image is rotated by random quarter turns in every plane of "
        "axes, or by half turns where the sides of a plane differ.",
    )
    shifts: bool = Field(
        False,
        description="Whether each image is shifted periodically by a random distance along every "
        "axis. Use it for periodic images only.",
    )
    blur_px: float = Field(
        0.0,
        ge=0,
        description="Largest standard deviation of a Gaussian blur, in voxels. Each image gets a "
        "random one up to it; 0 blurs none.",
    )

    def __call__(
        self, images: Float[np.ndarray, "n c *space"], rng: np.random.Generator
    ) -> Float[np.ndarray, "n c *space"]:
        """One transformed copy of each image; values stay in [0, 1]."""
        return np.stack([self._transform(image, rng) for image in images])

    def _transform(self, image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        axes = tuple(range(1, image.ndim))
        if self.shifts:
            image = np.roll(image, [int(rng.integers(image.shape[a])) for a in axes], axes)
        if self.flips:
            image = np.flip(image, tuple(a for a in axes if rng.random() < 0.5))
        if self.rotations:
            planes = [(a, b) for a in axes for b in axes if a < b]
            for a, b in planes:
                turns = int(rng.integers(4))
                square = image.shape[a] == image.shape[b]
                # A half turn keeps the shape of any plane.
                image = np.rot90(image, turns if square else 2 * (turns % 2), (a, b))
        if self.blur_px:
            sigma = rng.uniform(0, self.blur_px)
            mode = "wrap" if self.shifts else "reflect"
            image = gaussian_filter(image, sigma, axes=axes, mode=mode)
        return image


def augment(
    images: Float[np.ndarray, "n c *space"],
    *,
    seed: int,
    copies: int = 8,
    how: Augmentation | None = None,
) -> Float[np.ndarray, "m c *space"]:
    """The images followed by ``copies - 1`` transformed copies of all of them.

    The study this project starts from multiplied its micrographs by eight with rotations, flips
    and random blur, which is the default here.

    Parameters
    ----------
    images
        Values in [0, 1].
    seed
        The same seed gives the same copies.
    copies
        How many times as many images come back; the first n are the originals.
    how
        What may be done; flips, quarter turns and a blur of up to 1 voxel by default.

    Raises
    ------
    ValueError
        If ``copies`` is below 1.
    """
    if copies < 1:
        raise ValueError(f"copies should be at least 1, got {copies}.")
    how = how or Augmentation(blur_px=1.0)
    rng = np.random.default_rng(seed)
    transformed = [how(images, rng) for _ in range(copies - 1)]
    return np.concatenate([images, *transformed])

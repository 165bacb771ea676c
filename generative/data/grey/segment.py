"""Phases from grey levels (Otsu), labels (one channel each) and grey levels from colours."""

import numpy as np
from jaxtyping import Float32, Integer, Real
from skimage.color import rgb2gray
from skimage.filters import threshold_otsu

from generative.data.check import Names, row_name
from generative.errors import DataError


def otsu(
    images: Real[np.ndarray, "n 1 *space"], *, names: Names | None = None
) -> Float32[np.ndarray, "n 1 *space"]:
    """Phase indicator of each image: 1 above its own Otsu threshold, else 0.

    Parameters
    ----------
    images
        Grey levels of any scale, finite.
    names
        What to call each row in an error.

    Raises
    ------
    DataError
        If an image has one constant value, so that no threshold parts it.

    References
    ----------
    .. [1] Otsu (1979), IEEE Trans. Systems, Man and Cybernetics 9, 62-66.

    Examples
    --------
    >>> otsu(np.array([[[[10, 12, 200, 210]]]])).tolist()
    [[[[0.0, 0.0, 1.0, 1.0]]]]
    """
    phases = np.empty(images.shape, np.float32)
    for row, image in enumerate(images):
        phases[row] = image > otsu_threshold(image, row_name(names, row))
    return phases


def otsu_threshold(image: Real[np.ndarray, "*space"], name: str = "image") -> float | int:
    """Otsu's threshold of one image, on its own scale; a level equal to it is below it.

    Parameters
    ----------
    image
        Grey levels of any scale and shape, finite.
    name
        What to call the image in an error.

    Raises
    ------
    DataError
        If the image has one constant value, so that no threshold parts it.
    """
    if image.min() == image.max():
        raise DataError(
            f"{name}: expected at least two grey levels to segment, got one ({image.min():g}); "
            "remove the image, or pass grey='keep'."
        )
    levels = countable_levels(image)
    # Flat: scikit-image takes a last axis of 3 or 4 for colours.
    threshold = threshold_otsu(levels.ravel()).item()
    shifted = levels.dtype != image.dtype and levels.dtype.kind == "u"
    return threshold + int(image.min()) if shifted else threshold


def countable_levels(image: np.ndarray) -> np.ndarray:
    """The grey levels as a type whose histogram scikit-image takes exactly and in little memory.

    It counts integers one by one, whatever their range, and floats in 256 bins.
    """
    if image.dtype.kind == "f" or image.dtype.itemsize <= 2:
        return image
    low, high = int(image.min()), int(image.max())
    return (image - low).astype(np.uint16) if high - low < 2**16 else image.astype(np.float64)


def one_hot(
    labels: Integer[np.ndarray, "n *space"], n_phases: int, *, names: Names | None = None
) -> Float32[np.ndarray, "n c *space"]:
    """One channel per phase, 1 where the label is that phase.

    Parameters
    ----------
    labels
        Phase of each voxel, 0 to ``n_phases`` - 1.
    n_phases
        Number of phases, which is the number of channels of the answer.
    names
        What to call each row in an error.

    Raises
    ------
    DataError
        If a label is below 0, or ``n_phases`` or above.

    Examples
    --------
    >>> one_hot(np.array([[[0, 2]]]), 3).tolist()
    [[[[1.0, 0.0]], [[0.0, 0.0]], [[0.0, 1.0]]]]
    """
    phases = np.empty((len(labels), n_phases, *labels.shape[1:]), np.float32)
    for row, label in enumerate(labels):
        if label.min() < 0 or label.max() >= n_phases:
            raise DataError(
                f"{row_name(names, row)}: expected labels from 0 to {n_phases - 1}, got "
                f"{label.min()} to {label.max()}; pass the right number of phases."
            )
        for phase in range(n_phases):
            np.equal(label, phase, out=phases[row, phase], casting="unsafe")
    return phases


def luminance(images: Real[np.ndarray, "n 3 *space"]) -> Real[np.ndarray, "n 1 *space"]:
    """Grey level of colours by scikit-image's weights, in the type and scale they came in.

    References
    ----------
    .. [1] ITU-R BT.709 (2015): 0.2125 R + 0.7154 G + 0.0721 B as scikit-image rounds it.
    """
    red, green, blue = images[:, 0], images[:, 1], images[:, 2]
    if np.array_equal(red, green) and np.array_equal(green, blue):
        return images[:, :1]
    grey = rgb2gray(images.astype(np.float64), channel_axis=1)[:, None]
    return (grey if images.dtype.kind == "f" else np.rint(grey)).astype(images.dtype)

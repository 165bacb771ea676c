"""Phases of one image from its grey levels or colours: Otsu, multi-Otsu, k-means, thresholds."""

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from jaxtyping import Real, UInt8
from skimage.filters import threshold_multiotsu

from generative.data.grey.segment import otsu_threshold
from generative.errors import DataError

Method = Literal["otsu", "multi_otsu", "k_means", "thresholds"]

MOST_OTSU_PHASES = 5  # its time grows with the power of their number
FITTED_VOXELS = 50_000
_CHUNK = 2**18


@dataclass(frozen=True)
class Segmentation:
    """How grey levels become phases, the darkest phase 0.

    Parameters
    ----------
    method
        ``"otsu"``, ``"multi_otsu"``, ``"k_means"`` (of colours too) or fixed ``"thresholds"``.
    phases
        How many; one more than there are thresholds.
    thresholds
        Ascending grey levels on the scale of the file; a level equal to one is below it.
    seed
        Fixes the start of k-means.

    Raises
    ------
    ValueError
        If they do not fit together.
    """

    method: Method = "otsu"
    phases: int = 2
    thresholds: tuple[float, ...] = ()
    seed: int = 0

    def __post_init__(self) -> None:
        if self.method not in get_args(Method):
            raise ValueError(
                f"method should be one of {', '.join(get_args(Method))}, got {self.method!r}."
            )
        most = {"otsu": 2, "multi_otsu": MOST_OTSU_PHASES}.get(self.method, 255)
        if not 2 <= self.phases <= most:
            raise ValueError(f"phases should be 2 to {most} for {self.method}, got {self.phases}.")
        given = self.thresholds
        if self.method == "thresholds":
            if len(given) != self.phases - 1 or any(np.diff(given) <= 0):
                raise ValueError(
                    f"thresholds should be {self.phases - 1} ascending levels for {self.phases} "
                    f"phases, got {given}."
                )
        elif given:
            raise ValueError(f"thresholds are for the method thresholds, not {self.method}.")


def segment(
    image: Real[np.ndarray, "c *space"], how: Segmentation, *, name: str = "image"
) -> tuple[UInt8[np.ndarray, "*space"], tuple[float, ...]]:
    """Phase of every voxel, and the thresholds between the phases (none for colours).

    Parameters
    ----------
    image
        Grey levels in one channel; colours in three for k-means.
    how
        The method and its settings.
    name
        What to call the image in an error.

    Raises
    ------
    DataError
        If the image has fewer values than phases, or colours for a method of grey levels.

    References
    ----------
    .. [1] Liao, Chen & Chung (2001), J. Inf. Sci. Eng. 17, 713-727 (multi-Otsu).

    Examples
    --------
    >>> segment(np.array([[[10, 12, 90, 200]]]), Segmentation("thresholds", 3, (50.0, 100.0)))[0]
    array([[0, 0, 1, 2]], dtype=uint8)
    """
    if len(image) > 1 and how.method != "k_means":
        raise DataError(
            f"{name}: expected grey levels in one channel for {how.method}, got {len(image)} "
            "channels; convert colours to grey, or use k_means."
        )
    if how.method == "thresholds":
        levels = how.thresholds
    else:
        _check_values(image, how.phases, name)
        if how.method == "k_means" and len(image) > 1:
            return _nearest(image, _centres(image, how)), ()
        levels = tuple(float(level) for level in _thresholds(image, how))
    return np.digitize(image[0], levels, right=True).astype(np.uint8), levels


def _check_values(image: np.ndarray, phases: int, name: str) -> None:
    values = np.unique(image[0].ravel()[: 2**16]) if len(image) == 1 else None
    if values is not None and len(values) < phases:
        values = np.unique(image)
        if len(values) < phases:
            raise DataError(
                f"{name}: expected at least {phases} grey levels to segment, got {len(values)}; "
                "remove the image, or take fixed thresholds or labels."
            )


def _thresholds(image: np.ndarray, how: Segmentation) -> np.ndarray:
    if how.method == "k_means":
        centres = _centres(image, how)[:, 0]
        return (centres[1:] + centres[:-1]) / 2
    if how.method == "multi_otsu":
        # It compares all choices of bins: 256 for floats, but one a level for integers.
        few = image.dtype.kind in "bu" and image.dtype.itemsize == 1
        return threshold_multiotsu((image if few else image.astype(np.float64)).ravel(), how.phases)
    return np.array([otsu_threshold(image)])


def _centres(image: np.ndarray, how: Segmentation) -> np.ndarray:
    """Centres of the clusters (k, c), darkest first, fitted to at most 50,000 voxels."""
    from sklearn.cluster import KMeans

    points = image.reshape(len(image), -1).T
    if len(points) > FITTED_VOXELS:
        rows = np.random.default_rng(how.seed).choice(len(points), FITTED_VOXELS, replace=False)
        points = points[rows]
    fitted = KMeans(how.phases, n_init=4, random_state=how.seed).fit(points.astype(np.float64))
    centres = fitted.cluster_centers_
    return centres[np.argsort(centres.sum(axis=1))]


def _nearest(image: np.ndarray, centres: np.ndarray) -> np.ndarray:
    points = image.reshape(len(image), -1).T
    labels = np.empty(len(points), np.uint8)
    for start in range(0, len(points), _CHUNK):
        chunk = points[start : start + _CHUNK, None].astype(np.float64)
        labels[start : start + _CHUNK] = ((chunk - centres) ** 2).sum(axis=-1).argmin(axis=1)
    return labels.reshape(image.shape[1:])

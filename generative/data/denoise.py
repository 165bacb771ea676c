"""Before segmentation: noise taken out of grey levels, and info bars cut off micrographs."""

import numpy as np
from jaxtyping import Float, Real

_MOST_OF_PICTURE = 0.3
_BAR_SHARE = 0.4
_PICTURE_SHARE = 0.3


def noise_level(image: Real[np.ndarray, "..."]) -> float:
    """Standard deviation of white noise, from differences of neighbours along every axis.

    References
    ----------
    .. [1] Donoho & Johnstone (1994), Biometrika 81, 425-455: median of the finest wavelet
       coefficients over 0.6745; here those of Haar.

    Examples
    --------
    >>> noise = 3 * np.random.default_rng(0).standard_normal((200, 200))
    >>> round(noise_level(noise + 100.0), 1)
    3.0
    """
    detail = image.astype(np.float64)
    for axis in range(image.ndim):
        if detail.shape[axis] > 1:
            detail = np.diff(detail, axis=axis) / np.sqrt(2)
    return float(np.median(np.abs(detail)) / 0.6745)


def denoise(image: Real[np.ndarray, "c *space"]) -> tuple[Float[np.ndarray, "c *space"], float]:
    """Image by non-local means on the scale that it came in, and the noise that was found.

    Averages voxels whose surroundings look alike: 5 voxels wide, found within 6 of each other, 3 in
    volumes.

    References
    ----------
    .. [1] Buades, Coll & Morel (2005), CVPR, 60-65, as in scikit-image with ``h = 0.8 sigma``.
    """
    from skimage.restoration import denoise_nl_means

    levels = image.astype(np.float64)
    noise = float(np.mean([noise_level(channel) for channel in levels]))
    if noise == 0:
        return levels, noise
    single = len(levels) == 1  # scikit-image squeezes an axis of one channel
    smooth = denoise_nl_means(
        levels[0] if single else levels,
        patch_size=5,
        patch_distance=6 if image.ndim == 3 else 3,
        h=0.8 * noise,
        sigma=noise,
        channel_axis=None if single else 0,
        preserve_range=True,
    )
    return smooth.reshape(levels.shape).astype(np.float64), noise


def info_bar_rows(image: Real[np.ndarray, "c h w"]) -> int:
    """Rows at the bottom that are no picture: the bar with scale and settings, 0 if there is none.

    A bar is looked for in the lower 30 %, as rows of which one and the same value fills 40 % or
    more, below a picture of which no value fills 30 % of most rows. Pictures of two phases have
    no bar by this rule; give them its height.
    """
    values = image[0] if len(image) == 1 else image.astype(np.float64).mean(axis=0)
    height = len(values)
    ground = [_most_frequent(row) for row in values]
    least = int(height * (1 - _MOST_OF_PICTURE))
    top = height
    while top > least and _is_bar(ground[top - 1], ground[-1][0]):
        top -= 1
    above = [share for _, share in ground[max(0, top - height // 4) : top]]
    if top in (height, least) or not above or np.median(above) > _PICTURE_SHARE:
        return 0
    return height - top


def _most_frequent(row: np.ndarray) -> tuple[float, float]:
    values, counts = np.unique(row, return_counts=True)
    return float(values[counts.argmax()]), float(counts.max() / len(row))


def _is_bar(ground: tuple[float, float], value: float) -> bool:
    return ground[0] == value and ground[1] >= _BAR_SHARE

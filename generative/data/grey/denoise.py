"""Before segmentation: noise taken out of grey levels, and info bars cut off micrographs."""

import numpy as np
from jaxtyping import Bool, Float, Real

_HIGHEST = 0.3  # of the picture
_BAR_SHARE = 0.4
_PICTURE_SHARE = 0.3
_RARE = 0.05
_LEAST_PLAIN = (4, 0.02)  # rows, and of the height
_PLAIN_SHARE = 0.25


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


def info_bars(image: Real[np.ndarray, "c h w"]) -> tuple[int, int]:
    """Rows at the top and at the bottom that are no picture, as `info_bar_rows` finds them.

    Plain rows of one value at both ends are the matrix of the picture.
    """
    top, bottom = info_bar_rows(image[:, ::-1]), info_bar_rows(image)
    values = image.astype(np.float64).mean(axis=0)
    both = top and bottom and values[0, 0] == values[-1, 0]
    plain = both and np.ptp(values[:top]) == np.ptp(values[-bottom:]) == 0
    return (0, 0) if plain else (top, bottom)


def info_bar_rows(image: Real[np.ndarray, "c h w"]) -> int:
    """Rows at the bottom that are no picture: the bar with scale and settings, 0 if there is none.

    A bar takes at most 30 % of the height. It is rows from the edge on of which one and the same
    value (black, white or grey) fills 40 % or more, the rest being text, and that are unlike the
    picture beside them in one of three ways:

    - no value fills 30 % of most rows of the picture (grey levels with noise);
    - the value of the bar fills 5 % or less of most rows of the picture;
    - the bar has 4 rows or more, and 2 % of the height, of nothing but its value, two or more side
      by side, the first among them and one of four at least, and the picture has fewer than half
      as many. Then it ends with the last of them.

    A picture of few phases with plain matrix at its edge may look like the last; compare before and
    after, or give the number of rows.

    Examples
    --------
    >>> picture = np.random.default_rng(0).integers(0, 2, (1, 90, 64))
    >>> info_bar_rows(np.concatenate([picture, np.zeros((1, 10, 64), int)], axis=1))
    10
    """
    values = image[0] if len(image) == 1 else image.astype(np.float64).mean(axis=0)
    values = values[::-1]  # from the edge inwards
    height = len(values)
    limit = int(_HIGHEST * height)
    ground = [_most_frequent(row) for row in values[: limit + height // 4]]
    value = ground[0][0]
    end = next(
        (k for k, (v, share) in enumerate(ground) if v != value or share < _BAR_SHARE), len(ground)
    )
    shares = (values == value).mean(axis=1)
    beside = [share for _, share in ground[end : end + height // 4]]
    if 0 < end < limit and beside:
        rare = np.median(shares[end : end + height // 4]) <= _RARE
        if rare or np.median(beside) <= _PICTURE_SHARE:
            return end
    return _plain_rows(shares == 1, min(end, limit), limit)


def _plain_rows(is_plain: Bool[np.ndarray, "h"], end: int, limit: int) -> int:
    """Rows up to the last of the plain ones within ``end``; 0 if the picture may have them too."""
    height = len(is_plain)
    paired = is_plain & (np.roll(is_plain, 1) | np.roll(is_plain, -1))
    plain = np.flatnonzero(paired[:end])
    if len(plain) < max(_LEAST_PLAIN[0], _LEAST_PLAIN[1] * height) or plain[0] != 0:
        return 0
    rows = int(plain[-1]) + 1
    in_picture = np.count_nonzero(paired[rows : height - limit])
    goes_on = rows == limit and is_plain[limit]
    is_bar = 2 * in_picture < len(plain) and len(plain) >= _PLAIN_SHARE * rows and not goes_on
    return rows if is_bar else 0


def _most_frequent(row: np.ndarray) -> tuple[float, float]:
    values, counts = np.unique(row, return_counts=True)
    return float(values[counts.argmax()]), float(counts.max() / len(row))

"""Thresholded, periodic Gaussian random fields: two-phase structures with known statistics."""

import math
from dataclasses import dataclass

import numpy as np
import scipy.fft
from jaxtyping import Float, UInt8


@dataclass(frozen=True)
class FieldRanges:
    """Ranges the settings of each structure are drawn from.

    Parameters
    ----------
    correlation_length_px
        Correlation length l, log-uniform. ``None`` takes 1/16 to 1/4 of the shortest side, which
        is 4 to 16 px at 64 px.
    anisotropy
        Ratio of the correlation lengths along and across the long direction, log-uniform.
    volume_fraction
        Fraction of voxels in phase 1, uniform.
    band_pass
        ``(centre, width)`` of a Gaussian pass band in units of 1/l, which gives the labyrinths of
        spinodal decomposition; ``None`` leaves the low-pass exp(-(k l)^2 / 8).
    """

    correlation_length_px: tuple[float, float] | None = None
    anisotropy: tuple[float, float] = (1.0, 3.0)
    volume_fraction: tuple[float, float] = (0.2, 0.8)
    band_pass: tuple[float, float] | None = None

    def __post_init__(self) -> None:
        pairs = {
            "correlation_length_px": (self.correlation_length_px or (1.0, 1.0), 0.0, math.inf),
            "anisotropy": (self.anisotropy, 1.0, math.inf),
            "volume_fraction": (self.volume_fraction, 0.0, 1.0),
        }
        for name, ((low, high), least, most) in pairs.items():
            if not (least <= low <= high <= most and 0 < high < math.inf):
                raise ValueError(
                    f"{name} should be (low, high), finite, with high above 0 and "
                    f"{least:g} <= low <= high <= {most:g}, got {(low, high)}."
                )
        if self.correlation_length_px is not None and self.correlation_length_px[0] <= 0:
            raise ValueError(
                f"correlation_length_px should be above 0, got {self.correlation_length_px}."
            )
        if self.band_pass is not None and min(self.band_pass) <= 0:
            raise ValueError(f"band_pass should be two numbers above 0, got {self.band_pass}.")


def gaussian_random_field(
    n: int, shape: tuple[int, ...], *, seed: int, **ranges: object
) -> Float[np.ndarray, "n 1 *space"]:
    r"""Two-phase structures: the level cut of a smoothed white noise, periodic on every side.

    White noise is filtered by :math:`\exp(-(k l)^2 / 8)`, so the field has the covariance
    :math:`\exp(-r^2 / l^2)`; the voxels above its ``1 - volume_fraction`` quantile are phase 1.
    Row i depends on ``seed`` and i alone, whatever ``n``.

    Parameters
    ----------
    n
        Number of structures.
    shape
        ``(height, width)`` or ``(depth, height, width)`` in voxels.
    seed
        The same seed gives the same structures.
    **ranges
        Fields of `FieldRanges`.

    Returns
    -------
    float32, 0 or 1. The settings behind each row are `gaussian_random_field_settings`.

    Raises
    ------
    ValueError
        For a shape that is not 2-D or 3-D, or a range out of order.

    Examples
    --------
    >>> images = gaussian_random_field(3, (16, 16), seed=0, volume_fraction=(0.5, 0.5))
    >>> images.shape, [float(v) for v in images.mean(axis=(1, 2, 3))]
    ((3, 1, 16, 16), [0.5, 0.5, 0.5])

    References
    ----------
    .. [1] Torquato (2002), Random Heterogeneous Materials, section 8.3 (level cuts).
    """
    settings = gaussian_random_field_settings(n, shape, seed=seed, **ranges)
    images = np.empty((n, 1, *shape), np.float32)
    frequencies = _frequencies(shape)
    for i in range(n):
        row = {name: values[i] for name, values in settings.items()}
        images[i, 0] = _level_cut(row, frequencies, shape, np.random.default_rng([seed, i]), ranges)
    return images


def gaussian_random_field_settings(
    n: int, shape: tuple[int, ...], *, seed: int, **ranges: object
) -> dict[str, np.ndarray]:
    """Settings of each structure that `gaussian_random_field` draws for the same arguments.

    Returns
    -------
    ``correlation_length_px`` (n,), ``anisotropy`` (n,), ``volume_fraction`` (n,) and ``direction``
    (n, dim), the unit vector of the long axis in the order of ``shape``.
    """
    dim = len(shape)
    if n < 0 or dim not in (2, 3) or min(shape) < 2:
        raise ValueError(
            f"expected n >= 0 and a shape of 2 or 3 sides of at least 2 voxels, got n={n}, "
            f"shape={tuple(shape)}."
        )
    limits = FieldRanges(**ranges)
    lengths = limits.correlation_length_px or (min(shape) / 16, min(shape) / 4)
    # One row of draws a structure, so that row i is the same for every n.
    rows = np.random.default_rng(seed).random((n, 6))
    return {
        "correlation_length_px": _log_uniform(rows[:, 0], *lengths),
        "anisotropy": _log_uniform(rows[:, 1], *limits.anisotropy),
        "volume_fraction": _uniform(rows[:, 2], *limits.volume_fraction),
        "direction": _directions(rows[:, 3:5], dim),
    }


def _uniform(u: np.ndarray, low: float, high: float) -> np.ndarray:
    return low + (high - low) * u


def _log_uniform(u: np.ndarray, low: float, high: float) -> np.ndarray:
    return np.exp(_uniform(u, math.log(low), math.log(high)))


def _directions(u: np.ndarray, dim: int) -> np.ndarray:
    """Unit vectors, uniform over the half circle or the sphere."""
    if dim == 2:
        angle = np.pi * u[:, 0]
        return np.stack([np.sin(angle), np.cos(angle)], axis=1)
    z, angle = 2 * u[:, 0] - 1, 2 * np.pi * u[:, 1]
    r = np.sqrt(1 - z**2)
    return np.stack([z, r * np.sin(angle), r * np.cos(angle)], axis=1)


def _frequencies(shape: tuple[int, ...]) -> np.ndarray:
    """Angular frequency k (dim, *half spectrum) in radians per voxel."""
    axes = [2 * np.pi * scipy.fft.fftfreq(size) for size in shape[:-1]]
    axes.append(2 * np.pi * scipy.fft.rfftfreq(shape[-1]))
    return np.stack(np.meshgrid(*axes, indexing="ij"))


def _level_cut(
    setting: dict[str, np.ndarray | np.floating],
    k: np.ndarray,
    shape: tuple[int, ...],
    rng: np.random.Generator,
    ranges: dict[str, object],
) -> UInt8[np.ndarray, "*space"]:
    dim, ratio = len(shape), setting["anisotropy"]
    # Stretch along the direction and shrink across it: the volume l^dim stays.
    along = setting["correlation_length_px"] * ratio ** ((dim - 1) / dim)
    across = setting["correlation_length_px"] * ratio ** (-1 / dim)
    projected = np.tensordot(setting["direction"], k, axes=1)
    kl2 = across**2 * (k**2).sum(0) + (along**2 - across**2) * projected**2
    band_pass = ranges.get("band_pass")
    if band_pass is None:
        amplitude = np.exp(-kl2 / 8)
    else:
        centre, width = band_pass
        amplitude = np.exp(-((np.sqrt(kl2) - centre) ** 2) / (2 * width**2))
    noise = rng.standard_normal(shape, dtype=np.float32)
    spectrum = scipy.fft.rfftn(noise) * amplitude.astype(np.float32)
    field = scipy.fft.irfftn(spectrum, s=shape).ravel()
    ones = round(float(setting["volume_fraction"]) * field.size)
    image = np.zeros(field.size, np.uint8)
    image[np.argpartition(field, field.size - ones)[field.size - ones :] if ones else []] = 1
    return image.reshape(shape)

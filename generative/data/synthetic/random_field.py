"""Thresholded, periodic Gaussian random fields: structures with known statistics."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.fft
from jaxtyping import Float, UInt8

from generative.data.synthetic.family import (
    Family,
    Ranges,
    Settings,
    cut_levels,
    span,
    unit_vectors,
)


@dataclass(frozen=True)
class FieldRanges(Ranges):
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

    correlation_length_px: tuple[float, float] | None = span(1 / 16, 1 / 4, log=True, of_side=True)
    anisotropy: tuple[float, float] = span(1.0, 3.0, least=1.0, log=True)
    volume_fraction: tuple[float, float] = span(0.2, 0.8, most=1.0)
    band_pass: tuple[float, float] | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.band_pass is not None and (
            np.size(self.band_pass) != 2 or min(self.band_pass) <= 0
        ):
            raise ValueError(f"band_pass should be two numbers above 0, got {self.band_pass}.")


@dataclass(frozen=True)
class LevelCutRanges(FieldRanges):
    """`FieldRanges` for several phases, each between two levels of the field.

    Parameters
    ----------
    phases
        Number of phases; ``volume_fraction`` of the voxels lie outside phase 0, shared equally.
    """

    phases: int = 2


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
    structures = _TWO_PHASES.each(n, shape, seed=seed, **ranges)
    images = np.empty((n, 1, *shape), np.float32)
    for i, labels in enumerate(structures):
        images[i, 0] = labels
    return images


def gaussian_random_field_settings(
    n: int, shape: tuple[int, ...], *, seed: int, **ranges: object
) -> dict[str, np.ndarray]:
    """Settings of each structure that `gaussian_random_field` draws for the same arguments.

    Returns
    -------
    ``correlation_length_px`` (n,) in voxels, ``anisotropy`` (n,), ``volume_fraction`` (n,) and
    ``direction`` (n, dim), the unit vector of the long axis in the order of ``shape``.

    Raises
    ------
    ValueError
        As `gaussian_random_field`.
    """
    return _TWO_PHASES.settings(n, shape, seed=seed, **ranges)


def _with_direction(
    drawn: Settings, spare: np.ndarray, shape: tuple[int, ...], limits: FieldRanges
) -> Settings:
    return drawn | {"direction": unit_vectors(spare, len(shape))}


def _frequencies(shape: tuple[int, ...]) -> np.ndarray:
    """Angular frequency k (dim, *half spectrum) in radians per voxel."""
    axes = [2 * np.pi * scipy.fft.fftfreq(size) for size in shape[:-1]]
    axes.append(2 * np.pi * scipy.fft.rfftfreq(shape[-1]))
    return np.stack(np.meshgrid(*axes, indexing="ij"))


def _level_cut(
    row: dict[str, Any],
    shape: tuple[int, ...],
    rng: np.random.Generator,
    limits: FieldRanges,
) -> UInt8[np.ndarray, "*space"]:
    k = _frequencies(shape)
    dim, ratio = len(shape), row["anisotropy"]
    # Stretch along the direction and shrink across it: the volume l^dim stays.
    along = row["correlation_length_px"] * ratio ** ((dim - 1) / dim)
    across = row["correlation_length_px"] * ratio ** (-1 / dim)
    projected = np.tensordot(row["direction"], k, axes=1)
    kl2 = across**2 * (k**2).sum(0) + (along**2 - across**2) * projected**2
    if limits.band_pass is None:
        amplitude = np.exp(-kl2 / 8)
    else:
        centre, width = limits.band_pass
        amplitude = np.exp(-((np.sqrt(kl2) - centre) ** 2) / (2 * width**2))
    noise = rng.standard_normal(shape, dtype=np.float32)
    spectrum = scipy.fft.rfftn(noise) * amplitude.astype(np.float32)
    field = scipy.fft.irfftn(spectrum, s=shape)
    return cut_levels(field, float(row["volume_fraction"]), getattr(limits, "phases", 2))


_TWO_PHASES = Family("gaussian_random_field", FieldRanges, _with_direction, _level_cut)
GAUSSIAN_RANDOM_FIELD = Family("gaussian_random_field", LevelCutRanges, _with_direction, _level_cut)

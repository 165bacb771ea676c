"""Fibres and spheres of one diameter, with a least gap between any two, periodic on every side."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float, UInt8
from scipy.spatial import KDTree

from generative.data.synthetic.family import Family, Ranges, Settings, span
from generative.data.synthetic.packing import MOST_PACKED, ball_volume, pack, packed_fraction


@dataclass(frozen=True)
class ParticleRanges(Ranges):
    """Ranges the settings of fibres or spheres are drawn from.

    Parameters
    ----------
    diameter_px
        Diameter, log-uniform; 1/8 to 1/4 of the shortest side if ``None``. It is then set so that
        a whole number of particles has the volume fraction exactly.
    gap_px
        Least distance between the surfaces of two particles; ``None`` takes 1/128 to 1/64 of the
        shortest side.
    volume_fraction
        Fraction of the volume in particles.
    phases
        Particles take the phases 1, 2, ... in turn; phase 0 is what lies between them.
    """

    diameter_px: tuple[float, float] | None = span(1 / 8, 1 / 4, log=True, of_side=True)
    gap_px: tuple[float, float] | None = span(1 / 128, 1 / 64, of_side=True, or_zero=True)
    volume_fraction: tuple[float, float] = span(0.1, 0.35, most=1.0)
    phases: int = 2


@dataclass(frozen=True)
class FibreRanges(ParticleRanges):
    """`ParticleRanges` with the volume fractions of composites, and sides across the fibres."""

    volume_fraction: tuple[float, float] = span(0.3, 0.6, most=1.0)

    def limits(self, name: str, shape: tuple[int, ...]) -> tuple[float, float]:
        """The range of one setting; the length of fibres has no part in it."""
        return super().limits(name, shape[-2:])


def particle_centres(
    family: Family, n: int, shape: tuple[int, ...], *, seed: int, **ranges: Any
) -> list[Float[np.ndarray, "count dim"]]:
    """Centres of the particles in the structures that ``family.make`` gives for these arguments.

    Parameters
    ----------
    family
        ``FAMILIES["fibres"]`` or ``FAMILIES["spheres"]``.
    n, shape, seed, **ranges
        As for `Family.make`.

    Returns
    -------
    One array a structure, in voxels in the order of ``shape``: voxel i has its centre at i + 1/2.
    Fibres of volumes run along z and have centres (y, x).

    Raises
    ------
    ValueError
        As `Family.settings`.
    """
    settings = family.settings(n, shape, seed=seed, **ranges)
    sides = shape[-2:] if family is FIBRES else shape
    return [
        _centres({name: values[i] for name, values in settings.items()}, sides, seed_of_row)
        for i, seed_of_row in ((i, np.random.default_rng([seed, i])) for i in range(n))
    ]


def _settle_fibres(
    drawn: Settings, spare: np.ndarray, shape: tuple[int, ...], limits: ParticleRanges
) -> Settings:
    return _settle_spheres(drawn, spare, shape[-2:], limits)


def _settle_spheres(
    drawn: Settings, spare: np.ndarray, shape: tuple[int, ...], limits: ParticleRanges
) -> Settings:
    """Whole numbers of particles, and the diameters that give them the volume fraction."""
    dim = len(shape)
    volume = drawn["volume_fraction"] * math.prod(shape) / ball_volume(dim)
    count = np.maximum(np.round(volume / (drawn["diameter_px"] / 2) ** dim), 1).astype(np.int64)
    diameter = 2 * (volume / count) ** (1 / dim)
    for i, (d, gap) in enumerate(zip(diameter, drawn["gap_px"], strict=True)):
        packed = packed_fraction(int(count[i]), d + gap, shape)
        if packed > MOST_PACKED[dim] or d + gap > min(shape):
            raise ValueError(
                f"structure {i} has volume fraction {drawn['volume_fraction'][i]:.3g} in particles "
                f"of {d:.3g} px with gaps of {gap:.3g} px, which with half their gaps pack "
                f"{packed:.2f} of the box; the limit is {MOST_PACKED[dim]:.2f}, and a diameter and "
                f"gap of {min(shape)} px; lower volume_fraction or gap_px, or change diameter_px."
            )
    return drawn | {"diameter_px": diameter, "count": count}


def _centres(row: dict[str, Any], sides: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
    return pack(int(row["count"]), float(row["diameter_px"] + row["gap_px"]), sides, rng)


def _build_fibres(
    row: dict[str, Any], shape: tuple[int, ...], rng: np.random.Generator, limits: ParticleRanges
) -> UInt8[np.ndarray, "*space"]:
    return np.broadcast_to(_build_spheres(row, shape[-2:], rng, limits), shape).copy()


def _build_spheres(
    row: dict[str, Any], shape: tuple[int, ...], rng: np.random.Generator, limits: ParticleRanges
) -> UInt8[np.ndarray, "*space"]:
    """Voxels whose centre lies in a particle."""
    centres = _centres(row, shape, rng)
    voxels = np.indices(shape).reshape(len(shape), -1).T + 0.5
    radius = row["diameter_px"] / 2
    distance, nearest = KDTree(centres, boxsize=shape).query(
        voxels, distance_upper_bound=radius * (1 + 1e-9)
    )
    labels = np.where(distance <= radius, 1 + nearest % (limits.phases - 1), 0)
    return labels.astype(np.uint8).reshape(shape)


FIBRES = Family("fibres", FibreRanges, _settle_fibres, _build_fibres)
SPHERES = Family("spheres", ParticleRanges, _settle_spheres, _build_spheres)

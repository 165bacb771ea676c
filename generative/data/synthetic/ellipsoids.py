"""Ellipsoidal inclusions of any orientation, with a least gap between any two, periodic."""

import math
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
from jaxtyping import Float, UInt8
from scipy.spatial import KDTree

from generative.data.synthetic.family import Family, Ranges, Settings, span, unit_vectors
from generative.data.synthetic.packing import ball_volume

_TRIES_EACH = 200
_STARTS = 3
_BATCH = 64
_LAMBDAS = np.linspace(0.1, 0.9, 9)


@dataclass(frozen=True)
class EllipsoidRanges(Ranges):
    """Ranges the settings of each structure are drawn from.

    Parameters
    ----------
    length_px
        Long axis, tip to tip, log-uniform; 1/4 to 1/2 of the shortest side if ``None``. It is then
        set so that a whole number of inclusions has the volume fraction exactly.
    aspect
        Long axis over the others, log-uniform: ellipses, and prolate ellipsoids of revolution.
    gap_px
        Least distance between the surfaces of two inclusions; ``None`` takes 1/128 to 1/64 of the
        shortest side.
    volume_fraction
        Fraction of the volume in inclusions.
    aligned
        All inclusions of a structure point one way; otherwise each any way.
    phases
        Inclusions take the phases 1, 2, ... in turn.
    """

    length_px: tuple[float, float] | None = span(1 / 4, 1 / 2, log=True, of_side=True)
    aspect: tuple[float, float] = span(1.5, 3.0, least=1.0, log=True)
    gap_px: tuple[float, float] | None = span(1 / 128, 1 / 64, of_side=True, or_zero=True)
    volume_fraction: tuple[float, float] = span(0.05, 0.2, most=1.0)
    aligned: bool = False
    phases: int = 2

    def __post_init__(self) -> None:
        super().__post_init__()
        if not isinstance(self.aligned, bool):
            raise ValueError(f"aligned should be true or false, got {self.aligned!r}.")


def ellipsoid_placements(
    n: int, shape: tuple[int, ...], *, seed: int, **ranges: Any
) -> list[tuple[Float[np.ndarray, "count dim"], Float[np.ndarray, "count dim"]]]:
    """Centres and long directions of the inclusions in the structures that ``make`` gives.

    Parameters
    ----------
    n, shape, seed, **ranges
        As for `Family.make`.

    Returns
    -------
    For each structure its centres, in voxels in the order of ``shape`` (voxel i has its centre at
    i + 1/2), and unit vectors along the long axes.

    Raises
    ------
    ValueError
        As `Family.settings`.
    """
    limits = EllipsoidRanges.checked("ellipsoids", ranges)
    settings = ELLIPSOIDS.settings(n, shape, seed=seed, **ranges)
    rows = ({name: values[i] for name, values in settings.items()} for i in range(n))
    return [
        _place(row, shape, np.random.default_rng([seed, i]), limits) for i, row in enumerate(rows)
    ]


def _settle(
    drawn: Settings, spare: np.ndarray, shape: tuple[int, ...], limits: EllipsoidRanges
) -> Settings:
    dim = len(shape)
    # Volume of an ellipsoid: ball_volume (length / 2)^dim / aspect^(dim - 1).
    volume = drawn["volume_fraction"] * math.prod(shape) / ball_volume(dim)
    volume = volume * drawn["aspect"] ** (dim - 1)
    count = np.maximum(np.round(volume / (drawn["length_px"] / 2) ** dim), 1).astype(np.int64)
    length = 2 * (volume / count) ** (1 / dim)
    most = float(np.max(length + drawn["gap_px"], initial=0.0))
    if most > min(shape):
        raise ValueError(
            f"inclusions of {most:.3g} px with their gap are longer than the shortest side of "
            f"{min(shape)} px; lower length_px, or volume_fraction if there is one inclusion."
        )
    settled = drawn | {"length_px": length, "count": count}
    return settled | ({"direction": unit_vectors(spare, dim)} if limits.aligned else {})


def _build(
    row: dict[str, Any], shape: tuple[int, ...], rng: np.random.Generator, limits: EllipsoidRanges
) -> UInt8[np.ndarray, "*space"]:
    """Voxels whose centre lies in an inclusion."""
    long, labels = row["length_px"] / 2, np.zeros(shape, np.uint8)
    short = long / row["aspect"]
    for k, (centre, axis) in enumerate(zip(*_place(row, shape, rng, limits), strict=True)):
        near = [np.arange(math.floor(x - long), math.ceil(x + long) + 1) for x in centre]
        offset = np.stack(np.meshgrid(*near, indexing="ij"), axis=-1).astype(float) + 0.5 - centre
        along2 = (offset @ axis) ** 2
        inside = along2 / long**2 + ((offset**2).sum(axis=-1) - along2) / short**2 <= 1
        found = zip(np.nonzero(inside), near, shape, strict=True)
        labels[tuple(window[i] % side for i, window, side in found)] = 1 + k % (limits.phases - 1)
    return labels


def _place(
    row: dict[str, Any], shape: tuple[int, ...], rng: np.random.Generator, limits: EllipsoidRanges
) -> tuple[np.ndarray, np.ndarray]:
    """Random sequential addition; starts again where it jams."""
    count, dim, most = int(row["count"]), len(shape), 0
    # Nearer than this, the balls within two inclusions overlap.
    least = row["length_px"] / row["aspect"] + row["gap_px"]
    for _ in range(_STARTS):
        centres, axes, placed = np.empty((count, dim)), np.empty((count, dim)), 0
        for _ in range(-(-_TRIES_EACH * count // _BATCH)):
            tried = rng.random((_BATCH, dim)) * shape
            ways = unit_vectors(rng.random((_BATCH, 2)), dim)
            if limits.aligned:
                ways = np.broadcast_to(row["direction"], ways.shape)
            if placed:
                far, _ = KDTree(centres[:placed], boxsize=shape).query(tried)
                tried, ways = tried[far >= least], ways[far >= least]
            for centre, axis in zip(tried, ways, strict=True):
                if _clear(centre, axis, centres[:placed], axes[:placed], row, shape):
                    centres[placed], axes[placed] = centre, axis
                    placed += 1
                    if placed == count:
                        return centres, axes
        most = max(most, placed)
    reached = row["volume_fraction"] * most / count
    raise ValueError(
        f"{count} inclusions {row['length_px']:.3g} px long with gaps of {row['gap_px']:.3g} px do "
        f"not fit by random addition, which reached a volume fraction of {reached:.3g} of "
        f"{row['volume_fraction']:.3g}; lower volume_fraction, aspect or gap_px."
    )


def _clear(
    centre: np.ndarray,
    axis: np.ndarray,
    centres: np.ndarray,
    axes: np.ndarray,
    row: dict[str, Any],
    shape: tuple[int, ...],
) -> bool:
    """Whether an inclusion keeps its gap from those placed and all their images that are near."""
    reach = row["length_px"] + row["gap_px"]
    shifts = np.array(list(product((-1, 0, 1), repeat=len(shape)))) * shape
    apart = (centres[:, None] + shifts - centre).reshape(-1, len(shape))
    near = np.flatnonzero((apart**2).sum(axis=1) < reach**2)
    if not len(near):
        return True
    one = _widened(axis[None], row)
    others = _widened(axes[near // len(shifts)], row)
    return bool((_contact(apart[near], one, others) > 1).all())


def _widened(axes: np.ndarray, row: dict[str, Any]) -> np.ndarray:
    """Matrices (k, dim, dim) of ellipsoids that contain all points within half a gap.

    The support function h(u) = sqrt(u A u) of an ellipsoid grows to h + t within a distance t, and
    (h + t)^2 <= (1 + s) h^2 + (1 + 1/s) t^2 for every s > 0.
    """
    long, t = row["length_px"] / 2, row["gap_px"] / 2
    short = long / row["aspect"]
    along = axes[:, :, None] * axes[:, None, :]
    matrix = short**2 * np.eye(axes.shape[1]) + (long**2 - short**2) * along
    s = t / math.sqrt(long * short)
    return (1 + s) * matrix + (t**2 + t * math.sqrt(long * short)) * np.eye(axes.shape[1])


def _contact(apart: np.ndarray, one: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Contact function of Perram and Wertheim (1985), J. Comput. Phys. 58, 409, from below.

    Two ellipsoids are apart if l (1 - l) r [(1 - l) A + l B]^-1 r > 1 for some l in (0, 1): the
    largest over a few l never takes two that overlap for two that do not.
    """
    mixed = (1 - _LAMBDAS)[:, None, None, None] * one + _LAMBDAS[:, None, None, None] * others
    solved = np.linalg.solve(mixed, apart[None, :, :, None])[..., 0]
    return ((_LAMBDAS * (1 - _LAMBDAS))[:, None] * (solved * apart).sum(axis=-1)).max(axis=0)


ELLIPSOIDS = Family("ellipsoids", EllipsoidRanges, _settle, _build)

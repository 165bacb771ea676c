"""Periodic Voronoi polycrystals: grains around random points, folded to a few phases."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import UInt8
from scipy.spatial import KDTree

from generative.data.synthetic.family import Family, Ranges, Settings, span


@dataclass(frozen=True)
class VoronoiRanges(Ranges):
    """Ranges the settings of each polycrystal are drawn from.

    Parameters
    ----------
    grains
        Number of grains: random points, each voxel belonging to the nearest.
    phases
        Grains take the phases 0, 1, ... in turn. With at least as many phases as grains, each
        grain has a phase of its own.
    """

    grains: tuple[float, float] = span(20, 100, least=1, whole=True)
    phases: int = 2


def _as_drawn(
    drawn: Settings, spare: np.ndarray, shape: tuple[int, ...], limits: VoronoiRanges
) -> Settings:
    return drawn


def _build(
    row: dict[str, Any], shape: tuple[int, ...], rng: np.random.Generator, limits: VoronoiRanges
) -> UInt8[np.ndarray, "*space"]:
    points = rng.random((int(row["grains"]), len(shape))) * np.asarray(shape)
    voxels = np.indices(shape).reshape(len(shape), -1).T + 0.5
    _, grain = KDTree(points, boxsize=shape).query(voxels)
    return (grain % limits.phases).astype(np.uint8).reshape(shape)


VORONOI = Family("voronoi", VoronoiRanges, _as_drawn, _build)

"""Laminates and checkerboards: structures whose effective properties are known exactly."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import UInt8

from generative.data.synthetic.family import (
    Family,
    Ranges,
    Settings,
    cut_levels,
    span,
    unit_vectors,
)


@dataclass(frozen=True)
class LaminateRanges(Ranges):
    """Ranges the settings of each laminate are drawn from.

    Parameters
    ----------
    period_px
        Thickness of one stack of layers, a layer of each phase, log-uniform; 1/8 to 1/2 of the
        shortest side if ``None``. It and the direction are then set to the nearest that fit the
        box, so that opposite sides join.
    volume_fraction
        Fraction of voxels outside phase 0.
    axis
        Axis along which the layers follow each other; ``None`` draws any direction. Along an axis
        layers are whole rows of voxels, and the fraction is rounded to rows.
    phases
        Layers in one stack; ``volume_fraction`` is shared equally by those but phase 0.
    """

    period_px: tuple[float, float] | None = span(1 / 8, 1 / 2, log=True, of_side=True)
    volume_fraction: tuple[float, float] = span(0.2, 0.8, most=1.0)
    axis: int | None = None
    phases: int = 2


@dataclass(frozen=True)
class CheckerboardRanges(Ranges):
    """Ranges the settings of each checkerboard are drawn from.

    Parameters
    ----------
    cells
        Cells along each side, drawn for each structure and rounded down to a multiple of
        ``phases``, at least one: opposite sides join. Cells are equal if the sides divide by it.
    phases
        Phase of a cell: the sum of its numbers along the axes, modulo ``phases``.
    """

    cells: tuple[float, float] = span(2, 8, least=2, whole=True)
    phases: int = 2


def _settle_laminate(
    drawn: Settings, spare: np.ndarray, shape: tuple[int, ...], limits: LaminateRanges
) -> Settings:
    dim, sides = len(shape), np.asarray(shape, float)
    if limits.axis is not None and limits.axis not in range(dim):
        raise ValueError(f"axis should be 0 to {dim - 1} for this shape, got {limits.axis}.")
    direction = unit_vectors(spare[:, :2], dim)
    fraction = drawn["volume_fraction"]
    if limits.axis is not None:
        direction = np.broadcast_to(np.eye(dim)[limits.axis], direction.shape)
    # A periodic wave has whole numbers of periods along each side.
    waves = np.round(direction * sides / drawn["period_px"][:, None])
    flat = np.flatnonzero(~waves.any(axis=1))
    waves[flat, np.abs(direction[flat]).argmax(axis=1)] = 1
    frequency = waves / sides
    size = np.sqrt((frequency**2).sum(axis=1, keepdims=True))
    along = (waves != 0).sum(axis=1) == 1
    rows = sides[np.abs(waves).argmax(axis=1)]
    return drawn | {
        "period_px": 1 / size[:, 0],
        "volume_fraction": np.where(along, np.round(fraction * rows) / rows, fraction),
        "direction": frequency / size,
        "shift": spare[:, 2],
    }


def _build_laminate(
    row: dict[str, Any], shape: tuple[int, ...], rng: np.random.Generator, limits: LaminateRanges
) -> UInt8[np.ndarray, "*space"]:
    fraction, period = float(row["volume_fraction"]), float(row["period_px"])
    waves = np.round(row["direction"] / period * np.asarray(shape)).astype(int)
    used = np.flatnonzero(waves)
    if len(used) == 1:  # whole rows: cut one line of voxels, and repeat it
        axis = int(used[0])
        line = cut_levels(
            _position(waves[axis : axis + 1], shape[axis : axis + 1], row["shift"]),
            fraction,
            limits.phases,
        )
        layout = [-1 if a == axis else 1 for a in range(len(shape))]
        return np.broadcast_to(line.reshape(layout), shape).copy()
    return cut_levels(_position(waves, shape, row["shift"]), fraction, limits.phases)


def _position(waves: np.ndarray, shape: tuple[int, ...], shift: float) -> np.ndarray:
    """Position of each voxel in its stack of layers, 0 to 1."""
    coordinates = np.indices(shape, sparse=True)
    turns = sum(
        wave * (x + 0.5) / side for wave, x, side in zip(waves, coordinates, shape, strict=True)
    )
    return np.mod(np.broadcast_to(turns, shape) + shift, 1.0)


def _settle_checkerboard(
    drawn: Settings, spare: np.ndarray, shape: tuple[int, ...], limits: CheckerboardRanges
) -> Settings:
    cells = np.maximum(drawn["cells"] // limits.phases, 1) * limits.phases
    if len(cells) and cells.max() > min(shape):
        raise ValueError(
            f"{cells.max()} cells do not fit along a side of {min(shape)} voxels; lower cells to "
            f"{min(shape)} at most, and phases too if it is more."
        )
    shift = np.floor(spare[:, : len(shape)] * np.asarray(shape))
    return drawn | {"cells": cells, "shift_px": shift.astype(np.int64)}


def _build_checkerboard(
    row: dict[str, Any],
    shape: tuple[int, ...],
    rng: np.random.Generator,
    limits: CheckerboardRanges,
) -> UInt8[np.ndarray, "*space"]:
    cells = sum(
        (np.mod(x + shift, side) * int(row["cells"])) // side
        for x, shift, side in zip(
            np.indices(shape, sparse=True), row["shift_px"], shape, strict=True
        )
    )
    return np.mod(cells, limits.phases).astype(np.uint8)


LAMINATE = Family("laminate", LaminateRanges, _settle_laminate, _build_laminate)
CHECKERBOARD = Family("checkerboard", CheckerboardRanges, _settle_checkerboard, _build_checkerboard)

"""Structures whose properties were measured before: images, and a table with a row for each."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float32, Float64

from generative.data.dataset import Dataset
from generative.data.read import read_dataset
from latentopt.errors import DataError
from latentopt.tables import hint, number_of, read_table
from latentopt.wording import nearest

__all__ = ["IMAGE_COLUMN", "MeasuredData", "read_measured"]

IMAGE_COLUMN = "image"
SEM = "_sem"  # ends the name of a column of standard errors
Row = tuple[int, dict[str, str]]  # its number in the file, the header's being 1, and its cells


@dataclass(frozen=True, eq=False)
class MeasuredData:
    """Structures and what was measured on each.

    Parameters
    ----------
    images
        In [0, 1], a row a structure.
    metrics
        Values by name, a row a structure; finite.
    sem
        Standard errors of those metrics that have a column of them; nan where a cell is empty.
    names
        What to call each structure: its row in the table and its file.
    unmeasured
        Images that no row of the table names.
    """

    images: Float32[np.ndarray, "n c *space"]
    metrics: Mapping[str, Float64[np.ndarray, " n"]]
    names: tuple[str, ...]
    unmeasured: tuple[str, ...] = ()
    sem: Mapping[str, Float64[np.ndarray, " n"]] = field(default_factory=dict)


def read_measured(
    table: Path,
    image_shape: tuple[int, ...],
    needed: Sequence[str],
    *,
    images: Path | None = None,
    columns: Sequence[str] | None = None,
    reading: Mapping[str, Any] | None = None,
) -> MeasuredData:
    """A CSV file of measured values, with the images that its rows name.

    A column ``k_xx_sem`` beside ``k_xx`` holds the standard errors of that metric; an empty cell
    says that one is not known. Where the goal needs a metric of that name, it is a metric.

    Parameters
    ----------
    table
        Its first line names the columns: one a metric, and ``image``, which holds the name of a
        file in the folder of images, or the number (from 0) of an image in an array file. Without
        it, rows are in the order of the array file.
    image_shape
        ``(c, *space)`` that the images should have.
    needed
        Metrics that have to be there.
    images
        Folder of pictures, or an NPY, NPZ or HDF5 file; the folder of the table unless given.
    columns
        Metrics to take; all columns unless given.
    reading
        How images are read: ``grey``, ``axes`` and ``limits`` of `generative.data.read_dataset`.

    Raises
    ------
    DataError
        One line that names the file and row of the first problem: a table that is none, a cell
        that is no finite number, a standard error below 0, a metric or an image that is missing,
        an image named twice, or images of another size or with other phases.
    """
    names, rows = _read_rows(table)
    metrics = _metric_columns(table, names, needed, columns)
    noisy = [name for name in metrics if f"{name}{SEM}" in names and f"{name}{SEM}" not in metrics]
    values = [_numbers(table, row, metrics) for row in rows]
    errors = [_standard_errors(table, row, noisy) for row in rows]
    where = table.parent if images is None else images
    dims = len(image_shape) - 1
    dataset = read_dataset(where, channels=image_shape[0], spatial_dims=dims, **(reading or {}))
    if dataset.image_shape != image_shape:
        expected, got = ("x".join(map(str, s[1:])) for s in (image_shape, dataset.image_shape))
        raise DataError(
            f"{where}: its images have {got} voxels and {dataset.image_shape[0]} channels, the "
            f"space {expected} and {image_shape[0]}; resample them, or cut patches of that size."
        )
    chosen = _chosen_images(table, names, rows, dataset, where)
    unmeasured = sorted(set(range(len(dataset))) - set(chosen))
    return MeasuredData(
        images=dataset.images[chosen],
        metrics={name: np.array([row[name] for row in values]) for name in metrics},
        sem={name: np.array([row[name] for row in errors]) for name in noisy},
        names=tuple(
            f"row {number}, {dataset.sources[i]}"
            for (number, _), i in zip(rows, chosen, strict=True)
        ),
        unmeasured=tuple(dataset.sources[i] for i in unmeasured),
    )


def _read_rows(table: Path) -> tuple[list[str], list[Row]]:
    """Names of the columns, and rows that are not blank."""
    lines = read_table(table)
    if len(lines) < 2:
        raise DataError(
            f"{table}: holds no rows below its line of names; expected one for each structure."
        )
    (_, names), *body = lines
    if all(number_of(cell) is not None for cell in names):
        raise DataError(
            f"{table}: its first row holds numbers; begin with the names of the columns, such as "
            f"{IMAGE_COLUMN},k_xx."
        )
    twice = next((name for name in names if names.count(name) > 1), None)
    if "" in names or twice is not None:
        problem = "a column without name" if "" in names else f"two columns named {twice!r}"
        raise DataError(f"{table}: has {problem}; give each column a name of its own.")
    return names, [(number, dict(zip(names, row, strict=True))) for number, row in body]


def _metric_columns(
    table: Path, names: Sequence[str], needed: Sequence[str], columns: Sequence[str] | None
) -> list[str]:
    found = [name for name in names if name != IMAGE_COLUMN]
    for name in dict.fromkeys([*(columns or ()), *needed]):
        if name not in found:
            why = "which the goal of the campaign needs" if name in needed else "asked for"
            raise DataError(f"{table}: has no column {name!r}, {why}; {nearest(name, found)}")
    wanted = {*(columns or ()), *needed}
    errors = {name for name in found if name.removesuffix(SEM) in found and name.endswith(SEM)}
    return [name for name in found if name in wanted or (columns is None and name not in errors)]


def _numbers(table: Path, row: Row, metrics: Sequence[str]) -> dict[str, float]:
    number, cells = row
    values = {}
    for name in metrics:
        value = number_of(cells[name])
        if value is None:
            got = "nothing" if not cells[name] else repr(cells[name])
            raise DataError(
                f"{table}: row {number} has {got} for {name}, expected a finite number; "
                f"{hint(cells[name])}, or name the columns to take (--metric)."
            )
        values[name] = value
    return values


def _standard_errors(table: Path, row: Row, metrics: Sequence[str]) -> dict[str, float]:
    """Standard errors of these metrics in a row; nan for an empty cell."""
    number, cells = row
    errors = {}
    for name in metrics:
        cell = cells[f"{name}{SEM}"]
        value = number_of(cell) if cell else math.nan
        if value is None or value < 0:
            raise DataError(
                f"{table}: row {number} has {cell!r} for {name}{SEM}, expected the standard error "
                f"of {name}: a number of 0 or more, or nothing where it is not known."
            )
        errors[name] = value
    return errors


def _chosen_images(
    table: Path, names: Sequence[str], rows: Sequence[Row], dataset: Dataset, where: Path
) -> list[int]:
    """Which image each row belongs to; no two rows share one."""
    if IMAGE_COLUMN not in names:
        return _in_order(table, rows, dataset, where)
    known = (
        {source: i for i, source in enumerate(dataset.sources)}
        if where.is_dir()
        else {str(i): i for i in range(len(dataset))}
    )
    row_of: dict[int, int] = {}
    for number, cells in rows:
        name = cells[IMAGE_COLUMN]
        if name not in known:
            among = f"the {len(known)} images of {where}"
            hint = nearest(name, known) if where.is_dir() else "write numbers from 0."
            hint = hint if len(hint) < 200 else "write names as the folder has them."
            raise DataError(f"{table}: row {number} names {name!r}, not among {among}; {hint}")
        if known[name] in row_of:
            raise DataError(
                f"{table}: rows {row_of[known[name]]} and {number} both name {name!r}; leave one "
                "of them out."
            )
        row_of[known[name]] = number
    return list(row_of)


def _in_order(table: Path, rows: Sequence[Row], dataset: Dataset, where: Path) -> list[int]:
    if where.is_dir():
        raise DataError(
            f"{table}: has no column {IMAGE_COLUMN!r}; name the file of each row in one."
        )
    if len(rows) != len(dataset):
        raise DataError(
            f"{table}: has {len(rows)} rows for the {len(dataset)} images of {where}; write a row "
            f"for each, or a column {IMAGE_COLUMN!r} with their numbers from 0."
        )
    return list(range(len(rows)))

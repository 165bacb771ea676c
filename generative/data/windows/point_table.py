"""Points of frames in a CSV file: ``file, frame, x, y[, z][, class]``."""

import csv
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float64, Int64

from generative.data.check import by, reading
from generative.data.find import as_labels
from generative.data.windows.frames import Movie
from generative.errors import DataError

MOST_BYTES = 2**28  # some five million points
NAMED = 3  # files in a message


@dataclass(frozen=True, eq=False)
class PointTable:
    """Points of frames, as `read_points` reads them.

    Parameters
    ----------
    points
        Of each file by its name, of each frame by its number: (n, d) along (z,) y, x in voxels.
    labels
        In the same way the class of each point, -1 of those without; None if the table has none.
    class_names
        Their names, in sorted order.
    """

    points: Mapping[str, Mapping[int, Float64[np.ndarray, "n d"]]]
    labels: Mapping[str, Mapping[int, Int64[np.ndarray, "n"]]] | None
    class_names: tuple[str, ...]


def read_points(path: Path, movies: Sequence[Movie]) -> PointTable:
    """Points of the frames of movies, from a CSV file.

    Columns are ``file`` (the name below the folder), ``frame`` (from 0), ``x``, ``y`` and, of
    volumes, ``z``, in voxels, 0 at the centre of the first voxel; and perhaps ``class``, where an
    empty cell or ``unlabelled`` is -1. Other columns are passed over.

    Raises
    ------
    DataError
        For missing columns, a file or frame that is not there, a number that is none, or a point
        outside of its frame, each with its line.
    """
    path = Path(path)
    axes = "zyx"[-len(movies[0].space) :]
    known = {movie.file: movie for movie in movies}
    frames, points, classes = [], [], []
    for line, cells in _lines(path, axes):
        where = f"{path}: line {line}"
        movie = known.get(cells["file"])
        if movie is None:
            more = ", ..." if len(known) > NAMED else ""
            raise DataError(
                f"{where}: no file {cells['file']!r} among the frames; there are "
                f"{', '.join(list(known)[:NAMED])}{more}."
            )
        frame = _number(cells, "frame", where)
        if frame != int(frame) or not 0 <= frame < len(movie):
            raise DataError(
                f"{where}: {movie.file} has frames 0 to {len(movie) - 1}, got {cells['frame']}."
            )
        point = [_number(cells, axis, where) for axis in axes]
        if any(not -0.5 <= at <= n - 0.5 for at, n in zip(point, movie.space, strict=True)):
            raise DataError(
                f"{where}: the point ({', '.join(f'{at:g}' for at in point)}) along {axes} lies "
                f"outside of {movie.names[int(frame)]}, a frame of {by(movie.space)} voxels; "
                "correct it, or leave it out."
            )
        frames.append((movie.file, int(frame)))
        points.append(point)
        classes += [cells["class"]] if "class" in cells else []
    if not points:
        raise DataError(f"{path}: holds no points; give one in each line after the header.")
    names, labels = as_labels(classes)
    by_frame = _by_frame(frames, np.array(points, np.float64))
    return PointTable(by_frame, _by_frame(frames, labels) if classes else None, names)


def _by_frame(
    frames: Sequence[tuple[str, int]], values: np.ndarray
) -> dict[str, dict[int, np.ndarray]]:
    """Values (n, ...) in the order of their lines, parted by file and frame."""
    rows: dict[str, dict[int, list[int]]] = {}
    for row, (file, frame) in enumerate(frames):
        rows.setdefault(file, {}).setdefault(frame, []).append(row)
    return {
        file: {frame: values[of] for frame, of in parts.items()} for file, parts in rows.items()
    }


def _lines(path: Path, axes: str) -> list[tuple[int, dict[str, str]]]:
    """Number and cells of each line, by column."""
    wanted = ["file", "frame", "x", "y", *(["z"] if "z" in axes else [])]
    with reading(path):
        if path.stat().st_size > MOST_BYTES:
            raise DataError(
                f"{path}: is larger than {MOST_BYTES:,} bytes; give the points in several sets."
            )
        with path.open(encoding="utf-8-sig", newline="") as stream:
            rows = csv.reader(stream, strict=True)
            head = [cell.strip() for cell in next(rows, [])]
            lines = [(rows.line_num, row) for row in rows if any(cell.strip() for cell in row)]
    missing = [name for name in wanted if name not in head]
    if missing or len(set(head)) < len(head):
        wrong = f"{', '.join(missing)} is missing" if missing else "two have one name"
        raise DataError(
            f"{path}: expected a first line with the columns {', '.join(wanted)} and perhaps "
            f"class, got {', '.join(head) or 'nothing'} ({wrong}); name the columns so."
        )
    if "z" in head and "z" not in axes:
        raise DataError(
            f"{path}: has a column z, but the frames are pictures; leave z out, or say that they "
            "are volumes (--dims 3)."
        )
    for line, row in lines:
        if len(row) != len(head):
            raise DataError(
                f"{path}: line {line}: expected {len(head)} cells as in the first line, got "
                f"{len(row)}; correct the line."
            )
    return [(line, dict(zip(head, map(str.strip, row), strict=True))) for line, row in lines]


def _number(cells: Mapping[str, str], name: str, where: str) -> float:
    try:
        value = float(cells[name])
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise DataError(
            f"{where}: {name} should be a finite number, got {cells[name]!r}; correct it, or leave "
            "the line out."
        )
    return value

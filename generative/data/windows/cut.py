"""From movies and large frames to a data set of windows around points."""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import numpy as np

from generative.data.check import Limits, by
from generative.data.find import classes_of, find_files
from generative.data.formats.source import Asked
from generative.data.formats.voxel_size import VoxelSize
from generative.data.opened import cropped
from generative.data.prepared import Prepared
from generative.data.windows.frames import Frame, Movie, common_size, frames_of, open_movies
from generative.data.windows.point_table import PointTable, read_points
from generative.data.windows.points import (
    PARTICLE_DIAMETER,
    find_particles,
    find_peaks,
    find_walls,
    grid_points,
)
from generative.data.windows.resample import cut_windows, inside
from generative.data.windows.window_set import WindowSet
from generative.data.windows.windowing import Windowing
from generative.errors import DataError

Watch = Callable[[Iterable[Frame], int], Iterable[Frame]]


def prepare_windows(
    path: Path,
    how: Windowing,
    *,
    voxel_size_m: VoxelSize | None = None,
    limits: Limits | None = None,
    watch: Watch = lambda frames, n: frames,
    spatial_dims: int | None = None,
    dataset: str | None = None,
    shape: Sequence[int] | None = None,
    dtype: str | np.dtype | None = None,
    axes: str | None = None,
) -> Prepared:
    """Windows around points of the frames of a folder or file, in grey levels.

    Frames may be of several sizes and bit depths: each is scaled by itself (`scaled`), never window
    by window, which would take away the contrast between windows. Points are found in the first
    channel. Windows that leave the frame are left out and counted. Frames share a parent where
    they share a window, as two do with a lag, or where they are equal.

    Parameters
    ----------
    path
        As `read_dataset` takes it. A file of several images is a movie, and so is a TIFF stack
        unless ``spatial_dims`` is 3.
    how
        Which points, and how windows are cut.
    voxel_size_m
        Instead of what the files say, along (z,) y, x; one length is that of all axes. The set has
        that of the pixels of its windows, at the first scale.
    limits
        Largest sizes accepted, of each file and of all windows.
    watch
        ``watch(frames, n)`` passes the n frames on as they are made, to show how many there are.
    spatial_dims, dataset, shape, dtype, axes
        As `read_dataset`.

    Returns
    -------
    Windows with positions, times and places. ``findings.images`` has of each frame the number of
    ``points``, and of those ``outside``, whose window leaves it; pictures are the first frame of
    each class with its points, and the mean window.

    Raises
    ------
    DataError
        For files that cannot be read or differ in channels or axes, a window larger than a frame,
        fewer frames than the lag, a frame of one value where points are sought, points that are
        not there (`read_points`), or if no window is left.
    """
    root, limits = Path(path), limits or Limits()
    files = find_files(root)
    base = root if root.is_dir() else root.parent
    movies = open_movies(files, base, Asked(spatial_dims, dataset, shape, dtype, axes, limits))
    size = common_size(movies, voxel_size_m)
    _check_room(movies, how)
    table = read_points(how.around, movies) if isinstance(how.around, Path) else None
    class_names, labels = classes_of(files, root)
    if table is not None and table.labels is not None:
        class_names = table.class_names
    label_of = dict(zip((movie.file for movie in movies), labels.tolist(), strict=True))
    rows = [_starts(movie, how, table) for movie in movies]
    made = WindowSet(how, class_names)
    for frame in watch(frames_of(movies, rows, how.lag, how.info_bar), sum(map(len, rows))):
        points, classes = _points(frame, how, table, label_of[frame.movie.file])
        whole = inside(points, frame.times[0].shape[1:], how.side, max(how.scales))
        total = len(made) + int(whole.sum())
        window = (len(how.channels) * len(frame.times[0]), *[how.side] * points.shape[1])
        limits.check((max(total, 1), *window), f"{frame.name} and the frames before it")
        made.add(frame, _cut(frame, points[whole], how), points[whole], classes[whole])
        made.facts[-1] |= {"points": len(points), "outside": int((~whole).sum())}
    pixel = None if size is None else tuple(how.scales[0] * edge for edge in size)
    return made.prepared(pixel, _without_later(movies, rows, table))


def _check_room(movies: Sequence[Movie], how: Windowing) -> None:
    """Refuse windows that no frame has room for, and movies that are shorter than the lag."""
    for movie in movies:
        if how.reach > min(movie.space):
            wide = f" at scale {max(how.scales):g}" if max(how.scales) != 1 else ""
            raise DataError(
                f"{movie.file}: a window of {how.side} pixels{wide} covers {how.reach:g} voxels, "
                f"more than a frame of {by(movie.space)} has; take a smaller window"
                f"{' or scale' if wide else ''}, or leave the file out."
            )
        if how.lag is not None and movie.length <= how.lag:
            raise DataError(
                f"{movie.file}: a lag of {how.lag} needs {how.lag + 1} frames of one movie, got "
                f"{movie.length}; take a smaller lag, or save the frames of a movie as one file."
            )


def _starts(movie: Movie, how: Windowing, table: PointTable | None) -> list[int]:
    """Rows of the frames that windows begin in, which have a later one at the lag."""
    ends = movie.length - (how.lag or 0)
    if table is not None:
        rows = table.points.get(movie.file, {})
        return sorted(row for row in rows if row % movie.length < ends)
    runs = range(0, len(movie), movie.length)
    return [first + row for first in runs for row in range(0, ends, how.every)]


def _without_later(
    movies: Sequence[Movie], rows: Sequence[list[int]], table: PointTable | None
) -> dict[str, int]:
    """Points of a table in frames that have no later one at the lag, by the name of the frame."""
    known = {} if table is None else table.points
    return {
        movie.names[row]: len(points)
        for movie, taken in zip(movies, rows, strict=True)
        for row, points in known.get(movie.file, {}).items()
        if row not in taken
    }


def _points(
    frame: Frame, how: Windowing, table: PointTable | None, label: int
) -> tuple[np.ndarray, np.ndarray]:
    """Points (n, d) of a frame without its info bars, and the label of each."""
    values, name, spacing = frame.times[0][0], frame.name, how.spacing
    if table is not None:
        points = table.points[frame.movie.file][frame.row] - frame.corner
        if table.labels is not None:
            return points, table.labels[frame.movie.file][frame.row]
    elif how.around == "peaks":
        points = find_peaks(values, spacing or how.side / 8, dark=how.dark, name=name)
    elif how.around == "particles":
        points = find_particles(
            cropped(frame.stored, frame.bars, name)[0],
            how.segmentation,
            least_diameter=spacing or PARTICLE_DIAMETER,
            dark=how.dark,
            name=name,
        )
    elif how.around == "walls":
        points = find_walls(values, spacing or how.side / 2, name=name)
    else:
        points = grid_points(values.shape, how.reach, spacing or how.side)
    return points, np.full(len(points), label)


def _cut(frame: Frame, points: np.ndarray, how: Windowing) -> np.ndarray:
    """Windows (n, c, *window) in [0, 1], scale by scale, of each the frame and the later one."""
    cuts = [
        cut_windows(values, points, how.side, scale=scale, kernel=how.kernel)
        for scale in how.scales
        for values in frame.times
    ]
    return np.clip(np.concatenate(cuts, axis=1), 0, 1)  # cubic convolution overshoots

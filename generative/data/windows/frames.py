"""Frames of movies and pictures, each scaled by itself."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from jaxtyping import Float32, Real

from generative.data.check import by, reading
from generative.data.formats.readers import kind_of_file, open_asked
from generative.data.formats.source import Asked, Source
from generative.data.formats.voxel_size import VoxelSize, check_voxel_size
from generative.data.grey.denoise import info_bars
from generative.data.grey.segment import luminance
from generative.data.opened import cropped
from generative.data.read import decode, names_of
from generative.errors import DataError

QUANTILES = (0.001, 0.999)  # of the levels of a frame, which become 0 and 1

Levels = tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class Movie:
    """A file of frames, of which nothing is decoded yet.

    Parameters
    ----------
    source
        What the file says of its frames.
    file
        Its name below the folder.
    names
        Of the frames, as in ``sources`` of a data set.
    """

    source: Source
    file: str
    names: tuple[str, ...]

    @property
    def space(self) -> tuple[int, ...]:
        """Voxels of a frame."""
        return self.source.shape[2:]

    def __len__(self) -> int:
        return self.source.shape[0]

    @property
    def length(self) -> int:
        """Frames in a row that follow one another in time: all, unless the file has several."""
        parts = self.source.images_a_parent
        return parts if parts is not None and parts > 1 else len(self)

    def decode(self) -> Real[np.ndarray, "n c *space"]:
        """The frames as stored, colours as grey."""
        stored = decode(self.source, self.names)
        return luminance(stored) if self.source.colour else stored

    @property
    def channels(self) -> int:
        """Of a frame, once colours are grey."""
        return 1 if self.source.colour else self.source.shape[1]


@dataclass(frozen=True)
class Frame:
    """A frame scaled by itself, and with a lag the later one of the same movie.

    Parameters
    ----------
    movie
        Where it comes from.
    row
        Its number in the file.
    numbers, first
        Its number in all files together and that of the later one, and that of the first frame of
        its movie.
    times
        Values (c, *space) in [0, 1] of the frame and the later one, without info bars.
    levels
        Of each, the two levels of each channel that became 0 and 1.
    stored
        Values (c, *whole) as in the file.
    bars
        Rows cut off top and bottom.
    """

    movie: Movie
    row: int
    numbers: tuple[int, ...]
    first: int
    times: tuple[Float32[np.ndarray, "c *space"], ...]
    levels: tuple[Levels, ...]
    stored: Real[np.ndarray, "c *whole"]
    bars: tuple[int, int]

    @property
    def number(self) -> int:
        """Its number in all files together."""
        return self.numbers[0]

    @property
    def name(self) -> str:
        """As in ``sources`` of a data set."""
        return self.movie.names[self.row]

    @property
    def corner(self) -> np.ndarray:
        """Place (d,) in the file's frame of the first voxel that is left of it."""
        corner = np.zeros(self.stored.ndim - 1)
        corner[-2] = self.bars[0]
        return corner


def frames_of(
    movies: Sequence[Movie], rows: Sequence[Sequence[int]], lag: int | None, info_bar: int | str
) -> Iterator[Frame]:
    """Some frames of each movie, decoded file by file; each with the one that is ``lag`` later."""
    before = 0
    for movie, wanted in zip(movies, rows, strict=True):
        stored = movie.decode() if len(wanted) else None
        for row in wanted:
            assert stored is not None  # for a row is wanted
            bars = _info_rows(stored[row], info_bar, movie.names[row])
            both = [row] if lag is None else [row, row + lag]
            made = [scaled(cropped(stored[each], bars, movie.names[each])) for each in both]
            times, levels = zip(*made, strict=True)
            first = before + row - row % movie.length
            numbers = tuple(before + each for each in both)
            yield Frame(movie, row, numbers, first, times, levels, stored[row], bars)
        before += len(movie)


def open_movies(files: Sequence[Path], base: Path, asked: Asked) -> list[Movie]:
    """Files of frames; sizes and bit depths may differ, channels and axes may not.

    The pages of a TIFF are frames in time, unless ``spatial_dims`` of `asked` is 3.

    Raises
    ------
    DataError
        If a file cannot be read, has other channels or axes than the first, or is too large.
    """
    movies = []
    for file in files:
        source = open_asked(file, _of_frames(file, asked))
        movie = Movie(source, file.relative_to(base).as_posix(), names_of([source], base))
        movies.append(movie)
        first = movies[0]
        if len(movie.space) != len(first.space):
            raise DataError(
                f"{file}: expected frames of {len(first.space)} axes as in {first.file}, got "
                f"{by(movie.space)} voxels; say what they are (--dims 2 or 3), or prepare them "
                "apart."
            )
        if movie.channels != first.channels:
            raise DataError(
                f"{file}: expected frames of {first.channels} channels as in {first.file}, got "
                f"{movie.channels}; save all with the same channels, or prepare them apart."
            )
    return movies


def _of_frames(file: Path, asked: Asked) -> Asked:
    """With the pages of a TIFF as frames, and a palette as the picture that it shows."""
    with reading(file):
        stack = asked.spatial_dims is None and kind_of_file(file) == "tiff"
    return replace(asked, spatial_dims=2 if stack else asked.spatial_dims, indices="picture")


def common_size(movies: Sequence[Movie], given: VoxelSize | None) -> VoxelSize | None:
    """Voxel size of all frames: the one that is given, or that all files say.

    Raises
    ------
    DataError
        If the files say different sizes, or the given one does not fit the axes.
    """
    first = movies[0]
    dims = len(first.space)
    if given is not None:
        given = given * dims if len(given) == 1 else given
        check_voxel_size(given, dims, first.file)
        return given
    size = first.source.voxel_size_m
    for movie in movies:
        other = movie.source.voxel_size_m
        same = other == size or (other and size and np.allclose(other, size, rtol=1e-3, atol=0))
        if not same:
            raise DataError(
                f"{movie.file}: expected a voxel size of {size or 'unknown length'} as in "
                f"{first.file}, got {other or 'none'}; prepare each size apart, or say it for all "
                "(--voxel-size)."
            )
    return size


def _info_rows(values: np.ndarray, bar: int | str, name: str) -> tuple[int, int]:
    """Rows of an info bar at the top and the bottom of a frame (c, *space)."""
    if bar != "auto":
        return 0, int(bar)
    if values.ndim != 3:
        raise DataError(
            f"{name}: is a volume, and info bars are found in pictures; give the number of rows."
        )
    return info_bars(values)


def scaled(
    frame: Real[np.ndarray, "c *space"],
) -> tuple[Float32[np.ndarray, "c *space"], Levels]:
    """A frame in [0, 1], each channel by its own quantiles, and the two levels of each.

    Levels beyond the quantiles .001 and .999 become 0 and 1. Where these are one level, the
    smallest and the largest take their place; a channel of one value becomes 0.

    Examples
    --------
    >>> scaled(np.array([[[2, 2, 2, 10]]]))[0].tolist()
    [[[0.0, 0.0, 0.0, 1.0]]]
    """
    answer = np.empty(frame.shape, np.float32)
    levels = []
    for channel, values in zip(answer, frame, strict=True):
        known = values.astype(np.float64)
        low, high = np.quantile(known, QUANTILES).tolist()
        if low == high:
            low, high = float(known.min()), float(known.max())
        channel[:] = np.clip((known - low) / ((high - low) or 1.0), 0, 1)
        levels.append((low, high))
    return answer, tuple(levels)

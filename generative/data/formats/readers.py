"""The file formats that are read: by what a file holds, whatever its name ends in."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np

from generative.data.check import Limits, reading
from generative.data.formats.array_files import open_npy, open_npz
from generative.data.formats.content import kind_of
from generative.data.formats.hdf5_files import open_hdf5, open_mat
from generative.data.formats.image_files import open_picture
from generative.data.formats.palette import Indices
from generative.data.formats.raw_files import is_said, open_raw
from generative.data.formats.source import Asked, Source
from generative.data.formats.tiff_files import open_tiff
from generative.data.formats.voxel_size import sidecar_voxel_size
from generative.data.formats.vtk_image_files import open_vti
from generative.errors import DataError


@dataclass(frozen=True)
class Reader:
    """How one file format is known and read.

    Parameters
    ----------
    open
        What the file says of its images; nothing is decoded yet.
    endings
        Of the files of a folder that should be of this format.
    starts
        First bytes of such a file. Formats without are known by `kind_of`, or by their ending.
    many_arrays
        Whether a file may hold several arrays, of which ``dataset=`` names one.
    bare_axes
        Whether the file leaves the order of its axes open, so that ``axes=`` may say it.
    """

    open: Callable[[Path, Asked], Source]
    endings: tuple[str, ...]
    starts: tuple[bytes, ...] = ()
    many_arrays: bool = False
    bare_axes: bool = False


FORMATS = {
    "png": Reader(partial(open_picture, kind="png"), (".png",), (b"\x89PNG\r\n\x1a\n",)),
    "jpeg": Reader(partial(open_picture, kind="jpeg"), (".jpg", ".jpeg"), (b"\xff\xd8\xff",)),
    "bmp": Reader(partial(open_picture, kind="bmp"), (".bmp",)),
    "tiff": Reader(
        open_tiff,
        (".tif", ".tiff"),
        (b"II*\0", b"MM\0*", b"II+\0\x08\0\0\0", b"MM\0+\0\x08\0\0"),
    ),
    "npy": Reader(open_npy, (".npy",), (b"\x93NUMPY",), bare_axes=True),
    "npz": Reader(
        open_npz, (".npz",), (b"PK\x03\x04", b"PK\x05\x06"), many_arrays=True, bare_axes=True
    ),
    "hdf5": Reader(open_hdf5, (".h5", ".hdf5", ".dream3d"), many_arrays=True, bare_axes=True),
    "mat": Reader(open_mat, (".mat",), many_arrays=True, bare_axes=True),
    "vti": Reader(open_vti, (".vti",), many_arrays=True),
    "raw": Reader(open_raw, (".raw",), bare_axes=True),
}
# Endings of the files of a folder that are images, and what they should be.
READERS = {ending: kind for kind, row in FORMATS.items() for ending in row.endings}
_STARTS = {start: kind for kind, row in FORMATS.items() for start in row.starts}


def kind_of_file(path: Path) -> str | None:
    """The row of `FORMATS` that a file's first bytes belong to; None if they are of no row.

    Raises
    ------
    DataError
        For a kind that is known and not read, with what to do instead.
    """
    return kind_of(path, _STARTS)


def open_source(
    path: Path,
    *,
    spatial_dims: int | None = None,
    dataset: str | None = None,
    shape: Sequence[int] | None = None,
    dtype: str | np.dtype | None = None,
    axes: str | None = None,
    limits: Limits | None = None,
    indices: Indices = "auto",
    single: bool = False,
) -> Source:
    """What ``path`` says of its images, by the reader for what it holds; nothing is decoded.

    This is the one way into a file: what it promises is compared with ``limits`` and with the bytes
    that it holds, here for every format. The voxel size of a sidecar that latentopt wrote comes
    before that of the file.

    Parameters
    ----------
    path
        The file; its first bytes say what it is, its ending only where they do not.
    spatial_dims, dataset, shape, dtype, axes
        As `read_dataset`.
    limits
        Largest sizes accepted.
    indices
        What the indices of a palette are taken for.
    single
        The file holds one structure: three axes of an array are a volume.

    Raises
    ------
    DataError
        If the kind is unknown, the file cannot be read, does not hold images or promises too much.
    """
    asked = Asked(spatial_dims, dataset, shape, dtype, axes, limits or Limits(), indices, single)
    return open_asked(path, asked)


def open_asked(path: Path, asked: Asked) -> Source:
    """As `open_source`, with all that the caller says of the file in one object."""
    with reading(path):
        if path.stat().st_size == 0:
            raise DataError(f"{path}: is empty (0 bytes); write it again or remove it.")
        kind = _kind(path, asked)
        if asked.dataset is not None and not FORMATS[kind].many_arrays:
            raise DataError(f"{path}: has no data sets to choose from; leave out dataset=.")
        if (asked.shape, asked.dtype) != (None, None) and kind != "raw":
            raise DataError(f"{path}: says its shape and type; leave out shape= and dtype=.")
        if asked.axes is not None and not FORMATS[kind].bare_axes:
            raise DataError(f"{path}: says its axes itself; leave out axes=.")
        source = FORMATS[kind].open(path, asked)
        asked.limits.check(source.shape, str(path))
        asked.limits.check_ratio(source.decoded_bytes, path, source.held_bytes)
        known = sidecar_voxel_size(path, len(source.shape) - 2)
        return source if known is None else replace(source, voxel_size_m=known)


def _kind(path: Path, asked: Asked) -> str:
    """What the file is; RAW files by their ending, for they have no sign of their own."""
    suffix = path.suffix.lower()
    raw = suffix == ".raw"
    if raw and is_said(path, asked):
        return "raw"
    kind = kind_of_file(path)
    if kind is not None or raw:
        return kind or "raw"
    if suffix in READERS:
        raise DataError(
            f"{path}: cannot be read (its first bytes are not those of a {READERS[suffix].upper()} "
            "file, nor of another format that is read); replace the file if it is damaged, or "
            "remove it."
        )
    raise DataError(
        f"{path}: files ending in {suffix or 'nothing'} are not read; convert it to one of "
        f"{', '.join(READERS)}."
    )

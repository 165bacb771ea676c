"""Array files: NPY and NPZ, their headers checked before their data is read."""

import math
import stat
import zipfile
from collections.abc import Callable
from io import BufferedIOBase, BytesIO
from pathlib import Path
from typing import IO

import numpy as np

from generative.data.check import Limits, by, reading
from generative.data.formats.axes import array_layout, single_axes
from generative.data.formats.source import Asked, Source, check_real
from generative.data.formats.voxel_size import VoxelSize
from generative.errors import DataError

MOST_MEMBERS = 1000
MOST_HEADER_BYTES = 10_000  # as numpy's max_header_size


def open_npy(path: Path, asked: Asked) -> Source:
    """Images in one NPY file; see `Source` and `array_layout`.

    Raises
    ------
    DataError
        For a type that is not a real number, a shape that is not images, or a file that holds
        another number of bytes than its header says.
    """
    with open(path, "rb") as stream:
        shape, dtype = _npy_header(stream)
    return array_source(path, shape, dtype, lambda: read_npy(path), asked)


def read_npy(path: Path) -> np.ndarray:
    """The array of an NPY file, once its header was compared with the bytes that follow.

    Raises
    ------
    DataError
        For objects and texts, and for a file of another length.
    """
    with reading(path), open(path, "rb") as stream:
        held = path.stat().st_size
        _check_length(*_npy_header(stream), held - stream.tell(), path, "the file")
        stream.seek(0)
        return np.lib.format.read_array(stream, allow_pickle=False)


def open_npz(path: Path, asked: Asked) -> Source:
    """Images in one array of an NPZ file, named by ``asked.dataset`` if there are several.

    Raises
    ------
    DataError
        If no array, or more than one, has two axes or more and ``dataset`` does not choose; or if
        the archive holds links, absolute paths or more than numpy would have put there.
    """
    headers = {}
    with zipfile.ZipFile(path) as archive:
        _check_members(archive, path)
        for member in archive.namelist():
            if member.endswith(".npy"):
                with archive.open(member) as stream:
                    headers[member.removesuffix(".npy")] = _npy_header(stream)
        name = choose({key: shape for key, (shape, _) in headers.items()}, asked.dataset, path)
        held = min(archive.getinfo(f"{name}.npy").compress_size, path.stat().st_size)
    return array_source(
        path,
        *headers[name],
        lambda: read_npz(path, name, asked.limits),
        asked,
        held_bytes=held,
    )


def npz_shape(path: Path, name: str) -> tuple[int, ...]:
    """Shape of one array of an NPZ file, which is not read; errors as `read_npz`."""
    with reading(path), zipfile.ZipFile(path) as archive:
        member = _member(archive, name, path)
        with archive.open(member) as stream:
            return _npy_header(stream)[0]


def read_npz(path: Path, name: str, limits: Limits | None = None) -> np.ndarray:
    """One array of an NPZ file, once what it promises was compared with what the file holds.

    Raises
    ------
    DataError
        If there is no such array, it holds objects or texts, another number of bytes than its
        header says, or more than ``limits`` allow.
    """
    with reading(path), zipfile.ZipFile(path) as archive:
        member = _member(archive, name, path)
        with archive.open(member) as stream:
            shape, dtype = _npy_header(stream)
            _check_length(shape, dtype, member.file_size - stream.tell(), path, name)
        size = math.prod(shape) * dtype.itemsize
        held = min(member.compress_size, path.stat().st_size)
        (limits or Limits()).check_ratio(size, path, held)
        with archive.open(member) as stream:
            return np.lib.format.read_array(stream, allow_pickle=False)


def _member(archive: zipfile.ZipFile, name: str, path: Path) -> zipfile.ZipInfo:
    _check_members(archive, path)
    if f"{name}.npy" not in archive.namelist():
        raise DataError(f"{path}: has no array {name!r}; write it again.")
    return archive.getinfo(f"{name}.npy")


def _check_length(
    shape: tuple[int, ...], dtype: np.dtype, held: int, path: Path, name: str
) -> None:
    """Refuse values that are no numbers, or more or fewer than their bytes."""
    check_real(dtype, path)
    promised = math.prod(shape) * dtype.itemsize
    if promised != held:
        raise DataError(
            f"{path}: cannot be read (its header promises {promised:,} bytes, {name} holds "
            f"{held:,}); replace the file if it is damaged or truncated, or remove it."
        )


def _check_members(archive: zipfile.ZipFile, path: Path) -> None:
    if len(archive.infolist()) > MOST_MEMBERS:
        raise DataError(
            f"{path}: holds more than {MOST_MEMBERS} arrays; save the images as one array."
        )
    for member in archive.infolist():
        name = member.filename
        linked = stat.S_ISLNK(member.external_attr >> 16)
        if linked or name.startswith(("/", "\\")) or ".." in name.split("/") or ":" in name:
            raise DataError(
                f"{path}: holds {name!r}, a link or a place outside of the archive; save it again "
                "with numpy.savez."
            )
        if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise DataError(
                f"{path}: is compressed by a method that numpy does not use; save it again with "
                "numpy.savez_compressed."
            )


def _npy_header(stream: IO[bytes] | BufferedIOBase) -> tuple[tuple[int, ...], np.dtype]:
    """Shape and type of an array in the NPY format, without reading it."""
    version = np.lib.format.read_magic(stream)
    read = {
        (1, 0): np.lib.format.read_array_header_1_0,
        (2, 0): np.lib.format.read_array_header_2_0,
    }
    if version not in read:
        raise ValueError(f"NPY format version {version} is not supported")
    stated = stream.read(2 * version[0])
    # Before it is read: in an archive, four gigabytes of header take a few megabytes of file.
    if (length := int.from_bytes(stated, "little")) > MOST_HEADER_BYTES:
        raise ValueError(f"its header is said to be {length:,} bytes long")
    shape, _, dtype = read[version](BytesIO(stated + stream.read(length)))
    return shape, dtype


def choose(shapes: dict[str, tuple[int, ...]], dataset: str | None, path: Path) -> str:
    """The array to read: the one asked for, or the only one with two axes or more."""
    listed = ", ".join(f"{name} ({by(shape) or 'scalar'})" for name, shape in shapes.items())
    if dataset is not None:
        if dataset not in shapes:
            raise DataError(
                f"{path}: has no data set {dataset!r}; it holds {listed or 'no arrays'}."
            )
        return dataset
    images = [name for name, shape in shapes.items() if len(shape) >= 2]
    if len(images) != 1:
        remedy = "choose one with dataset='...'" if images else "give a file with an array"
        raise DataError(
            f"{path}: expected one array of images, got {listed or 'no arrays'}; {remedy}."
        )
    return images[0]


def array_source(
    path: Path,
    shape: tuple[int, ...],
    dtype: np.dtype,
    decode: Callable[[], np.ndarray],
    asked: Asked,
    *,
    voxel_size_m: VoxelSize | None = None,
    held_bytes: int | None = None,
) -> Source:
    """One array in a file: its type checked, its axes read by `array_layout`."""
    check_real(dtype, path)
    axes = asked.axes
    if axes is None and asked.single:
        axes = single_axes(shape, path)
    layout = array_layout(shape, asked.spatial_dims, path, axes)
    native = dtype.newbyteorder("=")
    dims = len(layout.shape) - 2
    return Source(
        path,
        layout.shape,
        native,
        lambda: layout(decode()).astype(native, copy=False),
        images_a_parent=layout.images_a_parent,
        held_bytes=held_bytes,
        voxel_size_m=voxel_size_m and voxel_size_m[-dims:],
    )

"""Array files: NPY and NPZ, their headers checked before their data is read."""

import stat
import zipfile
from collections.abc import Callable
from io import BufferedIOBase, BytesIO
from pathlib import Path

import numpy as np

from generative.data.check import by
from generative.data.source import Source, array_layout, check_real
from generative.data.voxel_size import VoxelSize
from generative.errors import DataError

MOST_MEMBERS = 1000
MOST_HEADER_BYTES = 10_000  # as numpy's max_header_size


def open_npy(path: Path, spatial_dims: int | None) -> Source:
    """Images in one NPY file; see `Source` and `array_layout`.

    Raises
    ------
    DataError
        For a type that is not a real number, or a shape that is not images.
    """
    with open(path, "rb") as stream:
        shape, dtype = _npy_header(stream)

    def decode() -> np.ndarray:
        with open(path, "rb") as stream:
            return np.lib.format.read_array(stream, allow_pickle=False)

    return array_source(path, shape, dtype, decode, spatial_dims)


def open_npz(path: Path, spatial_dims: int | None, dataset: str | None = None) -> Source:
    """Images in one array of an NPZ file, named by ``dataset`` if there are several.

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
    name = choose({key: shape for key, (shape, _) in headers.items()}, dataset, path)

    def decode() -> np.ndarray:
        with zipfile.ZipFile(path) as archive, archive.open(f"{name}.npy") as stream:
            return np.lib.format.read_array(stream, allow_pickle=False)

    return array_source(path, *headers[name], decode, spatial_dims)


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


def _npy_header(stream: BufferedIOBase) -> tuple[tuple[int, ...], np.dtype]:
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
    spatial_dims: int | None,
    voxel_size_m: VoxelSize | None = None,
) -> Source:
    """One array in a file: its type checked, its axes read by `array_layout`."""
    check_real(dtype, path)
    layout = array_layout(shape, spatial_dims, path)
    native = dtype.newbyteorder("=")
    return Source(
        path,
        layout,
        native,
        lambda: decode().reshape(layout).astype(native, copy=False),
        one_parent=False,
        voxel_size_m=voxel_size_m,
    )

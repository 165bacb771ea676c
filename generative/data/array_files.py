"""Array files: NPY, NPZ and HDF5, their headers checked before their data is read."""

import zipfile
from collections.abc import Callable
from io import BufferedIOBase
from pathlib import Path

import h5py
import numpy as np

from generative.data.check import by
from generative.data.source import Source, array_layout, check_real
from generative.errors import DataError


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

    return _array_source(path, shape, dtype, decode, spatial_dims)


def open_npz(path: Path, spatial_dims: int | None, dataset: str | None = None) -> Source:
    """Images in one array of an NPZ file, named by ``dataset`` if there are several.

    Raises
    ------
    DataError
        If no array, or more than one, has two axes or more and ``dataset`` does not choose.
    """
    headers = {}
    with zipfile.ZipFile(path) as archive:
        for member in archive.namelist():
            if member.endswith(".npy"):
                with archive.open(member) as stream:
                    headers[member.removesuffix(".npy")] = _npy_header(stream)
    name = _choose({key: shape for key, (shape, _) in headers.items()}, dataset, path)

    def decode() -> np.ndarray:
        with zipfile.ZipFile(path) as archive, archive.open(f"{name}.npy") as stream:
            return np.lib.format.read_array(stream, allow_pickle=False)

    return _array_source(path, *headers[name], decode, spatial_dims)


def open_hdf5(path: Path, spatial_dims: int | None, dataset: str | None = None) -> Source:
    """Images in one data set of an HDF5 file, named by ``dataset`` if there are several.

    Raises
    ------
    DataError
        If no data set, or more than one, has two axes or more and ``dataset`` does not choose;
        or if its values lie in another file.
    """
    found: dict[str, tuple[int, ...]] = {}

    def visit(name: str, item: h5py.Group | h5py.Dataset) -> None:
        if isinstance(item, h5py.Dataset) and item.shape is not None:
            found[name] = item.shape

    with h5py.File(path, "r") as file:
        file.visititems(visit)
        name = _choose(found, dataset and dataset.strip("/"), path)
        if file[name].external or file[name].is_virtual:
            raise DataError(f"{path}: {name} lies in another file; give that file instead.")
        dtype = file[name].dtype

    def decode() -> np.ndarray:
        with h5py.File(path, "r") as file:
            return file[name][()]

    return _array_source(path, found[name], dtype, decode, spatial_dims)


def _npy_header(stream: BufferedIOBase) -> tuple[tuple[int, ...], np.dtype]:
    """Shape and type of an array in the NPY format, without reading it."""
    version = np.lib.format.read_magic(stream)
    read = {
        (1, 0): np.lib.format.read_array_header_1_0,
        (2, 0): np.lib.format.read_array_header_2_0,
    }
    if version not in read:
        raise ValueError(f"NPY format version {version} is not supported")
    shape, _, dtype = read[version](stream)
    return shape, dtype


def _choose(shapes: dict[str, tuple[int, ...]], dataset: str | None, path: Path) -> str:
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


def _array_source(
    path: Path,
    shape: tuple[int, ...],
    dtype: np.dtype,
    decode: Callable[[], np.ndarray],
    spatial_dims: int | None,
) -> Source:
    check_real(dtype, path)
    layout = array_layout(shape, spatial_dims, path)
    native = dtype.newbyteorder("=")
    return Source(
        path,
        layout,
        native,
        lambda: decode().reshape(layout).astype(native, copy=False),
        one_parent=False,
    )

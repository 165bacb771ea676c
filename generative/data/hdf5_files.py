"""HDF5 in three dialects: plain data sets, MATLAB's MAT 7.3 and DREAM.3D's 7 and 8.

Headers are checked before data is read; links to other files and places are never followed.
"""

import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import h5py
import numpy as np

from generative.data.array_files import array_source, choose
from generative.data.check import by
from generative.data.source import Source, check_real, volume_layout
from generative.data.voxel_size import VoxelSize
from generative.errors import DataError

MOST_OBJECTS = 20_000
FREE_CHUNK_BYTES = 2**26
ANGSTROM_UM = 1e-4
# Metres of DREAM3D-NX's length units (enumeration IGeometry::LengthUnit), by number.
_DREAM3D_METRES = {
    4: 1e-12, 5: 1e-9, 6: 1e-6, 7: 1e-3, 8: 1e-2, 9: 1e-1, 10: 1.0, 21: 1e-10, 23: 0.0254,
}  # fmt: skip


def open_hdf5(path: Path, spatial_dims: int | None, dataset: str | None = None) -> Source:
    """Images in one data set of an HDF5 file, named by its path if there are several.

    An attribute ``voxel_size_m`` of the data set is its voxel size.

    Raises
    ------
    DataError
        If no data set, or more than one, has two axes or more and ``dataset`` does not choose;
        or if its values lie in another file, or behind a link.
    """
    with _opened(path) as file:
        found = _data_sets(file, path)
        name = _choose(file, {key: item.shape for key, item in found.items()}, dataset, path)
        item = found[name]
        _check_storage(item, name, path)
        dtype, shape = item.dtype, item.shape
        size = _floats(item.attrs.get("voxel_size_m"))
    return array_source(path, shape, dtype, _reader(path, name), spatial_dims, size)


def open_mat(path: Path, spatial_dims: int | None, dataset: str | None = None) -> Source:
    """Images in one variable of a MAT 7.3 file: MATLAB's ``A(y, x)``, ``(y, x, z)`` or more.

    MATLAB counts down columns first and HDF5 lists its axes in reverse, so that the last two axes
    are swapped here: rows of MATLAB's image are rows of ours, and its third axis is z (or n, as
    `array_layout` decides), its fourth n.

    Raises
    ------
    DataError
        For files of older versions, and as `open_hdf5`.
    """
    with open(path, "rb") as stream:
        header = stream.read(128)
    if header.startswith(b"MATLAB 5.0"):
        raise DataError(f"{path}: is a MAT file older than 7.3; save it in MATLAB with '-v7.3'.")
    with _opened(path) as file:
        arrays = {
            name: item
            for name, item in _data_sets(file, path).items()
            if not name.startswith("#") and "MATLAB_empty" not in item.attrs
        }
        # Vectors and numbers are matrices in MATLAB.
        shapes = {
            name: item.shape
            for name, item in arrays.items()
            if len(item.shape) > 1 and min(item.shape[-2:]) > 1 and item.dtype.kind in "biuf"
        }
        name = _choose(file, shapes, dataset, path)
        item = arrays[name]
        _check_storage(item, name, path)
        dtype, shape = item.dtype, item.shape
    *front, columns, rows = shape
    read = _reader(path, name)
    return array_source(
        path, (*front, rows, columns), dtype, lambda: read().swapaxes(-1, -2), spatial_dims
    )


def open_dream3d(path: Path, spatial_dims: int | None, dataset: str | None = None) -> Source:
    """One array of cell data on an image geometry of a DREAM.3D file, version 7 or 8.

    ``dataset`` chooses it by its name or path; else it is the only one with one component, or the
    one called ``Phases``. Spacing is in the unit that version 8 records; where none is, in
    micrometres, as DREAM.3D's own filters write it, or in metres if it would be below an atom.

    Raises
    ------
    DataError
        For other versions, files without an image geometry, and as `open_hdf5`.
    """
    with _opened(path) as file:
        version = file.attrs.get("FileVersion", b"unknown")
        version = version.decode() if isinstance(version, bytes) else str(version)
        if version not in ("7.0", "8.0"):
            raise DataError(
                f"{path}: expected a DREAM.3D file of version 7.0 or 8.0, got {version[:20]}; save "
                "it with DREAM.3D 6.5 or DREAM3D-NX."
            )
        grids = _image_geometries(file, path)
        cells = _cell_data(_data_sets(file, path), grids)
        shapes = {name: item.shape for name, (item, _) in cells.items()}
        name = _choose(file, shapes, _wanted(shapes, dataset), path)
        item, (grid, spacing) = cells[name]
        _check_storage(item, name, path)
        check_real(item.dtype, path)
        native = item.dtype.newbyteorder("=")
    layout = volume_layout(grid, spatial_dims, path)
    read = _reader(path, name)
    return Source(
        path,
        layout,
        native,
        lambda: read().reshape(layout).astype(native, copy=False),
        voxel_size_m=spacing and spacing[-len(layout) + 2 :],
    )


@contextmanager
def _opened(path: Path) -> Iterator[h5py.File]:
    with h5py.File(path, "r") as file:
        yield file


def _reader(path: Path, name: str) -> Callable[[], np.ndarray]:
    def decode() -> np.ndarray:
        with h5py.File(path, "r") as file:
            return file[name][()]

    return decode


def _data_sets(file: h5py.File, path: Path) -> dict[str, h5py.Dataset]:
    """Every data set by its path; HDF5 passes over links on this walk."""
    found: dict[str, h5py.Dataset] = {}
    seen = 0

    def visit(name: str, item: h5py.Group | h5py.Dataset) -> None:
        nonlocal seen
        seen += 1
        if seen > MOST_OBJECTS:
            raise DataError(
                f"{path}: holds more than {MOST_OBJECTS} groups and data sets; save the images in "
                "a file of their own."
            )
        if isinstance(item, h5py.Dataset) and item.shape is not None:
            found[name] = item

    file.visititems(visit)
    return found


def _choose(
    file: h5py.File, shapes: dict[str, tuple[int, ...]], dataset: str | None, path: Path
) -> str:
    """As `choose`, with a word of its own for links."""
    name = None if dataset is None else dataset.strip("/")
    if name and name not in shapes:
        parts = name.split("/")
        for end in range(1, len(parts) + 1):
            link = file.get("/".join(parts[:end]), getlink=True)
            if isinstance(link, h5py.SoftLink | h5py.ExternalLink):
                raise DataError(
                    f"{path}: {'/'.join(parts[:end])} is a link, which is not followed; give the "
                    f"place it leads to ({link.path})."
                )
    return choose(shapes, name, path)


def _check_storage(item: h5py.Dataset, name: str, path: Path) -> None:
    if item.external or item.is_virtual:
        raise DataError(f"{path}: {name} lies in another file; give that file instead.")
    chunk = math.prod(item.chunks or ()) * item.dtype.itemsize
    if chunk > max(FREE_CHUNK_BYTES, 2 * item.size * item.dtype.itemsize):
        raise DataError(
            f"{path}: {name} of {by(item.shape)} is stored in chunks of {chunk:,} bytes; save it "
            "again in smaller chunks."
        )


def _floats(values: object) -> VoxelSize | None:
    return None if values is None else tuple(float(value) for value in np.ravel(values))


Grid = tuple[tuple[int, ...], VoxelSize | None]


def _image_geometries(file: h5py.File, path: Path) -> dict[str, Grid]:
    """Cells and spacing, both (z, y, x), of every image geometry by the path of its group."""
    found: dict[str, Grid] = {}

    def visit(name: str, item: h5py.Group | h5py.Dataset) -> None:
        if not isinstance(item, h5py.Group):
            return
        if "_DIMENSIONS" in item.attrs:  # version 8
            unit = item.attrs.get("Units")
            cells, spacing = item.attrs["_DIMENSIONS"], item.attrs.get("_SPACING")
            found[name] = _grid(cells, spacing, unit)
        elif name.endswith("_SIMPL_GEOMETRY") and "DIMENSIONS" in item:  # version 7
            spacing = item["SPACING"][()] if "SPACING" in item else None
            place = name.rpartition("/")[0]
            found[place] = _grid(item["DIMENSIONS"][()], spacing, None)

    file.visititems(visit)
    if not found:
        raise DataError(f"{path}: holds no image geometry; export a regular grid from DREAM.3D.")
    return found


def _grid(cells: object, spacing: object, unit: object) -> Grid:
    shape = tuple(int(count) for count in np.ravel(cells)[::-1])
    edges = _floats(spacing)
    if edges is None:
        return shape, None
    if unit is None:
        metres = 1.0 if max(edges) < ANGSTROM_UM else 1e-6
    elif (metres := _DREAM3D_METRES.get(int(unit))) is None:
        return shape, None
    return shape, tuple(float(f"{edge * metres:.7g}") for edge in edges[::-1])  # stored as float32


def _cell_data(
    data_sets: Mapping[str, h5py.Dataset], grids: Mapping[str, Grid]
) -> dict[str, tuple[h5py.Dataset, Grid]]:
    """Arrays with one number a cell, with the grid of the group that they lie in."""
    found = {}
    for place, grid in grids.items():
        for name, item in data_sets.items():
            if name.startswith(f"{place}/") and item.shape in (grid[0], (*grid[0], 1)):
                found[name] = (item, grid)
    return found


def _wanted(shapes: Mapping[str, tuple[int, ...]], dataset: str | None) -> str | None:
    """The full path of the array asked for by its name, or of the one called Phases."""
    if dataset is None and len(shapes) == 1:
        return next(iter(shapes))
    name = (dataset or "Phases").strip("/")
    ends = [path for path in shapes if f"/{path}".endswith(f"/{name}")]
    return ends[0] if len(ends) == 1 else dataset

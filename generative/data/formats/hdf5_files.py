"""HDF5 in three dialects: plain data sets, MATLAB's MAT 7.3 and DREAM.3D's 7 and 8.

Headers are checked before data is read; links to other files and places are never followed.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np

from generative.data.check import Limits
from generative.data.formats import hdf5_guard as guard
from generative.data.formats.array_files import array_source, choose
from generative.data.formats.axes import LETTERS
from generative.data.formats.source import Asked, Source, check_real, volume_layout
from generative.data.formats.voxel_size import VoxelSize
from generative.errors import DataError
from generative.files.json_text import parse_json

ANGSTROM_UM = 1e-4
_VERSIONS = ("7.0", "8.0")
# Metres of DREAM3D-NX's length units (enumeration IGeometry::LengthUnit), by number.
_DREAM3D_METRES = {
    4: 1e-12, 5: 1e-9, 6: 1e-6, 7: 1e-3, 8: 1e-2, 9: 1e-1, 10: 1.0, 21: 1e-10, 23: 0.0254,
}  # fmt: skip


def open_hdf5(path: Path, asked: Asked) -> Source:
    """Images in one data set of an HDF5 file, named by its path if there are several.

    A file that DREAM.3D wrote is read as `open_dream3d`. An attribute ``voxel_size_m`` of the data
    set, or ``element_size_um`` of Fiji and ilastik, is its voxel size; ilastik's ``axistags`` say
    its axes.

    Raises
    ------
    DataError
        If no data set, or more than one, has two axes or more and ``dataset`` does not choose;
        or if its values lie in another file, or behind a link.
    """
    with guard.opened(path) as file:
        groups = (file.get(name, getlink=True) for name in ("DataContainers", "DataStructure"))
        dream3d = any(groups) or path.suffix.lower() == ".dream3d"
        if "FileVersion" in file.attrs and dream3d:
            return open_dream3d(path, asked)
        found = guard.data_sets(file, path)
        name = _choose(file, {key: item.shape for key, item in found.items()}, asked.dataset, path)
        item = found[name]
        guard.check_data_set(item, path, asked.limits)
        return array_source(
            path,
            item.shape,
            item.dtype,
            _reader(path, name, asked.limits),
            replace(asked, axes=asked.axes or _tagged_axes(item, path)),
            voxel_size_m=_said_size(item, path),
            held_bytes=guard.held_bytes(item, path),
        )


def open_mat(path: Path, asked: Asked) -> Source:
    """Images in one variable of a MAT 7.3 file: MATLAB's ``A(y, x)``, ``(y, x, z)`` or more.

    MATLAB counts down columns first and HDF5 lists its axes in reverse, so that the last two axes
    are swapped here: rows of MATLAB's image are rows of ours, and its third axis is z (or n, as
    `array_layout` decides), its fourth n. ``axes`` names them in that order, as ``zyx``.

    Raises
    ------
    DataError
        As `open_hdf5`, and for a third axis of three, which may be colours.
    """
    with guard.opened(path) as file:
        arrays = {
            name: item
            for name, item in guard.data_sets(file, path).items()
            if not name.startswith("#") and "MATLAB_empty" not in item.attrs
        }
        # Vectors and numbers are matrices in MATLAB.
        shapes = {
            name: item.shape
            for name, item in arrays.items()
            if len(item.shape) > 1 and min(item.shape[-2:]) > 1 and item.dtype.kind in "biuf"
        }
        name = _choose(file, shapes, asked.dataset, path)
        item = arrays[name]
        guard.check_data_set(item, path, asked.limits)
        if item.ndim < 2:
            raise DataError(f"{path}: {name} is no matrix; choose one with dataset='...'.")
        dtype, held = item.dtype, guard.held_bytes(item, path)
        *front, columns, rows = item.shape
    if front == [3] and asked.axes is None and asked.spatial_dims != 3:
        raise DataError(
            f"{path}: {name} of {rows}x{columns}x3 could be one picture of three colours or three "
            "images; pass axes='cyx' or axes='nyx' (--axes cyx), or axes='zyx' for a volume."
        )
    read = _reader(path, name, asked.limits)
    return array_source(
        path,
        (*front, rows, columns),
        dtype,
        lambda: read().swapaxes(-1, -2),
        asked,
        held_bytes=held,
    )


def open_dream3d(path: Path, asked: Asked) -> Source:
    """One array of cell data on an image geometry of a DREAM.3D file, version 7 or 8.

    ``dataset`` chooses it by its name or path; else it is the only one with one component, or the
    one called ``Phases``. Spacing is in the unit that version 8 records; where none is, in
    micrometres, as DREAM.3D's own filters write it, or in metres if it would be below an atom.

    Raises
    ------
    DataError
        For other versions, files without an image geometry, and as `open_hdf5`.
    """
    if asked.axes is not None:
        raise DataError(f"{path}: says its axes itself; leave out axes=.")
    with guard.opened(path) as file:
        version = guard.attribute(file, "FileVersion", path) or b"unknown"
        version = version.decode() if isinstance(version, bytes) else str(version)
        if version.rstrip("\0") not in _VERSIONS:
            raise DataError(
                f"{path}: expected a DREAM.3D file of version 7.0 or 8.0, got {version[:20]}; save "
                "it with DREAM.3D 6.5 or DREAM3D-NX."
            )
        grids = _image_geometries(file, path)
        cells = _cell_data(guard.data_sets(file, path), grids)
        shapes = {name: item.shape for name, (item, _) in cells.items()}
        name = _choose(file, shapes, _wanted(shapes, asked.dataset), path)
        item, (grid, spacing) = cells[name]
        guard.check_data_set(item, path, asked.limits)
        check_real(item.dtype, path)
        native, held = item.dtype.newbyteorder("="), guard.held_bytes(item, path)
    layout = volume_layout(grid, asked.spatial_dims, path)
    read = _reader(path, name, asked.limits)
    return Source(
        path,
        layout,
        native,
        lambda: read().reshape(layout).astype(native, copy=False),
        held_bytes=held,
        voxel_size_m=spacing and spacing[-len(layout) + 2 :],
    )


def _reader(path: Path, name: str, limits: Limits) -> Callable[[], np.ndarray]:
    def decode() -> np.ndarray:
        with guard.opened(path) as file:
            return guard.values(guard.own_data_set(file, name, path), path, limits)

    return decode


def _choose(
    file: h5py.File, shapes: dict[str, tuple[int, ...]], dataset: str | None, path: Path
) -> str:
    """As `choose`, with a word of its own for links."""
    name = None if dataset is None else dataset.strip("/")
    if name and name not in shapes:
        guard.is_own(file, name, path)
    return choose(shapes, name, path)


def _tagged_axes(item: h5py.Dataset, path: Path) -> str | None:
    """The axes that ilastik (vigra) writes beside a data set, where they are those we know."""
    tags = guard.attribute(item, "axistags", path)
    if not isinstance(tags, str | bytes):
        return None
    try:
        letters = "".join(axis["key"] for axis in parse_json(tags)["axes"])
    except (ValueError, KeyError, TypeError):
        return None
    known = set(letters) <= set(LETTERS) and {"y", "x"} <= set(letters)
    return letters if known and len(letters) == item.ndim == len(set(letters)) else None


def _said_size(item: h5py.Dataset, path: Path) -> VoxelSize | None:
    """Edges in metres: our own attribute, or Fiji's and ilastik's in micrometres (z, y, x)."""
    if (own := _floats(guard.attribute(item, "voxel_size_m", path))) is not None:
        return own
    edges = _floats(guard.attribute(item, "element_size_um", path))
    if edges is None or set(edges) <= {1.0}:  # what both write where they do not know
        return None
    return tuple(float(f"{edge * 1e-6:.12g}") for edge in edges)


def _floats(values: object) -> VoxelSize | None:
    return None if values is None else tuple(float(value) for value in np.ravel(np.asarray(values)))


Grid = tuple[tuple[int, ...], VoxelSize | None]


def _image_geometries(file: h5py.File, path: Path) -> dict[str, Grid]:
    """Cells and spacing, both (z, y, x), of every image geometry by the path of its group."""
    found: dict[str, Grid] = {}
    for name, item in guard.objects(file, path):
        if not isinstance(item, h5py.Group):
            continue
        if "_DIMENSIONS" in item.attrs:  # version 8
            cells, spacing, unit = (
                guard.attribute(item, key, path) for key in ("_DIMENSIONS", "_SPACING", "Units")
            )
            found[name] = _grid(cells, spacing, unit, path)
        elif name.endswith("_SIMPL_GEOMETRY") and guard.is_own(item, "DIMENSIONS", path):
            cells, spacing = (  # version 7
                guard.numbers(guard.own_data_set(item, key, path), path, 3)
                if guard.is_own(item, key, path)
                else None
                for key in ("DIMENSIONS", "SPACING")
            )
            found[name.rpartition("/")[0]] = _grid(cells, spacing, None, path)
    if not found:
        raise DataError(f"{path}: holds no image geometry; export a regular grid from DREAM.3D.")
    return found


def _grid(cells: object, spacing: object, unit: object, path: Path) -> Grid:
    shape = tuple(int(count) for count in np.ravel(np.asarray(cells))[::-1])
    edges = _floats(spacing)
    if len(shape) != 3 or (edges is not None and len(edges) != 3):
        raise DataError(f"{path}: expected three dimensions and spacings; export a regular grid.")
    if edges is None:
        return shape, None
    if unit is None:
        metres = 1.0 if max(edges) < ANGSTROM_UM else 1e-6
    elif (metres := _DREAM3D_METRES.get(int(np.asarray(unit).item()))) is None:
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

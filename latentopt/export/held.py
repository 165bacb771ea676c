"""What the files of a format say of a voxel's size and of periodicity, beside the voxels."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from generative.data.formats import hdf5_guard as guard
from generative.data.formats.array_files import read_npz
from generative.data.formats.voxel_size import tiff_voxel_size

_HEADER_BYTES = 4096  # within which a text says its voxel size

# Voxel size along (z,) y, x, and periodicity.
Said = tuple[Sequence[Any] | np.ndarray | None, Sequence[Any] | np.ndarray | None]


@dataclass(frozen=True)
class Held:
    """Edges of a voxel in metres and periodicity along (z,) y, x; None where a format has none."""

    voxel_size_m: tuple[float, ...] | None = None
    periodic: tuple[bool, ...] | None = None


def held_in(path: Path, kind: str, dims: int) -> Held:
    """What a file that an exporter wrote says; nothing for formats that say it nowhere plainly.

    Parameters
    ----------
    path
        The data file.
    kind
        Name of its format.
    dims
        Axes of the structure: of 2-D ones some formats keep a thickness, which is left out.

    Raises
    ------
    DataError, ValueError, OSError
        The file cannot be read.
    """
    size, periodic = _READERS[kind](path, dims) if kind in _READERS else (None, None)
    return Held(
        None if size is None else tuple(float(edge) for edge in size[-dims:]),
        None if periodic is None else tuple(bool(flag) for flag in periodic),
    )


def _npz(path: Path, dims: int) -> Said:
    return read_npz(path, "voxel_size_m"), read_npz(path, "periodic")


def _hdf5(path: Path, dims: int) -> Said:
    with guard.opened(path) as file:
        phase = guard.own_data_set(file, "phase", path)
        size, periodic = (guard.attribute(phase, n, path) for n in ("voxel_size_m", "periodic"))
        return np.asarray(size).ravel(), np.asarray(periodic).ravel()


def _dream3d7(path: Path, dims: int) -> Said:
    with guard.opened(path) as file:
        name = "DataContainers/ImageDataContainer/_SIMPL_GEOMETRY/SPACING"
        return guard.numbers(guard.own_data_set(file, name, path), path)[::-1], None


def _dream3d8(path: Path, dims: int) -> Said:
    with guard.opened(path) as file:
        spacing = guard.attribute(file["DataStructure/ImageGeom"], "_SPACING", path)
        return np.asarray(spacing).ravel()[::-1], None


def _tiff(path: Path, dims: int) -> Said:
    import tifffile

    with tifffile.TiffFile(path) as file:
        return tiff_voxel_size(file, dims), None


def _damask(path: Path, dims: int) -> Said:
    return _in_text(path, r'Spacing="([^"]*)"', lambda said: said.split()[::-1])


def _nrrd(path: Path, dims: int) -> Said:
    def edges(said: str) -> list[str]:
        rows = re.findall(r"\(([^)]*)\)", said)
        return [row.split(",")[axis] for axis, row in enumerate(rows)][::-1]

    return _in_text(path, r"\nspace directions: (.*)\n", edges)


def _spparks(path: Path, dims: int) -> Said:
    return _in_text(path, r"voxel of (.*) m along", str.split)


def _in_text(path: Path, pattern: str, numbers: Callable[[str], list[str]]) -> Said:
    with path.open("rb") as file:
        said = re.search(pattern, file.read(_HEADER_BYTES).decode("ascii", "replace"))
    return None if said is None else numbers(said[1]), None


_READERS: dict[str, Callable[[Path, int], Said]] = {
    "npz": _npz,
    "hdf5": _hdf5,
    "dream3d7": _dream3d7,
    "dream3d8": _dream3d8,
    "tiff": _tiff,
    "damask": _damask,
    "nrrd": _nrrd,
    "spparks": _spparks,
}

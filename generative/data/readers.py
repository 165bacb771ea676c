"""The file formats that are read, by the ending of the file's name."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from generative.data.array_files import open_npy, open_npz
from generative.data.check import reading
from generative.data.hdf5_files import open_dream3d, open_hdf5, open_mat
from generative.data.image_files import open_picture, open_tiff
from generative.data.raw_files import open_raw
from generative.data.source import Source
from generative.data.voxel_size import sidecar_voxel_size
from generative.data.vtk_image_files import open_vti
from generative.errors import DataError

READERS: dict[str, Callable[..., Source]] = {
    ".png": open_picture,
    ".jpg": open_picture,
    ".jpeg": open_picture,
    ".bmp": open_picture,
    ".tif": open_tiff,
    ".tiff": open_tiff,
    ".npy": open_npy,
    ".npz": open_npz,
    ".h5": open_hdf5,
    ".hdf5": open_hdf5,
    ".mat": open_mat,
    ".dream3d": open_dream3d,
    ".vti": open_vti,
    ".raw": open_raw,
}
MANY_ARRAYS = frozenset({".npz", ".h5", ".hdf5", ".mat", ".dream3d", ".vti"})


def open_source(
    path: Path,
    *,
    spatial_dims: int | None = None,
    dataset: str | None = None,
    shape: Sequence[int] | None = None,
    dtype: str | np.dtype | None = None,
) -> Source:
    """What ``path`` says of its images, by the reader for its ending; nothing is decoded.

    The voxel size of a sidecar that latentopt wrote comes before that of the file.

    Raises
    ------
    DataError
        If the ending is unknown, the file cannot be read, or it does not hold images.
    """
    suffix = path.suffix.lower()
    if suffix not in READERS:
        raise DataError(
            f"{path}: files ending in {suffix or 'nothing'} are not read; convert it to one of "
            f"{', '.join(READERS)}."
        )
    with reading(path):
        if path.stat().st_size == 0:
            raise DataError(f"{path}: is empty (0 bytes); write it again or remove it.")
        if dataset is not None and suffix not in MANY_ARRAYS:
            raise DataError(f"{path}: has no data sets to choose from; leave out dataset=.")
        if (shape, dtype) != (None, None) and suffix != ".raw":
            raise DataError(f"{path}: says its shape and type; leave out shape= and dtype=.")
        if suffix == ".raw":
            source = open_raw(path, spatial_dims, shape, dtype)
        elif suffix in MANY_ARRAYS:
            source = READERS[suffix](path, spatial_dims, dataset)
        else:
            source = READERS[suffix](path, spatial_dims)
        known = sidecar_voxel_size(path)
        dims = len(source.shape) - 2
        return source if known is None else replace(source, voxel_size_m=known[-dims:])

"""The file formats that are read, by the ending of the file's name."""

from collections.abc import Callable
from pathlib import Path

from generative.data.array_files import open_hdf5, open_npy, open_npz
from generative.data.check import reading
from generative.data.image_files import open_picture, open_tiff
from generative.data.source import Source
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
}
MANY_ARRAYS = frozenset({".npz", ".h5", ".hdf5"})


def open_source(path: Path, *, spatial_dims: int | None, dataset: str | None) -> Source:
    """What ``path`` says of its images, by the reader for its ending; nothing is decoded.

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
        if suffix in MANY_ARRAYS:
            return READERS[suffix](path, spatial_dims, dataset)
        if dataset is not None:
            raise DataError(f"{path}: has no data sets to choose from; leave out dataset=.")
        return READERS[suffix](path, spatial_dims)

"""RAW files: voxels and nothing else, whose shape and type the caller or the file's name says."""

import math
import re
from functools import partial
from pathlib import Path

import numpy as np

from generative.data.check import by
from generative.data.formats.array_files import array_source
from generative.data.formats.source import Asked, Source, check_real, volume_layout
from generative.errors import DataError

_TYPES = r"u?int(?:8|16|32|64)|float(?:32|64)|8bit|16bit"
_NAME = re.compile(
    rf"(?<![0-9])(?P<sizes>[0-9]+(?:x[0-9]+){{1,2}})(?=[_\-.]).*?(?<![a-z])(?P<type>{_TYPES})"
    r"(?:[_\-]?(?P<order>be|le))?(?![0-9a-z])"
)


def open_raw(path: Path, asked: Asked) -> Source:
    """Voxels with x fastest and no header.

    Parameters
    ----------
    path
        The file.
    asked
        ``shape`` is (z, y, x) of a volume, (y, x) of a picture, or (n, c, z, y, x) as
        `array_layout` with ``axes``. Without it, the name says it the other way round, x first, as
        microscopes do: ``rock_256x200x64_uint8.raw`` is 64 slices of 200 rows of 256 voxels.
        ``dtype`` is the type of a value with its byte order: ``">u2"`` is big-endian, ``"uint16"``
        little-endian. Without it, from the name too: ``rock_256x200x64_uint16_be.raw``.
        ``spatial_dims`` 2 takes the slices of a volume as images.

    Raises
    ------
    DataError
        If neither the arguments nor the name say it, or the file has another length.
    """
    name, shape, dtype = _NAME.search(path.stem.lower()), asked.shape, asked.dtype
    if shape is None and name:
        shape = [int(size) for size in name["sizes"].split("x")][::-1]
    if dtype is None and name:
        order = ">" if name["order"] == "be" else "<"
        plain = {"8bit": "uint8", "16bit": "uint16"}.get(name["type"], name["type"])
        dtype = np.dtype(plain).newbyteorder(order)
    if shape is None or dtype is None:
        raise DataError(
            f"{path}: a RAW file does not say its {'shape' if shape is None else 'type'}; pass "
            'shape=(z, y, x) and dtype="uint8", or name it like rock_256x200x64_uint8.raw '
            "(x, y, z)."
        )
    shape, stored = tuple(int(size) for size in shape), _type(dtype, path)
    if min(shape, default=0) < 1:
        raise DataError(f"{path}: expected a shape of sizes above 0, got {shape}; correct it.")
    declared, actual = math.prod(shape) * stored.itemsize, path.stat().st_size
    if declared != actual:
        raise DataError(
            f"{path}: expected {declared:,} bytes for {by(shape)} {stored} (z, y, x), got "
            f"{actual:,}; correct the shape or the type, and cut off any header."
        )
    if asked.axes is not None or len(shape) > 3:
        return array_source(path, shape, stored, partial(_read, path, stored, shape), asked)
    layout = volume_layout(shape, asked.spatial_dims, path)
    native = stored.newbyteorder("=")
    return Source(
        path, layout, native, lambda: _read(path, stored, layout).astype(native, copy=False)
    )


def is_said(path: Path, asked: Asked) -> bool:
    """Whether the arguments, or else the name, say what is in the file."""
    given = (asked.shape, asked.dtype) != (None, None)
    return given or _NAME.search(path.stem.lower()) is not None


def _read(path: Path, dtype: np.dtype, shape: tuple[int, ...]) -> np.ndarray:
    return np.fromfile(path, dtype).reshape(shape)


def _type(dtype: str | np.dtype, path: Path) -> np.dtype:
    try:
        found = np.dtype(dtype)
    except TypeError as error:
        raise DataError(
            f"{path}: expected a type such as uint8, >u2 or float32, got {dtype!r}; correct it."
        ) from error
    check_real(found, path)
    return found

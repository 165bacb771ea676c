"""HDF5 files that nobody needs to trust: everything that is read of one is read through here.

What a data set promises is compared with what the file holds before it is read. Links are not
followed, and values in other files are not read.
"""

import math
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import h5py
import numpy as np
from h5py import h5z

from generative.data.check import Limits, by
from generative.errors import DataError

MOST_OBJECTS = 20_000
MOST_RANK = 8
MOST_ITEM_BYTES = 2**20
MOST_ATTRIBUTE_BYTES = 2**16
FREE_CHUNK_BYTES = 2**24
_FREE_INFLATED_BYTES = 2**26
_DEFLATE_RATIO = 1032  # zlib makes at most so many bytes of one
_STEP = 2**20


@contextmanager
def opened(path: Path) -> Iterator[h5py.File]:
    """The file, to be read."""
    with h5py.File(path, "r") as file:
        yield file


def data_sets(file: h5py.File, path: Path) -> dict[str, h5py.Dataset]:
    """Every data set by its path; HDF5 passes over links on this walk.

    Raises
    ------
    DataError
        If there are more than 20,000 groups and data sets.
    """
    found: dict[str, h5py.Dataset] = {}
    for name, item in objects(file, path):
        if isinstance(item, h5py.Dataset) and item.shape is not None:
            found[name] = item
    return found


def objects(file: h5py.File, path: Path) -> list[tuple[str, h5py.Group | h5py.Dataset]]:
    """Every group and data set of the file itself, by its path; errors as `data_sets`."""
    found: list[tuple[str, h5py.Group | h5py.Dataset]] = []

    def visit(name: str, item: h5py.Group | h5py.Dataset) -> None:
        if len(found) >= MOST_OBJECTS:
            raise DataError(
                f"{path}: holds more than {MOST_OBJECTS} groups and data sets; save the images in "
                "a file of their own."
            )
        if isinstance(item, h5py.Group | h5py.Dataset):
            found.append((name, item))

    file.visititems(visit)
    return found


def is_own(group: h5py.Group, name: str, path: Path) -> bool:
    """Whether something is at ``name`` below ``group``; a `DataError` if it is behind a link."""
    parts = name.strip("/").split("/")
    for end in range(1, len(parts) + 1):
        part = "/".join(parts[:end])
        link = group.get(part, getlink=True)
        if isinstance(link, h5py.SoftLink | h5py.ExternalLink):
            raise DataError(
                f"{path}: {part} is a link, which is not followed; give the place it leads to "
                f"({link.path})."
            )
        if link is None:
            return False
    return True


def own_data_set(group: h5py.Group, name: str, path: Path) -> h5py.Dataset:
    """The data set at ``name`` below ``group``, by no link, with its values in this file.

    Raises
    ------
    DataError
        If it is missing, behind a link, or lies in another file.
    """
    item = group[name] if is_own(group, name, path) else None
    if not isinstance(item, h5py.Dataset) or item.shape is None:
        raise DataError(f"{path}: has no data set {name} of its own; write it again.")
    if item.external or item.is_virtual:
        raise DataError(f"{path}: {name} lies in another file; give that file instead.")
    return item


def check_data_set(item: h5py.Dataset, path: Path, limits: Limits) -> None:
    """Refuse a data set that would take much more memory than the file has bytes for it.

    Raises
    ------
    DataError
        For values in another file, too many axes, too long entries, chunks larger than the data,
        data that were never written, and what `Limits.check_ratio` refuses.
    """
    name, size = item.name.strip("/"), item.size * item.dtype.itemsize
    if item.external or item.is_virtual:
        raise DataError(f"{path}: {name} lies in another file; give that file instead.")
    if item.ndim > MOST_RANK or item.dtype.itemsize > MOST_ITEM_BYTES:
        raise DataError(
            f"{path}: {name} has {item.ndim} axes of entries of {item.dtype.itemsize:,} bytes; "
            "save a plain array."
        )
    chunk = math.prod(item.chunks or ()) * item.dtype.itemsize
    if chunk > max(FREE_CHUNK_BYTES, 2 * size):
        raise DataError(
            f"{path}: {name} of {by(item.shape)} is stored in chunks of {chunk:,} bytes; save it "
            "again in smaller chunks."
        )
    held = held_bytes(item, path)
    if size and not held and not h5py.check_vlen_dtype(item.dtype):
        limits.check_ratio(size, path, held)
        raise DataError(
            f"{path}: {name} of {by(item.shape)} was never written, so that it has no values; "
            "write it again."
        )
    limits.check_ratio(size, path, held)


def held_bytes(item: h5py.Dataset, path: Path) -> int:
    """Bytes of the file that hold a data set; chunks may say that they share some."""
    return min(item.id.get_storage_size(), path.stat().st_size)


def values(item: h5py.Dataset, path: Path, limits: Limits | None = None) -> np.ndarray:
    """All values of a data set, after `check_data_set` and a look at its chunks.

    Raises
    ------
    DataError
        Also if a chunk holds more than it should.
    """
    check_data_set(item, path, limits or Limits())
    if item.chunks:
        _check_chunks(item, path)
    return item[()]


def text(item: h5py.Dataset, path: Path) -> str:
    """A single text.

    Raises
    ------
    DataError
        If the data set holds something else.
    """
    kind = h5py.check_string_dtype(item.dtype)
    if item.shape != () or kind is None or (kind.length or 0) > MOST_ITEM_BYTES:
        raise DataError(f"{path}: {item.name.strip('/')} should be one text; write it again.")
    return item.asstr()[()]


def numbers(item: h5py.Dataset, path: Path, most: int = 16) -> np.ndarray:
    """A few numbers, as float64 or int64, in one axis.

    Raises
    ------
    DataError
        If there are more than ``most``, or they are no numbers.
    """
    if item.size > most or item.dtype.kind not in "iuf":
        raise DataError(
            f"{path}: {item.name.strip('/')} should hold at most {most} numbers, got "
            f"{by(item.shape)} of type {item.dtype}; write it again."
        )
    return np.ravel(values(item, path))


def attribute(item: h5py.Group | h5py.Dataset, name: str, path: Path) -> object:
    """An attribute, None where there is none.

    Raises
    ------
    DataError
        If it is longer than 64 KiB.
    """
    if name not in item.attrs:
        return None
    size = item.attrs.get_id(name).get_storage_size()
    if size > MOST_ATTRIBUTE_BYTES:
        raise DataError(f"{path}: its attribute {name} has {size:,} bytes; write it again.")
    return item.attrs[name]


def _check_chunks(item: h5py.Dataset, path: Path) -> None:
    """Refuse chunks that hold more than they say: HDF5 inflates each of them to its very end."""
    name, chunk_bytes = item.name.strip("/"), math.prod(item.chunks) * item.dtype.itemsize
    plan = item.id.get_create_plist()
    filters = [plan.get_filter(number)[0] for number in range(plan.get_nfilters())]
    deflated = filters.count(h5z.FILTER_DEFLATE)
    if deflated > 1 or len(filters) > MOST_RANK:
        raise DataError(f"{path}: {name} is compressed more than once; save it again with gzip.")
    if not deflated:
        return
    stored: list = []
    item.id.chunk_iter(stored.append)
    most = chunk_bytes + chunk_bytes // 64 + 4096
    for info in stored:
        whole = info.size <= most
        if whole and info.size * _DEFLATE_RATIO > _FREE_INFLATED_BYTES and not info.filter_mask:
            packed = item.id.read_direct_chunk(info.chunk_offset)[1]
            whole = _inflates_to(packed, chunk_bytes)
        if not whole:
            raise DataError(
                f"{path}: a chunk of {name} holds more than {chunk_bytes:,} bytes, which is all it "
                "should; the file is damaged: write it again."
            )


def _inflates_to(packed: bytes, most: int) -> bool:
    """Whether a stream inflates to at most so many bytes, found without keeping them."""
    stream, made = zlib.decompressobj(), 0
    with suppress(zlib.error):  # HDF5 finds that, too, and makes no more of it
        while packed and not stream.eof and made <= most:
            made += len(stream.decompress(packed, _STEP))
            packed = stream.unconsumed_tail
    return made <= most

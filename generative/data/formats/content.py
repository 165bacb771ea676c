"""What a file is, by its first bytes: endings are wrong more often than bytes."""

from collections.abc import Mapping
from pathlib import Path

import h5py

from generative.errors import DataError

PICTURES = frozenset({"png", "jpeg", "bmp", "tiff"})
_FIRST = 512
_HDF5 = b"\x89HDF\r\n\x1a\n"

# What is not read, by how its bytes begin, and what to do instead.
_NOT_READ = (
    (b"GIF8", "a GIF picture; save it as PNG"),
    (b"\0\0\0\x0cjP  ", "a JPEG 2000 picture; save it as TIFF"),
    (b"\xff\x4f\xff\x51", "a JPEG 2000 picture; save it as TIFF"),
    (b"\0\0\0\x0cJXL ", "a JPEG XL picture; save it as PNG"),
    (b"8BPS", "a Photoshop document; save it as TIFF"),
    (b"%PDF", "a PDF document; save its picture as PNG"),
    (b"\x0e\x03\x13\x01", "an HDF4 file; save it as HDF5"),
    (b"MATLAB 5.0", "a MAT file older than 7.3; save it in MATLAB with '-v7.3'"),
    (b"NRRD000", "an NRRD volume; save it as TIFF or NPY"),
    (b"# vtk DataFile", "a VTK file of the old kind; save it as .vti"),
    (b"\x1f\x8b", "compressed by gzip; unpack it first"),
    (b"BZh", "compressed by bzip2; unpack it first"),
    (b"\xfd7zXZ\0", "compressed by xz; unpack it first"),
    (b"\x28\xb5\x2f\xfd", "compressed by zstandard; unpack it first"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive; unpack it first"),
)


def kind_of(path: Path, starts: Mapping[bytes, str]) -> str | None:
    """The kind whose first bytes ``starts`` has, ``bmp``, ``hdf5``, ``mat``, ``vti`` or None.

    ``mat`` is HDF5 with the header of MATLAB 7.3. None is a file of another kind, perhaps RAW,
    which has no sign of its own.

    Raises
    ------
    DataError
        For a kind that is known and not read, with what to do instead.
    """
    with open(path, "rb") as stream:
        first = stream.read(_FIRST)
    for start, kind in starts.items():
        if first.startswith(start):
            return kind
    for start, what in _NOT_READ:
        if first.startswith(start):
            raise DataError(f"{path}: is {what}.")
    if first[:4] == b"RIFF" and first[8:12] == b"WEBP":
        raise DataError(f"{path}: is a WebP picture; save it as PNG.")
    if first[4:8] == b"ftyp":
        raise DataError(f"{path}: is a HEIF or AVIF picture; save it as PNG.")
    if first.startswith(b"MATLAB 7.3") and h5py.is_hdf5(path):
        return "mat"
    if first.startswith(_HDF5) or h5py.is_hdf5(path):  # behind a block of the user's own, too
        return "hdf5"
    if first.startswith(b"BM") and int.from_bytes(first[14:18], "little") in (12, 40, 52, 56, 64,
                                                                             108, 124):  # fmt: skip
        return "bmp"
    if b"<VTKFile" in first or first.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<?xml"):
        return "vti"
    return None

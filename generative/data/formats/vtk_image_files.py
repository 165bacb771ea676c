"""VTK image data (``.vti``) in every encoding VTK writes: ascii, base64, appended; plain or zlib.

The XML is scanned once for places and types, without keeping its text or expanding entities; only
the array that is read is decoded, never to more bytes than its type and extent allow.

References
----------
.. [1] Kitware, VTK file formats: "XML file formats", https://docs.vtk.org.
"""

import binascii
import math
import re
import warnings
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO
from xml.parsers import expat

import numpy as np

from generative.data.formats.array_files import choose
from generative.data.formats.inflate import inflated
from generative.data.formats.source import Asked, Source, volume_layout
from generative.data.formats.voxel_size import VoxelSize
from generative.errors import DataError

_TYPES = {
    "Int8": "i1", "UInt8": "u1", "Int16": "i2", "UInt16": "u2", "Int32": "i4", "UInt32": "u4",
    "Int64": "i8", "UInt64": "u8", "Float32": "f4", "Float64": "f8",
}  # fmt: skip
_STEP = 2**20
_MOST_ELEMENTS = 10_000


@dataclass
class _Scan:
    """What the tags of the file say."""

    file: dict[str, str] = field(default_factory=dict)
    image: dict[str, str] = field(default_factory=dict)
    pieces: list[dict[str, str]] = field(default_factory=list)
    arrays: dict[str, dict[str, str]] = field(default_factory=dict)  # by "CellData/name"
    places: dict[str, tuple[int, int]] = field(default_factory=dict)  # bytes from tag to end tag
    appended: tuple[int, str] | None = None  # byte of its tag, and its encoding


def open_vti(path: Path, asked: Asked) -> Source:
    """One array of cell or point data with one component; see `volume_layout`.

    ``asked.dataset`` chooses it by name, as ``material`` or ``CellData/material``, if there are
    several. Spacing is taken as metres, as DAMASK does, since VTK keeps no unit; the default
    spacing of 1 along every axis says nothing.

    Raises
    ------
    DataError
        For other VTK files, several pieces, turned images, compressors other than zlib, or arrays
        that do not fit their extent.
    """
    scan = _scan(path)
    arrays = {name: _grid(scan, name) for name in scan.arrays}
    name = choose(arrays, _full_name(arrays, asked.dataset), path)
    _check_supported(scan, name, path)
    grid, dtype = arrays[name], np.dtype(_TYPES[scan.arrays[name]["type"]])
    layout = volume_layout(grid, asked.spatial_dims, path)
    spacing = _spacing(scan, path)
    return Source(
        path,
        layout,
        dtype,
        lambda: _decode(path, scan, name, math.prod(grid), dtype).reshape(layout),
        voxel_size_m=spacing and spacing[-len(layout) + 2 :],
    )


def _scan(path: Path) -> _Scan:
    """Tags up to the appended data, which are no XML."""
    scan, parents = _Scan(), []
    parser = expat.ParserCreate()
    seen = 0

    def start(tag: str, attributes: dict[str, str]) -> None:
        nonlocal seen
        seen += 1
        if seen > _MOST_ELEMENTS:
            raise DataError(f"{path}: holds more than {_MOST_ELEMENTS} XML elements; simplify it.")
        match tag:
            case "VTKFile":
                scan.file = attributes
            case "ImageData":
                scan.image = attributes
            case "Piece":
                scan.pieces.append(attributes)
            case "DataArray" if parents[-1:] in (["CellData"], ["PointData"]):
                name = f"{parents[-1]}/{attributes.get('Name', '')}"
                scan.arrays[name] = attributes
                scan.places[name] = (parser.CurrentByteIndex, 0)
            case "AppendedData":
                scan.appended = parser.CurrentByteIndex, attributes.get("encoding", "")
        parents.append(tag if tag != "DataArray" else f"DataArray {attributes.get('Name', '')}")

    def end(tag: str) -> None:
        opened = parents.pop()
        if tag == "DataArray" and parents[-1:] in (["CellData"], ["PointData"]):
            name = f"{parents[-1]}/{opened.removeprefix('DataArray ')}"
            scan.places[name] = (scan.places[name][0], parser.CurrentByteIndex)

    def refuse(*_: object) -> None:
        raise DataError(f"{path}: declares a document type, which VTK never does; save it again.")

    parser.StartElementHandler, parser.EndElementHandler = start, end
    parser.StartDoctypeDeclHandler = refuse
    with open(path, "rb") as stream:
        while scan.appended is None and (piece := stream.read(_STEP)):
            try:
                parser.Parse(piece, False)
            except expat.ExpatError:
                if scan.appended is None:
                    raise
        if scan.appended is None:
            parser.Parse(b"", True)
    if scan.file.get("type") != "ImageData":
        raise DataError(
            f"{path}: expected VTK ImageData, got {scan.file.get('type', 'another file')!r}; save "
            "it as image data."
        )
    if len(scan.pieces) != 1 or scan.pieces[0].get("Extent") != scan.image.get("WholeExtent"):
        raise DataError(f"{path}: expected one piece of the whole extent; save it as one piece.")
    return scan


def _grid(scan: _Scan, name: str) -> tuple[int, ...]:
    """Cells or points along (z, y, x); a picture is one cell thick. Components come last."""
    extent = [int(number) for number in scan.image["WholeExtent"].split()]
    points = [last - first + 1 for first, last in zip(extent[::2], extent[1::2], strict=True)]
    cells = name.startswith("CellData/")
    shape = tuple(max(n - 1, 1) if cells else n for n in reversed(points))
    components = int(scan.arrays[name].get("NumberOfComponents") or 1)
    return shape if components == 1 else (*shape, components)


def _full_name(arrays: dict[str, tuple[int, ...]], dataset: str | None) -> str | None:
    if dataset is None:
        plain = [name for name, shape in arrays.items() if len(shape) == 3]
        return plain[0] if len(plain) == 1 else None
    ends = [name for name in arrays if name.split("/", 1)[1] == dataset]
    return ends[0] if len(ends) == 1 else dataset


def _check_supported(scan: _Scan, name: str, path: Path) -> None:
    attributes, compressor = scan.arrays[name], scan.file.get("compressor")
    if attributes.get("type") not in _TYPES:
        raise DataError(f"{path}: {name} has the type {attributes.get('type')}; save it as Int32.")
    if len(_grid(scan, name)) != 3:
        raise DataError(f"{path}: {name} has several components; give an array with one.")
    if compressor not in (None, "vtkZLibDataCompressor"):
        raise DataError(f"{path}: is compressed by {compressor}; save it with zlib or without.")
    turned = [float(number) for number in scan.image.get("Direction", "").split()]
    if turned not in ([], [1, 0, 0, 0, 1, 0, 0, 0, 1]):
        raise DataError(f"{path}: its axes are turned (Direction); resample it along x, y and z.")


def _spacing(scan: _Scan, path: Path) -> VoxelSize | None:
    edges = tuple(float(number) for number in scan.image.get("Spacing", "").split())[::-1]
    if len(edges) not in (0, 3):
        raise DataError(f"{path}: expected a spacing of 3 numbers, got {len(edges)}.")
    return None if set(edges) <= {1.0} else edges


def _decode(path: Path, scan: _Scan, name: str, count: int, dtype: np.dtype) -> np.ndarray:
    attributes = scan.arrays[name]
    order = "<" if scan.file.get("byte_order", "LittleEndian") == "LittleEndian" else ">"
    header = np.dtype("u8" if scan.file.get("header_type") == "UInt64" else "u4")
    header, size = header.newbyteorder(order), count * dtype.itemsize
    with open(path, "rb") as stream:
        if attributes.get("format") == "appended":
            data = _appended(stream, scan, int(attributes.get("offset", 0)))
        else:
            start, end = scan.places[name]
            stream.seek(start)
            text = stream.read(end - start)
            text = text[text.index(b">") + 1 :]
            if attributes.get("format", "ascii") == "ascii":
                return _ascii(text, count, dtype)
            data = _base64(text)
    if scan.file.get("compressor"):
        data = _inflate(data, header, size)
    else:
        stated = int(np.frombuffer(data, header, 1)[0])
        if stated != size:
            raise ValueError(f"its array has {stated} bytes instead of {size}")
        data = data[header.itemsize :]
    return np.frombuffer(data, dtype.newbyteorder(order), count).astype(dtype)


def _appended(stream: BinaryIO, scan: _Scan, offset: int) -> bytes:
    """Bytes from the start of an array, which its offset counts from the underscore."""
    if scan.appended is None:
        raise ValueError("it has no appended data")
    tag, encoding = scan.appended
    stream.seek(tag)
    head = stream.read(_STEP)
    stream.seek(tag + head.index(b"_", head.index(b">")) + 1 + offset)
    data = stream.read()
    return _base64(data.partition(b"<")[0]) if encoding == "base64" else data


def _base64(text: bytes) -> bytes:
    """Bytes of base64 texts one after the other: VTK ends the header's before the data's."""
    parts = re.findall(rb"[^=]+={0,2}", b"".join(text.split()))
    return b"".join(binascii.a2b_base64(part, strict_mode=True) for part in parts)


def _inflate(data: bytes, header: np.dtype, size: int) -> bytes:
    """The blocks of a compressed array, none of them to more than it says."""
    blocks, full, last = (int(number) for number in np.frombuffer(data, header, 3))
    if not blocks or (blocks - 1) * full + (last or full) != size:
        raise ValueError(f"its array has {blocks} blocks of {full} bytes instead of {size} bytes")
    sizes = np.frombuffer(data, header, blocks, offset=3 * header.itemsize)
    start, out = (3 + blocks) * header.itemsize, []
    for number, packed in enumerate(int(packed) for packed in sizes):
        expected = full if number < blocks - 1 or not last else last
        try:
            out.append(inflated(data[start : start + packed], expected))
        except ValueError as error:
            raise ValueError(f"of block {number}: {error}") from error
        start += packed
    return b"".join(out)


def _ascii(text: bytes, count: int, dtype: np.dtype) -> np.ndarray:
    wide = np.dtype("f8" if dtype.kind == "f" else "i8")
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # numpy only warns of what is no number
        values = np.fromstring(text.decode("ascii"), wide, sep=" ")
    if len(values) != count:
        raise ValueError(f"its array has {len(values)} numbers instead of {count}")
    narrow = values.astype(dtype)
    if dtype.kind != "f" and not np.array_equal(narrow, values):
        raise ValueError(f"its array has numbers that are no {dtype}")
    return narrow

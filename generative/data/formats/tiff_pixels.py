"""Samples of one TIFF page, whatever its compression: the same numbers as of the plain file.

Each strip or tile is decompressed on its own, never to more bytes than its size says, and then
unpacked by one rule. LZW, PackBits, CCITT, JPEG and Zstandard are left to Pillow, which is handed
the strip as a small TIFF of its own: so Pillow neither turns nor inverts nor rescales anything.

References
----------
.. [1] Adobe (1992), TIFF revision 6.0; Adobe Photoshop TIFF technical notes (2002).
"""

import io
import os
import struct
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from typing import Literal

import numpy as np
import tifffile
from PIL import Image

from generative.data.formats.inflate import inflated, unpacked_lzma
from generative.errors import DataError

DEFLATE = (8, 32946, 50013)
LZMA = 34925
JPEG = 7
CCITT = (2, 3, 4)
AS_BYTES = (5, 32773, 50000)  # LZW, PackBits, Zstandard: Pillow gives their bytes back
_BY_PILLOW = (*AS_BYTES, *CCITT, JPEG)
_SHORT, _LONG, _UNDEFINED = 3, 4, 7


@dataclass(frozen=True)
class _Segment:
    """A strip or tile: where it lies in its page, and what it holds."""

    top: int
    left: int
    rows: int
    columns: int
    plane: int
    samples: int


def page_samples(page: tifffile.TiffPage) -> np.ndarray:
    """Samples as they are stored, (h, w, samples), in their own type; 1 to 15 bits spread evenly.

    1, 2 and 4 bits become 0 to 255 and 9 to 15 bits 0 to 65,535, so that white is the largest value
    of the type; indices of a palette stay as they are. Nothing is turned or inverted.

    Raises
    ------
    DataError
        For a compression that no installed package reads, with the package that does.
    ValueError
        For damaged data, and kinds of numbers that are not read.
    """
    if not _is_ours(page):
        return _by_imagecodecs(page)
    bits, kind = _number_kind(page)
    out = np.zeros(
        (page.imagelength, page.imagewidth, page.samplesperpixel), _dtype(bits, kind, "=")
    )
    file = page.parent.filehandle
    for segment, place, length in _segments(page):
        file.seek(place)
        data = file.read(length)
        if len(data) < length:
            raise ValueError("it is truncated")
        values = _unpacked(page, segment, data, bits, kind)
        rows, columns = out[segment.top :, segment.left :].shape[:2]
        area = np.s_[segment.top : segment.top + segment.rows,
                     segment.left : segment.left + segment.columns]  # fmt: skip
        planes = slice(None) if page.planarconfig == 1 else slice(segment.plane, segment.plane + 1)
        out[area][..., planes] = values[:rows, :columns]
    return _spread(out, bits, palette=page.photometric == tifffile.PHOTOMETRIC.PALETTE)


def check_compression(page: tifffile.TiffPage) -> None:
    """Refuse a compression that no installed package reads.

    Raises
    ------
    DataError
        With the package that does.
    """
    if not _is_ours(page) and find_spec("imagecodecs") is None:
        raise _not_read(page)


def _is_ours(page: tifffile.TiffPage) -> bool:
    return page.compression == 1 or page.compression in (*DEFLATE, LZMA, *_BY_PILLOW)


def _number_kind(page: tifffile.TiffPage) -> tuple[int, str]:
    """Bits of a sample and whether it is unsigned, signed or floating."""
    bits = page.bitspersample
    kind = {1: "u", 2: "i", 3: "f", 4: "u"}.get(int(page.sampleformat or 1))
    known = (8, 16, 32, 64) if kind == "i" else (16, 32, 64) if kind == "f" else None
    if not isinstance(bits, int) or kind is None or page.imagedepth > 1:
        raise ValueError("its samples are of several kinds, or complex")
    if bits not in (known or (*range(1, 17), 32, 64)):
        raise ValueError(f"its samples have {bits} bits")
    return bits, kind


ByteOrder = Literal["<", ">", "="]


def _dtype(bits: int, kind: str, order: ByteOrder) -> np.dtype:
    size = next(n for n in (1, 2, 4, 8) if 8 * n >= bits)
    return np.dtype(f"{kind}{size}").newbyteorder(order)


def _segments(page: tifffile.TiffPage) -> Iterator[tuple[_Segment, int, int]]:
    """Every strip or tile, its place in the file and its bytes."""
    samples = page.samplesperpixel if page.planarconfig == 1 else 1
    planes = 1 if page.planarconfig == 1 else page.samplesperpixel
    tiled = page.is_tiled
    columns = page.tilewidth if tiled else page.imagewidth
    rows = page.tilelength if tiled else min(page.rowsperstrip, page.imagelength)
    places = [
        _Segment(
            top,
            left,
            rows if tiled else min(rows, page.imagelength - top),
            columns,
            plane,
            samples,
        )
        for plane in range(planes)
        for top in range(0, page.imagelength, rows)
        for left in range(0, page.imagewidth, columns)
    ]
    if len(places) != len(page.dataoffsets) or len(places) != len(page.databytecounts):
        raise ValueError(f"it has {len(page.dataoffsets)} strips or tiles, not {len(places)}")
    yield from zip(places, page.dataoffsets, page.databytecounts, strict=True)


def _unpacked(
    page: tifffile.TiffPage, segment: _Segment, data: bytes, bits: int, kind: str
) -> np.ndarray:
    """Samples (rows, columns, samples) of one strip or tile."""
    if page.fillorder == 2 and page.compression != JPEG:
        data = _mirrored_bits(data)
    width = segment.columns * segment.samples
    row_bytes = -(-width * bits // 8)
    data = _decompressed(page, segment, data, row_bytes)
    raw = np.frombuffer(data, np.uint8, segment.rows * row_bytes).reshape(segment.rows, row_bytes)
    shape = (segment.rows, segment.columns, segment.samples)
    if bits % 8:
        return _small_integers(raw, bits, width).reshape(shape)
    predictor = 1 if page.compression == JPEG else page.predictor
    if predictor == 3:
        return _floats_from_differences(raw, shape, bits // 8)
    # What Pillow decoded of a JPEG has one byte a sample, in no order.
    values = raw.view(_dtype(bits, kind, page.parent.byteorder)).reshape(shape)
    values = values.astype(values.dtype.newbyteorder("="), copy=False)
    if predictor == 2:
        whole = values.view(f"u{bits // 8}")
        return np.cumsum(whole, axis=1, dtype=whole.dtype).view(values.dtype)
    if predictor != 1:
        raise ValueError(f"its predictor {int(predictor)} is not read")
    return values


def _decompressed(page: tifffile.TiffPage, segment: _Segment, data: bytes, row_bytes: int) -> bytes:
    size = segment.rows * row_bytes
    if page.compression == 1:
        if len(data) < size:
            raise ValueError("it is truncated")
        return data
    if page.compression in DEFLATE:
        return inflated(data, size)
    if page.compression == LZMA:
        return unpacked_lzma(data, size)
    tiff = _small_tiff(page, segment, data, row_bytes)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with _without_stderr(), Image.open(io.BytesIO(tiff), formats=["TIFF"]) as image:
                made = image.tobytes()
    except (OSError, ValueError, KeyError, SyntaxError) as error:
        if page.compression == 50000:
            raise _not_read(page) from error
        raise ValueError(f"its compressed data are damaged or truncated: {error}") from error
    if len(made) != size:
        raise ValueError(f"its compressed data hold {len(made):,} bytes instead of {size:,}")
    return made


@contextmanager
def _without_stderr() -> Iterator[None]:
    """libtiff writes lines of its own about damaged data, which are answered in one of ours."""
    try:
        kept = os.dup(2)
    except OSError:  # closed: nothing will be seen
        yield
        return
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


def _small_tiff(page: tifffile.TiffPage, segment: _Segment, data: bytes, row_bytes: int) -> bytes:
    """The strip as a TIFF of its own: bytes as grey levels, bits as bits, JPEG with its tables."""
    width, bits, samples, photometric = row_bytes, 8, 1, 1
    extra: list[tuple[int, int, int, bytes]] = []
    if page.compression in CCITT:
        width, bits = segment.columns, 1
        for tag in (292, 293):  # T4Options, T6Options
            if tag in page.tags:
                extra.append((tag, _LONG, 1, struct.pack("<I", int(page.tags[tag].value))))
    elif page.compression == JPEG:
        width, samples = segment.columns, segment.samples
        photometric = int(page.photometric) if samples > 1 else 1
        if 347 in page.tags:
            tables = bytes(page.tags[347].value)
            extra.append((347, _UNDEFINED, len(tables), tables))
        if 530 in page.tags and samples > 1:
            extra.append((530, _SHORT, 2, struct.pack("<2H", *page.tags[530].value)))
    entries = [
        (256, _LONG, 1, struct.pack("<I", width)),
        (257, _LONG, 1, struct.pack("<I", segment.rows)),
        (258, _SHORT, samples, struct.pack(f"<{samples}H", *[bits] * samples)),
        (259, _SHORT, 1, struct.pack("<H", int(page.compression))),
        (262, _SHORT, 1, struct.pack("<H", photometric)),
        (273, _LONG, 1, b""),
        (277, _SHORT, 1, struct.pack("<H", samples)),
        (278, _LONG, 1, struct.pack("<I", segment.rows)),
        (279, _LONG, 1, struct.pack("<I", len(data))),
        *extra,
    ]
    return _tiff_bytes(entries, data)


def _tiff_bytes(entries: list[tuple[int, int, int, bytes]], data: bytes) -> bytes:
    """A little-endian TIFF of one strip; the value of tag 273 is where its data come to lie."""
    after = 8 + 2 + 12 * len(entries) + 4
    long_values = b"".join(value.ljust(len(value) + len(value) % 2, b"\0")
                           for *_, value in entries if len(value) > 4)  # fmt: skip
    head, at = b"II*\0" + struct.pack("<IH", 8, len(entries)), after
    for tag, kind, count, value in entries:
        if tag == 273:
            value = struct.pack("<I", after + len(long_values))
        if len(value) > 4:
            place, at = struct.pack("<I", at), at + len(value) + len(value) % 2
        else:
            place = value.ljust(4, b"\0")
        head += struct.pack("<HHI", tag, kind, count) + place
    return head + bytes(4) + long_values + data


def _mirrored_bits(data: bytes) -> bytes:
    return data.translate(_mirror())


@cache
def _mirror() -> bytes:
    return bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))


def _small_integers(raw: np.ndarray, bits: int, width: int) -> np.ndarray:
    """Numbers of fewer than 8, or 9 to 15 bits; each row begins at a byte."""
    if bits == 1:
        return np.unpackbits(raw, axis=1, count=width)
    flags = np.unpackbits(raw, axis=1, count=width * bits).reshape(len(raw), width, bits)
    weights = 1 << np.arange(bits - 1, -1, -1, dtype=np.uint16)
    return (flags * weights).sum(axis=2, dtype=np.uint16).astype(_dtype(bits, "u", "="))


def _floats_from_differences(raw: np.ndarray, shape: tuple[int, ...], size: int) -> np.ndarray:
    """Floats whose bytes were sorted by significance and differenced along each row [1]_."""
    rows, columns, samples = shape
    steps = raw.reshape(rows, -1, samples)
    whole = np.cumsum(steps, axis=1, dtype=np.uint8).reshape(rows, size, columns * samples)
    plain = np.ascontiguousarray(np.moveaxis(whole, 1, 2)).view(f">f{size}")
    return plain.reshape(shape).astype(f"f{size}")


def _spread(samples: np.ndarray, bits: int, *, palette: bool) -> np.ndarray:
    if palette or bits % 8 == 0:
        return samples
    full, largest = np.iinfo(samples.dtype).max, 2**bits - 1
    if full % largest == 0:
        return samples * samples.dtype.type(full // largest)
    return np.rint(samples * (full / largest)).astype(samples.dtype)


def _by_imagecodecs(page: tifffile.TiffPage) -> np.ndarray:
    check_compression(page)
    samples = page.asarray(squeeze=False)  # (samples, depth, h, w, samples)
    if page.planarconfig == 2:
        return np.moveaxis(samples[:, 0, :, :, 0], 0, -1)
    return samples[0, 0]


def _not_read(page: tifffile.TiffPage) -> DataError:
    name = getattr(page.compression, "name", str(page.compression))
    return DataError(
        f"{page.parent.filehandle.path}: is compressed by {name}, which no installed package "
        "reads; pip install imagecodecs, or save it again without compression."
    )

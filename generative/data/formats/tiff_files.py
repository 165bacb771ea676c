"""TIFF pictures and stacks as a viewer shows them, by one rule for every compression.

White is the largest value, whatever the photometric tag stores; pages are turned as their
orientation tag says; pixels of a palette are labels (`generative.data.formats.palette`).
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import tifffile

from generative.data.check import by
from generative.data.formats.orientation import TAG, checked_orientation, swaps_sides, turned
from generative.data.formats.palette import Indices, is_grey_ramp
from generative.data.formats.source import Asked, Source, check_real
from generative.data.formats.tiff_pixels import check_compression, page_samples
from generative.data.formats.voxel_size import tiff_voxel_size
from generative.errors import DataError

MAX_PAGES = 2**14
_GREY = (tifffile.PHOTOMETRIC.MINISWHITE, tifffile.PHOTOMETRIC.MINISBLACK)
_COLOURS = (tifffile.PHOTOMETRIC.RGB, tifffile.PHOTOMETRIC.YCBCR)
_PALETTE = tifffile.PHOTOMETRIC.PALETTE
_LOSSY = (6, 7, 33003, 33005, 34712)  # JPEG and JPEG 2000


@dataclass(frozen=True)
class _Look:
    """How the samples of each page become the picture that is seen."""

    orientation: int
    inverted: bool  # the smallest value is white
    lookup: np.ndarray | None  # (n,) or (n, 3): what each index of a palette becomes
    samples: int  # a voxel has, and perhaps one more of opacity


def open_tiff(path: Path, asked: Asked) -> Source:
    """One TIFF: one page is a 2-D image, several pages are one volume, or images if asked.

    Parameters
    ----------
    path
        The file.
    asked
        Its ``spatial_dims``: 2 takes every page as an image of its own, 3 or None takes a stack as
        a volume; and ``indices``.

    Raises
    ------
    DataError
        For series of several shapes, more than one stacked axis, other colours than RGB, pages
        that are turned differently, or a damaged file.
    """
    with tifffile.TiffFile(path) as tiff:
        _check_complete(tiff, path)
        if len(tiff.series) != 1:
            shapes = ", ".join(by(series.shape) for series in tiff.series[:3])
            raise DataError(
                f"{path}: holds {len(tiff.series)} series of images ({shapes}); save one per file."
            )
        series, page = tiff.series[0], tiff.pages[0].aspage()
        look = _look(tiff, asked.indices, path)
        # A stack that tifffile calls channels (ImageJ's default) is a stack unless colour is said.
        stack = _stack(series.axes, series.shape, path)
        height, width = page.imagelength, page.imagewidth
        pages = math.prod(stack)
        flat = asked.spatial_dims == 2 or (asked.spatial_dims is None and pages == 1)
        size = tiff_voxel_size(tiff, 2 if flat else 3)
        dtype = _dtype_seen(series.dtype, look, path)
    if swaps_sides(look.orientation):
        height, width = width, height
        size = size and (*size[:-2], size[-1], size[-2])
    if not flat and pages == 1:
        raise DataError(
            f"{path}: expected a volume for spatial_dims=3, got one page; use a multi-page TIFF."
        )
    colour = look.samples == 3 or (look.lookup is not None and look.lookup.ndim == 2)
    channels = 3 if colour else 1
    shape = (pages, channels, height, width) if flat else (1, channels, pages, height, width)
    return Source(
        path,
        shape,
        dtype,
        partial(_decode, path, shape, dtype, look),
        colour,
        indexed=page.photometric == _PALETTE and look.lookup is None,
        lossy=page.compression in _LOSSY,
        voxel_size_m=size,
    )


def _check_complete(tiff: tifffile.TiffFile, path: Path) -> None:
    """Refuse a TIFF whose chain of pages or data runs past its end: tifffile reads on silently."""
    if len(tiff.pages) > MAX_PAGES:
        raise DataError(
            f"{path}: has {len(tiff.pages)} pages, more than the limit of {MAX_PAGES}; save it as "
            "several files."
        )
    tiff.filehandle.seek(tiff.pages.next_page_offset or 0)
    chain = tiff.filehandle.read(tiff.tiff.offsetsize)
    if len(chain) < tiff.tiff.offsetsize or any(chain):
        raise DataError(f"{path}: is truncated after page {len(tiff.pages)}; save it again.")
    for number, page in enumerate(tiff.pages):
        ends = [a + b for a, b in zip(page.dataoffsets, page.databytecounts, strict=True)]
        if not ends or min(page.databytecounts) == 0 or max(ends) > tiff.filehandle.size:
            raise DataError(f"{path}: page {number} is truncated; save it again.")


def _look(tiff: tifffile.TiffFile, indices: Indices, path: Path) -> _Look:
    """How the pages are to be seen, which is one and the same way for all."""
    page = tiff.pages[0].aspage()
    check_compression(page)
    colour = page.photometric in _COLOURS
    if not colour and page.photometric not in (*_GREY, _PALETTE):
        name = getattr(page.photometric, "name", page.photometric)
        raise DataError(f"{path}: has the colours {name}; save it as grey or RGB.")
    if page.photometric == tifffile.PHOTOMETRIC.YCBCR and page.compression not in (6, 7):
        raise DataError(f"{path}: has the colours YCbCr without JPEG; save it as RGB.")
    samples = 3 if colour else 1
    if page.samplesperpixel not in (samples, samples + 1):
        raise DataError(
            f"{path}: has {page.samplesperpixel} samples a voxel; save it as grey or RGB without "
            "transparency."
        )
    turn = _orientation(page, 1)
    alike = all(
        _orientation(other, turn) == turn and other.photometric == page.photometric
        for other in (frame.aspage() for frame in tiff.pages)
    )
    if not alike:
        raise DataError(
            f"{path}: its pages are turned or coloured in several ways; save each as a file of its "
            "own."
        )
    inverted = page.photometric == tifffile.PHOTOMETRIC.MINISWHITE
    return _Look(turn, inverted, _lookup(page, indices), samples)


def _orientation(page: tifffile.TiffPage, default: int) -> int:
    """Of a page; of the first one where it says none, as programs write the tag once a file."""
    return checked_orientation(page.tags[TAG].value) if TAG in page.tags else default


def _lookup(page: tifffile.TiffPage, indices: Indices) -> np.ndarray | None:
    """What an index becomes: a grey level of a ramp, a colour if asked; None keeps it a label."""
    if page.photometric != _PALETTE:
        return None
    if page.colormap is None:
        raise ValueError("it has indices of a palette, and no palette")
    colours = (page.colormap.T >> 8).astype(np.uint8)
    if indices != "picture" and is_grey_ramp(colours):
        return np.ascontiguousarray(colours[:, 0])
    return colours if indices == "picture" else None


def _dtype_seen(stored: np.dtype | None, look: _Look, path: Path) -> np.dtype:
    if stored is None:
        raise DataError(f"{path}: has numbers of a kind that is not read; save it with 8 bits.")
    check_real(stored, path)
    if stored.kind == "b" or look.lookup is not None:
        return np.dtype("u1")
    return stored.newbyteorder("=")


def _stack(axes: str, shape: tuple[int, ...], path: Path) -> tuple[int, ...]:
    """Sizes of the stacked axes, from tifffile's axes."""
    sizes = {axis: size for axis, size in zip(axes, shape, strict=True) if size > 1}
    stack = tuple(size for axis, size in sizes.items() if axis not in "YXS")
    if len(stack) > 1:
        raise DataError(
            f"{path}: has the axes {axes} of {by(shape)}; expected one stack of pages: save each "
            "channel or time in a file of its own."
        )
    return stack


def _decode(path: Path, shape: tuple[int, ...], dtype: np.dtype, look: _Look) -> np.ndarray:
    """Pages (n, c, h, w), or one volume (1, c, d, h, w)."""
    count = shape[2] if len(shape) == 5 else shape[0]
    out = np.empty((count, *shape[-2:], shape[1]), dtype)
    for number, samples in enumerate(_pages(path, count)):
        out[number] = turned(_as_seen(samples, look, path), look.orientation)
    pixels = np.moveaxis(out, -1, 0)
    return pixels[None] if len(shape) == 5 else np.moveaxis(pixels, 0, 1)


def _pages(path: Path, count: int) -> Iterator[np.ndarray]:
    """Samples (h, w, samples) of each page."""
    with tifffile.TiffFile(path) as tiff:
        if len(tiff.pages) == count:
            for page in tiff.pages:
                yield page_samples(page.aspage())
            return
        # ImageJ says in words that the planes of a large stack follow the first page.
        series = tiff.series[0]
        if series.dataoffset is None:
            raise ValueError(f"it has {len(tiff.pages)} pages instead of {count}")
        planes = series.asarray().reshape(count, *tiff.pages[0].aspage().shaped[-3:])
        yield from planes


def _as_seen(samples: np.ndarray, look: _Look, path: Path) -> np.ndarray:
    """Levels with white as the largest, without the sample of opacity."""
    if samples.shape[-1] > look.samples:
        opaque = np.iinfo(samples.dtype).max if samples.dtype.kind in "ui" else 1
        if (samples[..., -1] != opaque).any():
            raise DataError(f"{path}: has transparent pixels; save it without transparency.")
        samples = samples[..., : look.samples]
    if look.lookup is not None:
        seen = look.lookup[samples[..., 0]]
        return seen if seen.ndim == 3 else seen[..., None]
    if look.inverted:
        return 1 - samples if samples.dtype.kind == "f" else ~samples
    return samples

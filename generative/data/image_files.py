"""Micrograph files: one image by Pillow, and TIFF images and stacks by tifffile."""

import math
import warnings
from pathlib import Path

import numpy as np
import tifffile
from PIL import Image

from generative.data.check import by
from generative.data.source import Source, check_real
from generative.data.voxel_size import tiff_voxel_size
from generative.errors import DataError

# What each Pillow mode becomes; "P" is a palette, "A" is transparency.
_GREY_MODES = {"1": "|u1", "L": "|u1", "I;16": "<u2", "I;16B": ">u2", "I": "<i4", "F": "<f4"}
MAX_PAGES = 2**14
_COLOUR_MODES = {"P", "RGB", "RGBA", "LA"}
_FORMATS = {
    ".png": "PNG",
    ".jpg": "JPEG",
    ".jpeg": "JPEG",
    ".bmp": "BMP",
    ".tif": "TIFF",
    ".tiff": "TIFF",
}


def open_picture(path: Path, spatial_dims: int | None) -> Source:
    """One 2-D image in a PNG, JPEG or BMP file; see `Source`.

    Grey of 1, 8, 16 or 32 bits keeps its depth (1 bit becomes 0 and 255); palettes become colour.

    Raises
    ------
    DataError
        For several frames, colour spaces other than RGB, or voxels that are not opaque.
    """
    if spatial_dims == 3:
        raise DataError(
            f"{path}: expected a volume for spatial_dims=3, got a picture; save the volume as a "
            "multi-page TIFF or an array file."
        )
    with _pillow(path) as image:
        frames, mode, (width, height) = getattr(image, "n_frames", 1), image.mode, image.size
    if frames > 1:
        raise DataError(f"{path}: holds {frames} frames; save each as a file of its own.")
    if mode in _GREY_MODES:
        dtype = np.dtype(_GREY_MODES[mode]).newbyteorder("=")
        return Source(path, (1, 1, height, width), dtype, lambda: _decode_grey(path))
    if mode in _COLOUR_MODES:
        shape = (1, 3, height, width)
        return Source(path, shape, np.dtype("u1"), lambda: _decode_colour(path), colour=True)
    raise DataError(f"{path}: has the colour mode {mode}; save it as grey or RGB.")


def _pillow(path: Path) -> Image.Image:
    with warnings.catch_warnings():
        # Pillow warns of large pictures; our own limit is checked before decoding.
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        try:
            return Image.open(path, formats=[_FORMATS[path.suffix.lower()]])
        except Image.DecompressionBombError as error:
            raise DataError(
                f"{path}: has more pixels than Pillow opens, which is larger than the limit of "
                f"{2 * Image.MAX_IMAGE_PIXELS:,}; cut it into parts, or save it as uncompressed "
                "TIFF or NPY."
            ) from error


def _decode_grey(path: Path) -> np.ndarray:
    with _pillow(path) as image:
        pixels = np.asarray(image)
    if pixels.dtype == bool:
        pixels = pixels.astype("u1") * np.uint8(255)
    return pixels[None, None].astype(pixels.dtype.newbyteorder("="), copy=False)


def _decode_colour(path: Path) -> np.ndarray:
    with _pillow(path) as image:
        transparency = "A" in image.getbands() or "transparency" in image.info
        if transparency and image.convert("RGBA").getextrema()[3] != (255, 255):
            raise DataError(f"{path}: has transparent pixels; save it without transparency.")
        pixels = np.asarray(image.convert("RGB"))
    return np.moveaxis(pixels, -1, 0)[None]


def open_tiff(path: Path, spatial_dims: int | None) -> Source:
    """One TIFF: one page is a 2-D image, several pages are one volume, or images if asked.

    Parameters
    ----------
    path
        The file.
    spatial_dims
        2 takes every page as an image of its own; 3 or None takes a stack as a volume.

    Raises
    ------
    DataError
        For series of several shapes, more than one stacked axis, palettes, or a damaged file.
    """
    with tifffile.TiffFile(path) as tiff:
        _check_complete(tiff, path)
        if len(tiff.series) != 1:
            shapes = ", ".join(by(series.shape) for series in tiff.series[:3])
            raise DataError(
                f"{path}: holds {len(tiff.series)} series of images ({shapes}); save one per file."
            )
        series, page = tiff.series[0], tiff.pages[0]
        if page.photometric == tifffile.PHOTOMETRIC.PALETTE:
            raise DataError(f"{path}: is a palette TIFF; save it as grey or RGB.")
        # A stack that tifffile calls channels (ImageJ's default) is a stack unless colour is said.
        stack, colour = _stack_and_colour(series.axes, series.shape, path)
        dtype, height, width = series.dtype, series.sizes["height"], series.sizes["width"]
        inverted = page.photometric == tifffile.PHOTOMETRIC.MINISWHITE
        pages = math.prod(stack)
        flat = spatial_dims == 2 or (spatial_dims is None and pages == 1)
        size = tiff_voxel_size(tiff, 2 if flat else 3)
    check_real(dtype, path)
    channels = 3 if colour else 1
    if flat:
        shape = (pages, channels, height, width)
    elif pages == 1:
        raise DataError(
            f"{path}: expected a volume for spatial_dims=3, got one page; use a multi-page TIFF."
        )
    else:
        shape = (1, channels, pages, height, width)
    out = np.dtype("u1") if dtype.kind == "b" else dtype.newbyteorder("=")
    return Source(
        path,
        shape,
        out,
        lambda: _decode_tiff(path, shape, out, inverted),
        colour,
        voxel_size_m=size,
    )


def _check_complete(tiff: tifffile.TiffFile, path: Path) -> None:
    """Refuse a TIFF whose chain of pages or data runs past its end: tifffile reads on silently."""
    if len(tiff.pages) > MAX_PAGES:
        raise DataError(
            f"{path}: has {len(tiff.pages)} pages, more than the limit of {MAX_PAGES}; save it as "
            "several files."
        )
    tiff.filehandle.seek(tiff.pages.next_page_offset)
    chain = tiff.filehandle.read(tiff.tiff.offsetsize)
    if len(chain) < tiff.tiff.offsetsize or any(chain):
        raise DataError(f"{path}: is truncated after page {len(tiff.pages)}; save it again.")
    for number, page in enumerate(tiff.pages):
        ends = [a + b for a, b in zip(page.dataoffsets, page.databytecounts, strict=True)]
        if not ends or min(page.databytecounts) == 0 or max(ends) > tiff.filehandle.size:
            raise DataError(f"{path}: page {number} is truncated; save it again.")


def _stack_and_colour(
    axes: str, shape: tuple[int, ...], path: Path
) -> tuple[tuple[int, ...], bool]:
    """Sizes of the stacked axes and whether samples are colours, from tifffile's axes."""
    sizes = {axis: size for axis, size in zip(axes, shape, strict=True) if size > 1}
    samples = sizes.pop("S", 1)
    if samples not in (1, 3):
        raise DataError(
            f"{path}: has {samples} samples a voxel; save it as grey or RGB without transparency."
        )
    stack = tuple(size for axis, size in sizes.items() if axis not in "YX")
    if len(stack) > 1:
        raise DataError(
            f"{path}: has the axes {axes} of {by(shape)}; expected one stack of pages: save each "
            "channel or time in a file of its own."
        )
    return stack, samples == 3


def _decode_tiff(path: Path, shape: tuple[int, ...], dtype: np.dtype, inverted: bool) -> np.ndarray:
    try:
        with tifffile.TiffFile(path) as tiff:
            axes, pixels = tiff.series[0].axes, tiff.series[0].asarray()
    except ValueError as error:
        # LZW and JPEG need a package tifffile does not bring; Pillow reads (and inverts) them.
        if "imagecodecs" not in str(error):
            raise
        axes, pixels, inverted = "IYXS", _decode_with_pillow(path), False
    if pixels.dtype == bool:
        pixels = pixels.astype("u1") * np.uint8(255)
    if inverted and dtype.kind == "u":
        pixels = np.iinfo(dtype).max - pixels
    if shape[1] == 3:
        pixels = np.moveaxis(pixels, axes.index("S"), 0)
    pixels = pixels.reshape(shape[1], -1, *shape[-2:])  # (c, pages, h, w)
    pixels = pixels[None] if len(shape) == 5 else np.moveaxis(pixels, 0, 1)
    return pixels.astype(dtype, copy=False)


def _decode_with_pillow(path: Path) -> np.ndarray:
    with _pillow(path) as image:
        frames = []
        for number in range(image.n_frames):
            image.seek(number)
            frames.append(np.asarray(image))
    return np.stack(frames)

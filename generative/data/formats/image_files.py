"""Pictures in PNG, JPEG and BMP files, by Pillow: as a viewer shows them.

A picture is turned as its EXIF says. Pixels of a palette are labels
(`generative.data.formats.palette`). The density of a print (pHYs, JFIF) is no voxel size.
"""

import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image

from generative.data.formats.orientation import TAG, checked_orientation, swaps_sides, turned
from generative.data.formats.palette import Indices, check_opaque, is_grey_ramp
from generative.data.formats.source import Asked, Source
from generative.errors import DataError

# What each Pillow mode becomes; "P" is a palette, "A" is transparency.
_GREY_MODES = {"1": "|u1", "L": "|u1", "I;16": "<u2", "I;16B": ">u2", "I": "<i4", "F": "<f4"}
_COLOUR_MODES = {"P", "RGB", "RGBA", "LA"}
# A block of 8x8 pixels takes two bits at least, by a progressive JPEG one.
_JPEG_PIXELS_A_BYTE = 1024
_MOST_CHUNKS = 100_000


def open_picture(path: Path, asked: Asked, *, kind: str) -> Source:
    """One 2-D image in a PNG, JPEG or BMP file; see `Source`.

    Grey of 1, 8, 16 or 32 bits keeps its depth (1 bit becomes 0 and 255); colours have 8 bits.

    Parameters
    ----------
    path
        The file.
    asked
        Its ``spatial_dims``, which cannot be 3, and ``indices``.
    kind
        ``"png"``, ``"jpeg"`` or ``"bmp"``, which the file is.

    Raises
    ------
    DataError
        For several frames, colour spaces other than RGB, or voxels that are not opaque.
    """
    if asked.spatial_dims == 3:
        raise DataError(
            f"{path}: expected a volume for spatial_dims=3, got a picture; save the volume as a "
            "multi-page TIFF or an array file."
        )
    opened = partial(pillow, path, kind.upper())
    with opened() as image:
        # The further frames of a JPEG are previews and depth maps of a telephone.
        frames = 1 if image.format == "MPO" else getattr(image, "n_frames", 1)
        mode, (width, height) = image.mode, image.size
        orientation = _orientation(image, path, kind)
        palette = _palette(image) if mode == "P" else None
    if frames > 1:
        raise DataError(f"{path}: holds {frames} frames; save each as a file of its own.")
    if kind == "jpeg" and width * height > _JPEG_PIXELS_A_BYTE * path.stat().st_size:
        raise DataError(
            f"{path}: says that it has {height}x{width} pixels, which {path.stat().st_size:,} "
            "bytes cannot hold; it is truncated: copy it again."
        )
    if kind == "bmp" and mode in ("1", "L") and _bits(path) != {"1": 1, "L": 8}[mode]:
        raise DataError(  # Pillow takes them for as many bits as there are colours
            f"{path}: has fewer colours than bits, which is not read right; save it as PNG."
        )
    shape = (width, height) if swaps_sides(orientation) else (height, width)
    if palette is not None and asked.indices != "picture":
        ramp = is_grey_ramp(palette)
        lookup = palette[:, 0] if ramp else None
        decode = partial(_decode_indices, path, opened, orientation, lookup, asked.indices)
        return Source(path, (1, 1, *shape), np.dtype("u1"), decode, indexed=not ramp)
    if mode in _GREY_MODES:
        dtype = np.dtype(_GREY_MODES[mode]).newbyteorder("=")
        decode = partial(_decode_grey, path, opened, orientation)
        return Source(path, (1, 1, *shape), dtype, decode, lossy=kind == "jpeg")
    if mode in _COLOUR_MODES:
        decode = partial(_decode_colour, path, opened, orientation)
        return Source(path, (1, 3, *shape), np.dtype("u1"), decode, colour=True)
    raise DataError(f"{path}: has the colour mode {mode}; save it as grey or RGB.")


def pillow(path: Path, form: str) -> Image.Image:
    """The picture, opened and not decoded; more pixels than Pillow opens are a `DataError`."""
    with warnings.catch_warnings():
        # Pillow warns of large pictures; our own limit is checked before decoding.
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        try:
            return Image.open(path, formats=[form])
        except Image.DecompressionBombError as error:
            most = 2 * (Image.MAX_IMAGE_PIXELS or 0)  # None, no limit, raises nothing
            raise DataError(
                f"{path}: has more pixels than Pillow opens, which is larger than the limit of "
                f"{most:,}; cut it into parts, or save it as uncompressed "
                "TIFF or NPY."
            ) from error


def _orientation(image: Image.Image, path: Path, kind: str) -> int:
    """Tag 274 of the EXIF data, 1 where there are none or they are damaged."""
    try:
        if kind == "png" and "exif" not in image.info and (late := _late_exif(path)):
            image.info["exif"] = late
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            # Not the method of PNG, which decodes the picture to find what comes after it.
            return checked_orientation(Image.Image.getexif(image).get(TAG))
    except Exception:  # Pillow raises all kinds on damaged EXIF data; viewers pass them over
        return 1


def _late_exif(path: Path) -> bytes | None:
    """The chunk eXIf of a PNG, wherever it is."""
    with open(path, "rb") as stream:
        stream.seek(8)
        for _ in range(_MOST_CHUNKS):
            head = stream.read(8)
            if len(head) < 8:
                return None
            length = int.from_bytes(head[:4], "big")
            if head[4:] == b"eXIf":
                return stream.read(min(length, 2**20))
            stream.seek(length + 4, 1)
    return None


def _bits(path: Path) -> int:
    """Bits of a pixel of a BMP."""
    with open(path, "rb") as stream:
        head = stream.read(30)
    place = 24 if int.from_bytes(head[14:18], "little") == 12 else 28
    return int.from_bytes(head[place : place + 2], "little")


def _palette(image: Image.Image) -> np.ndarray:
    return np.array(image.getpalette("RGB"), np.uint8).reshape(-1, 3)


def _decode_indices(
    path: Path,
    opened: Callable[[], Image.Image],
    orientation: int,
    lookup: np.ndarray | None,
    treat: Indices,
) -> np.ndarray:
    """Indices, or the grey levels of a ramp that they stand for."""
    with opened() as image:
        pixels = np.asarray(image)
        clear = image.info.get("transparency", b"")
    alpha = {clear: 0} if isinstance(clear, int) else dict(enumerate(clear))
    check_opaque(pixels, alpha, treat, path)
    if lookup is not None:
        if pixels.max() >= len(lookup):
            raise ValueError(f"index {pixels.max()} is beyond its palette of {len(lookup)}")
        pixels = lookup[pixels]
    return turned(pixels, orientation)[None, None]


def _decode_grey(path: Path, opened: Callable[[], Image.Image], orientation: int) -> np.ndarray:
    with opened() as image:
        pixels = np.asarray(image)
        clear = image.info.get("transparency")
    if clear is not None and (pixels == clear).any():
        raise DataError(f"{path}: has transparent pixels; save it without transparency.")
    if pixels.dtype == bool:
        pixels = pixels.astype("u1") * np.uint8(255)
    pixels = turned(pixels, orientation)
    return pixels[None, None].astype(pixels.dtype.newbyteorder("="), copy=False)


def _decode_colour(path: Path, opened: Callable[[], Image.Image], orientation: int) -> np.ndarray:
    with opened() as image:
        transparency = "A" in image.getbands() or "transparency" in image.info
        if transparency and image.convert("RGBA").getchannel("A").getextrema() != (255, 255):
            raise DataError(f"{path}: has transparent pixels; save it without transparency.")
        pixels = np.asarray(image.convert("RGB"))
    return np.moveaxis(turned(pixels, orientation), -1, 0)[None]

"""The one check every array of images goes through, and the limits kept before decoding."""

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Float32

from generative.errors import DataError

FREE_BYTES = 2**26
Names = Sequence[str] | Callable[[int], str]


@dataclass(frozen=True)
class Limits:
    """Sizes above which data is refused, read from file headers before anything is decoded.

    Commands take them as ``--limit ratio=2000``, settings of training as
    ``data: {limits: {ratio: 2000}}``.

    Parameters
    ----------
    image_voxels
        Voxels in one image; 512^3 by default (11,585 x 11,585 in 2-D).
    total_bytes
        All images together, as float32; 8 GiB by default.
    ratio
        Bytes of the images over those of their file, beyond 64 MiB of images; 500 by default.

    Raises
    ------
    ValueError
        If one is not above 0.
    """

    image_voxels: int = 512**3
    total_bytes: int = 8 * 2**30
    ratio: float | int = 500.0

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if not value > 0:
                raise ValueError(f"limits: {name} should be above 0, got {value}.")

    @classmethod
    def parse(cls, texts: Sequence[str]) -> "Limits":
        """Limits of texts such as ``ratio=2000``; those that are not named keep their defaults.

        Raises
        ------
        ValueError
            For a text that is no name and number, an unknown name, or a number that is not above 0.

        Examples
        --------
        >>> Limits.parse(["ratio=2000", "image_voxels=1e9"]).image_voxels
        1000000000
        """
        given: dict[str, Any] = {}
        for text in texts:
            name, _, number = text.partition("=")
            try:
                value = float(number)
                given[name.strip()] = value if name.strip() == "ratio" else int(value)
            except (ValueError, OverflowError):
                raise ValueError(
                    f"a limit should be a name and a number, such as ratio=2000, got {text!r}."
                ) from None
        unknown = given.keys() - {field.name for field in fields(cls)}
        if unknown:
            known = ", ".join(field.name for field in fields(cls))
            raise ValueError(f"the limits are {known}, got {unknown.pop()!r}.")
        return cls(**given)

    def check(self, shape: tuple[int, ...], name: str) -> None:
        """Refuse images of ``shape`` (n, c, *space), declared by the file ``name``.

        Raises
        ------
        DataError
            If one image or all of them are larger than the limit.
        """
        voxels = math.prod(shape[2:])
        if voxels > self.image_voxels:
            raise DataError(
                f"{name}: an image of {by(shape[2:])} voxels is larger than the limit of "
                f"{self.image_voxels:,} voxels; cut it into parts, or "
                f"{_raised('image_voxels', voxels)}."
            )
        total = 4 * math.prod(shape)
        if total > self.total_bytes:
            raise DataError(
                f"{name}: {shape[0]} images of {by(shape[1:])} take {total:,} bytes as float32, "
                f"larger than the limit of {self.total_bytes:,}; use fewer or smaller images, or "
                f"{_raised('total_bytes', total)}."
            )

    def check_ratio(self, decoded_bytes: int, path: Path, held_bytes: int | None = None) -> None:
        """Refuse a small file that says it holds very much: a decompression bomb.

        Parameters
        ----------
        decoded_bytes
            What the values take in memory.
        path
            The file.
        held_bytes
            Bytes of the file that hold them; all of it by default.

        Raises
        ------
        DataError
            If the images are larger than 64 MiB and ``ratio`` times the file.
        """
        held = path.stat().st_size if held_bytes is None else held_bytes
        ratio = decoded_bytes / max(held, 1)
        if decoded_bytes > FREE_BYTES and ratio > self.ratio:
            raise DataError(
                f"{path}: its values take {decoded_bytes:,} bytes, {ratio:,.0f} times what the "
                f"file holds, larger than the limit of {self.ratio:g}; if it is not damaged, save "
                f"it without compression, or {_raised('ratio', int(ratio) + 1)}."
            )


def _raised(name: str, value: int) -> str:
    return f"pass limits=Limits({name}={value}) (--limit {name}={value})"


def by(shape: tuple[int, ...]) -> str:
    """Sizes as people write them.

    >>> by((3, 64, 64))
    '3x64x64'
    """
    return "x".join(str(size) for size in shape)


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Turn whatever a decoder raises on a damaged file into one line that names the file.

    Raises
    ------
    DataError
        In place of any other error inside the block.
    """
    try:
        yield
    except DataError:
        raise
    except FileNotFoundError as error:
        raise DataError(
            f"{path}: cannot be read ({error.strerror}); check the path, or remove it."
        ) from error
    except PermissionError as error:
        raise DataError(
            f"{path}: cannot be read ({error.strerror}); allow it to be read, or leave it out."
        ) from error
    # Decoders raise all kinds on damaged bytes: struct, zlib, zipfile, tifffile, SyntaxError, ...
    except Exception as error:
        reason = " ".join(str(error).split())[:160] or type(error).__name__
        raise DataError(
            f"{path}: cannot be read ({reason}); replace the file if it is damaged or truncated, "
            "or remove it."
        ) from error


def row_name(names: Names | None, row: int) -> str:
    """Name of image ``row`` for a message: its file where known."""
    if names is None:
        return f"image {row}"
    return names[row] if isinstance(names, Sequence) else names(row)


def check_finite(images: np.ndarray, names: Names | None = None) -> None:
    """Refuse NaN and infinity in images (n, ...) of any real type.

    Raises
    ------
    DataError
        Naming the first such image and voxel.
    """
    for problem in not_finite(images, names):
        raise DataError(problem)


def not_finite(images: np.ndarray, names: Names | None = None) -> Iterator[str]:
    """A line for each image (n, ...) that holds NaN or infinity."""
    if images.dtype.kind != "f":
        return
    for row, image in enumerate(images):
        # NaN carries over into min and max, which need no array of flags.
        if not (np.isfinite(image.min()) and np.isfinite(image.max())):
            bad = np.argwhere(~np.isfinite(image))
            where = tuple(int(i) for i in bad[0])
            yield (
                f"{row_name(names, row)}: expected finite values, got {image[where]} at "
                f"{where} ({len(bad)} such voxels); fill or cut them out first."
            )


def check_images(
    images: Float[np.ndarray, "n c *space"],
    *,
    names: Names | None = None,
    limits: Limits | None = None,
) -> Float32[np.ndarray, "n c *space"]:
    """The images as float32, if they are what every other function expects.

    Parameters
    ----------
    images
        Shape (n, c, height, width) or (n, c, depth, height, width), values in [0, 1].
    names
        What to call each row in an error: its file name.
    limits
        Largest sizes accepted; none by default, as the array is in memory already.

    Raises
    ------
    DataError
        If the array is empty, not 4- or 5-dimensional, not finite or leaves [0, 1].

    Examples
    --------
    >>> check_images(np.array([[[[0.0, 2.0]]]]), names=["steel.tif"])
    Traceback (most recent call last):
    generative.errors.DataError: steel.tif: expected values in [0, 1], got 0 to 2; divide by ...
    """
    if images.ndim not in (4, 5):
        raise DataError(
            f"images should have shape (n, c, height, width) or (n, c, depth, height, width), got "
            f"{images.shape}; add the missing axes with images[:, None]."
        )
    if 0 in images.shape:
        raise DataError(f"expected at least one image and voxel, got an array of {images.shape}.")
    if limits is not None:
        limits.check(images.shape, row_name(names, 0))
    check_finite(images, names)
    low, high = images.min(), images.max()
    if low < 0 or high > 1:
        row = next(i for i, image in enumerate(images) if image.min() < 0 or image.max() > 1)
        raise DataError(
            f"{row_name(names, row)}: expected values in [0, 1], got {images[row].min():g} to "
            f"{images[row].max():g}; divide by the full scale first."
        )
    return np.ascontiguousarray(images, dtype=np.float32)

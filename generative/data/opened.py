"""Files of micrographs before anything is done to them, and what the values of all mean."""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from generative.data.check import Limits
from generative.data.formats.source import Source
from generative.data.formats.voxel_size import VoxelSize, check_voxel_size
from generative.data.grey.denoise import info_bars
from generative.data.grey.meaning import Meaning, meaning_of
from generative.data.grey.segment import luminance
from generative.data.preparation import Preparation
from generative.data.read import decode, names_of
from generative.errors import DataError


@dataclass(frozen=True)
class Opened:
    """A file as it is stored, and the rows to cut off the top and bottom of each image."""

    source: Source
    names: tuple[str, ...]
    stored: np.ndarray  # (n, c, *space)
    bars: tuple[tuple[int, int], ...]

    def images(self) -> list[np.ndarray]:
        """Each image (c, *space) without its info bars."""
        return [
            cropped(values, bars, name)
            for values, bars, name in zip(self.stored, self.bars, self.names, strict=True)
        ]


def check_sources(
    sources: list[Source], how: Preparation, given: VoxelSize | None, limits: Limits
) -> VoxelSize | None:
    """The voxel size of all; files that are too large or unlike are refused."""
    first = sources[0]
    if given is not None:
        given = given * (len(first.shape) - 2) if len(given) == 1 else given
        check_voxel_size(given, len(first.shape) - 2, str(first.path))
    size = first.voxel_size_m if given is None else given
    for source in sources:
        if source.indexed != first.indexed:
            raise DataError(
                f"{source.path}: expected a picture {'with' if first.indexed else 'without'} a "
                f"palette as {first.path.name}; prepare them apart."
            )
        if source.dtype != first.dtype:
            raise DataError(
                f"{source.path}: expected {first.dtype} values as in {first.path.name}, got "
                f"{source.dtype}; save all with one bit depth."
            )
        if len(source.shape) != len(first.shape) or _channels(source, how) != _channels(first, how):
            raise DataError(
                f"{source.path}: expected {_channels(first, how)} channels and "
                f"{len(first.shape) - 2} axes as in {first.path.name}, got "
                f"{_channels(source, how)} and {len(source.shape) - 2}; prepare them apart."
            )
        other = source.voxel_size_m if given is None else given
        same = other is size or (other and size and np.allclose(other, size, rtol=1e-3, atol=0))
        if not same:
            raise DataError(
                f"{source.path}: expected a voxel size of {size or 'unknown length'} as in "
                f"{first.path.name}, got {other or 'none'}; prepare each size apart, or say it "
                "for all (--voxel-size)."
            )
    return size


def _to_grey(source: Source, how: Preparation) -> bool:
    return source.colour and not how.colour and how.segmentation != "labels"


def _channels(source: Source, how: Preparation) -> int:
    return 1 if _to_grey(source, how) else source.shape[1]


def open_images(source: Source, base: Path, how: Preparation) -> Opened:
    """A file decoded, its names below ``base``; with colours as grey where that was said."""
    names = names_of([source], base)
    stored = decode(source, names)
    grey = luminance(stored) if _to_grey(source, how) else stored
    bars = [_bars(values, how.info_bar, name) for values, name in zip(grey, names, strict=True)]
    return Opened(source, names, grey if how.segmentation != "auto" else stored, tuple(bars))


def told(opened: Sequence[Opened], treatment: Literal["auto", "labels"]) -> Meaning:
    """What the values of all images mean, by the rule of `read_dataset`."""
    channels = max(each.stored.shape[1] for each in opened)
    return meaning_of(
        # Grey images among colours have three equal channels.
        [np.broadcast_to(x, (channels, *x.shape[1:])) for each in opened for x in each.images()],
        grey=treatment,
        names=[name for each in opened for name in each.names],
        indexed=opened[0].source.indexed,
        lossy=any(each.source.lossy for each in opened),
    )


@contextmanager
def naming_segmentation() -> Iterator[None]:
    """Name the options of `Preparation` in errors that name those of `read_dataset`."""
    try:
        yield
    except DataError as error:
        text = str(error).replace("grey='", "segmentation='").replace("--grey ", "--segment ")
        text = re.sub(r", or channels=\d+ if some of its labels are absent", "", text)
        raise DataError(text.replace("the right channels= or ", "")) from error


def _bars(values: np.ndarray, rows: int | str, name: str) -> tuple[int, int]:
    """Rows to cut off the top and the bottom."""
    if rows != "auto":
        return 0, int(rows)
    if values.ndim != 3:
        raise DataError(
            f"{name}: is a volume, and info bars are found in pictures; give the number of rows."
        )
    return info_bars(values)


def cropped(values: np.ndarray, bars: tuple[int, int], name: str) -> np.ndarray:
    """An image (c, *space) without rows at its top and bottom, of which some must be left."""
    height = values.shape[-2]
    if min(bars) < 0 or sum(bars) >= height:
        raise DataError(
            f"{name}: cannot lose {sum(bars)} of its {height} rows; give a lower info bar."
        )
    return values[..., bars[0] : height - bars[1], :]

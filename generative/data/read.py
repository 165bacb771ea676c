"""Folders and files of micrographs and volumes, read into one checked array."""

import logging
import math
import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from jaxtyping import Float32

from generative.data.check import Limits, by, check_finite, reading
from generative.data.dataset import Dataset, Places
from generative.data.duplicates import find_duplicates, share_parents
from generative.data.find import classes_of, find_files
from generative.data.formats.palette import Indices
from generative.data.formats.readers import open_asked
from generative.data.formats.source import Asked, Source
from generative.data.formats.voxel_size import VoxelSize
from generative.data.grey.meaning import Grey
from generative.data.grey.phases import read_phases
from generative.data.stored_set import is_stored_set, read_set
from generative.errors import DataError

log = logging.getLogger("generative.data")


def load_images(
    path: str | os.PathLike,
    *,
    grey: Grey = "auto",
    channels: int | None = None,
    spatial_dims: int | None = None,
    dataset: str | None = None,
    shape: Sequence[int] | None = None,
    dtype: str | np.dtype | None = None,
    axes: str | None = None,
    limits: Limits | None = None,
) -> Float32[np.ndarray, "n c *space"]:
    """Images of a folder or file as float32 (n, c, *space) in [0, 1].

    The images of `read_dataset`, which takes the same arguments and says more: classes, files
    and parents.

    Raises
    ------
    DataError, ValueError
        As `read_dataset`.
    """
    return read_dataset(
        path,
        grey=grey,
        channels=channels,
        spatial_dims=spatial_dims,
        dataset=dataset,
        shape=shape,
        dtype=dtype,
        axes=axes,
        limits=limits,
    ).images


def read_dataset(
    path: str | os.PathLike,
    *,
    grey: Grey = "auto",
    channels: int | None = None,
    spatial_dims: int | None = None,
    dataset: str | None = None,
    shape: Sequence[int] | None = None,
    dtype: str | np.dtype | None = None,
    axes: str | None = None,
    limits: Limits | None = None,
) -> Dataset:
    """Images of a folder or a file, with the class, file and parent of each.

    A folder holds files of one size that `READERS` lists, all in the folder itself or all in
    subfolders, which are then the classes. A file is one picture; one volume (a TIFF stack, VTI,
    DREAM.3D or RAW; its slices are images with ``spatial_dims=2``); or an array in NPY, NPZ, HDF5
    or MAT 7.3 of (n, h, w), (n, c, h, w), (n, d, h, w) or (n, c, d, h, w), which `array_layout`
    tells apart. Each picture and each row of an array is a parent of its own; slices share one, and
    so do equal images, mirrored and turned ones too, unless they have one value throughout.
    The voxel size is known if all files say the same. A set that ``latentopt data prepare`` wrote
    comes back as it is, whatever ``grey`` says.

    Links are followed. Hidden files and files that are not pictures (notes, tables) are passed over
    (`generative.data.find.find` names them); pictures of a format that is not read are refused.

    Parameters
    ----------
    path
        Folder or file.
    grey
        What grey levels become: ``"auto"`` segments them by Otsu's threshold but takes a few whole
        values (0, 1, 2) and indices of a palette as labels of phases, and refuses what may be
        either or neither; ``"otsu"`` always segments, ``"labels"`` always takes labels, ``"keep"``
        keeps the levels, scaled to [0, 1]. Two distinct values in the whole set are two phases in
        every case. `read_phases` has the exact rule; what became of the values is in ``reading``
        of the answer, and is logged.
    channels
        Channels wanted: 1 of two phases or grey; 3 keeps colour, which else becomes grey; k reads
        labels 0 to k - 1 as k phases, even if some are absent. Give it to read new images for a
        model trained on others.
    spatial_dims
        2 or 3, where the shape alone leaves it open.
    dataset
        Which array, by its name or path, of an NPZ, HDF5, MAT, DREAM.3D or VTI file that holds
        several.
    shape, dtype
        Of RAW files, unless their names say it; see `open_raw`.
    axes
        A letter of n, t, c, z, y, x for each axis of an array, such as ``"zyx"``; see
        `array_layout`.
    limits
        Largest sizes accepted, checked before decoding.

    Raises
    ------
    DataError
        Naming the file (and row) that is missing, empty, damaged, too large, of another size or
        bit depth than the rest, or not finite, and the remedy.
    ValueError
        For ``spatial_dims`` other than 2 or 3, ``channels`` below 1 or an unknown ``grey``.
    """
    if spatial_dims not in (None, 2, 3):
        raise ValueError(f"spatial_dims should be 2 or 3, got {spatial_dims}.")
    if channels is not None and channels < 1:
        raise ValueError(f"channels should be at least 1, got {channels}.")
    root = Path(path)
    if dataset is None and root.is_file() and is_stored_set(root):
        return _read_stored(root, channels, spatial_dims, limits)
    files = find_files(root)
    limits, indices = limits or Limits(), indices_for(grey)
    asked = Asked(spatial_dims, dataset, shape, dtype, axes, limits, indices)
    sources = [open_asked(file, asked) for file in files]
    keep_colour = channels == 3 and any(source.colour for source in sources)
    check_alike(sources, keep_colour, limits)

    base = root if root.is_dir() else root.parent
    names = names_of(sources, base)
    raw = _decode_all(sources, names)
    read = read_phases(
        raw,
        grey=grey,
        channels=channels,
        names=names,
        indexed=sources[0].indexed,
        lossy=any(source.lossy for source in sources),
    )
    log.info("%s: %s", path, read.reading)
    counts = [source.shape[0] for source in sources]
    class_names, classes = classes_of(files, root)
    return Dataset(
        images=read.images,
        labels=np.repeat(classes, counts),
        class_names=class_names,
        sources=names,
        parents=share_parents(parents_of(sources), find_duplicates(read.images, constant=False)),
        content=read.content,
        voxel_size_m=common_voxel_size(sources),
        reading=read.reading,
        places=Places.of_whole(len(read.images), read.images.ndim - 2),
    )


def indices_for(grey: str) -> Indices:
    """What the indices of a palette are taken for where grey levels are treated so."""
    return grey if grey == "auto" or grey == "labels" else "picture"


def _read_stored(
    path: Path, channels: int | None, spatial_dims: int | None, limits: Limits | None
) -> Dataset:
    """A set that is stored with what it is, which must be what is asked for."""
    data = read_set(path, limits)
    groups = find_duplicates(data.images, constant=False)
    data = replace(data, parents=share_parents(data.parents, groups))
    for name, wanted, got in (
        ("channels", channels, data.image_shape[0]),
        ("spatial_dims", spatial_dims, data.spatial_dims),
    ):
        if wanted not in (None, got):
            raise DataError(
                f"{path}: expected {name}={wanted}, got a prepared set with {got}; leave it out, "
                "or prepare the set again."
            )
    return data


def common_voxel_size(sources: list[Source]) -> VoxelSize | None:
    """The voxel size that all files say; None if one does not, or two differ by 0.1 %."""
    first = sources[0].voxel_size_m
    for source in sources:
        size = source.voxel_size_m
        if first is None or size is None or not np.allclose(size, first, rtol=1e-3, atol=0):
            return None
    return first


def check_alike(
    sources: list[Source], keep_colour: bool, limits: Limits, *, one_size: bool = True
) -> None:
    """Refuse files too large, or of another size, channels or bit depth than the first."""
    first, total = sources[0], 0
    for source in sources:
        total += math.prod(source.shape)
        one = max(math.prod(source.shape[1:]), 1)
        n = -(-total // one)  # of this size, where they are of several
        limits.check((n, *source.shape[1:]), f"{source.path} and the files before it")
        same = source.shape[2:] == first.shape[2:]
        if not same if one_size else len(source.shape) != len(first.shape):
            raise DataError(
                f"{source.path}: expected {by(first.shape[2:])} voxels as in {first.path.name}, "
                f"got {by(source.shape[2:])}; crop or resize to one size, cut patches of one size "
                "(--patch), or read each size by itself."
            )
        wanted, got = channels_of(first, keep_colour), channels_of(source, keep_colour)
        if wanted != got:
            raise DataError(
                f"{source.path}: expected {wanted} channels as in {first.path.name}, got {got}; "
                "save all as grey or all as colour."
            )
        if source.indexed != first.indexed:
            raise DataError(
                f"{source.path}: expected {_palette(first)} as {first.path.name}, got "
                f"{_palette(source)}; save all in one way."
            )
        if source.dtype != first.dtype:
            raise DataError(
                f"{source.path}: expected {first.dtype} values as in {first.path.name}, got "
                f"{source.dtype}; save all with one bit depth."
            )


def _palette(source: Source) -> str:
    return "indices of a palette" if source.indexed else "levels without a palette"


def channels_of(source: Source, keep_colour: bool) -> int:
    """Channels of the images of a file once colours have become grey, unless they are kept."""
    return 1 if source.colour and not keep_colour else source.shape[1]


def names_of(sources: list[Source], base: Path) -> tuple[str, ...]:
    """One name a row: the file, and its row if it holds several."""
    names: list[str] = []
    for source in sources:
        name, rows = source.path.relative_to(base).as_posix(), source.shape[0]
        names += [name] if rows == 1 else [f"{name}[{row}]" for row in range(rows)]
    return tuple(names)


def parents_of(sources: list[Source]) -> np.ndarray:
    """A number a specimen: one a file of pictures, one a row of an array file."""
    parents, count = [], 0
    for source in sources:
        rows = source.shape[0]
        parents.append(count + np.arange(rows) // (source.images_a_parent or rows))
        count = parents[-1][-1] + 1
    return np.concatenate(parents)


def _decode_all(sources: list[Source], names: tuple[str, ...]) -> np.ndarray:
    """All images as stored, (n, c, *space), with each file's values checked as it is read.

    Grey images among colours have three equal channels.
    """
    first = sources[0]
    n = sum(source.shape[0] for source in sources)
    channels = max(source.shape[1] for source in sources)
    raw = np.empty((n, channels, *first.shape[2:]), first.dtype)
    row = 0
    for source in sources:
        images = decode(source, names[row : row + source.shape[0]])
        raw[row : row + len(images)] = images
        row += len(images)
    return raw


def decode(source: Source, names: Sequence[str]) -> np.ndarray:
    """Images of one file as stored, (n, c, *space), which are what its header says, and finite.

    Raises
    ------
    DataError
        Naming the file, or the row by ``names``.
    """
    images = decode_unchecked(source)
    check_finite(images, names)
    return images


def decode_unchecked(source: Source) -> np.ndarray:
    """As `decode`, with values that may be infinite or no numbers."""
    with reading(source.path):
        images = source.decode()
        if images.shape != source.shape or images.dtype != source.dtype:
            raise DataError(
                f"{source.path}: its header says {by(source.shape)} {source.dtype}, its data "
                f"are {by(images.shape)} {images.dtype}; save it again."
            )
    return images

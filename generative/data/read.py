"""Folders and files of micrographs and volumes, read into one checked array."""

import logging
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path

import numpy as np
from jaxtyping import Float32

from generative.data.check import Limits, by, check_finite, reading
from generative.data.content import PICTURES, kind_of
from generative.data.dataset import Dataset
from generative.data.palette import Indices
from generative.data.phases import Grey, read_phases
from generative.data.readers import READERS, open_source
from generative.data.source import Source
from generative.data.stored_set import is_stored_set, read_set
from generative.data.voxel_size import VoxelSize
from generative.errors import DataError

log = logging.getLogger("generative.data")

# Pictures and volumes we do not read: better refused than left out unseen.
# fmt: off
_FOREIGN = frozenset({
    ".gif", ".webp", ".jp2", ".j2k", ".tga", ".ppm", ".pgm", ".pbm", ".heic", ".dm3", ".dm4",
    ".czi", ".lif", ".nd2", ".svs", ".vsi", ".vtk", ".nrrd", ".mha", ".mhd",
    ".nii", ".am", ".hdr", ".img",
})
# fmt: on


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
    tells apart. Each picture and each row of an array is a parent of its own; slices share one.
    The voxel size is known if all files say the same. A set that ``latentopt data prepare`` wrote
    comes back as it is, whatever ``grey`` says.

    Hidden files and files that are not pictures (notes, tables) are passed over; pictures of a
    format that is not read are refused.

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
    opened = {"spatial_dims": spatial_dims, "dataset": dataset, "shape": shape, "dtype": dtype}
    opened |= {"axes": axes, "limits": limits, "indices": indices_for(grey)}
    sources = [open_source(file, **opened) for file in files]
    keep_colour = channels == 3 and any(source.colour for source in sources)
    _check_alike(sources, keep_colour, limits or Limits())

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
        parents=parents_of(sources),
        content=read.content,
        voxel_size_m=_common_voxel_size(sources),
        reading=read.reading,
    )


def indices_for(grey: str) -> Indices:
    """What the indices of a palette are taken for where grey levels are treated so."""
    return {"auto": "auto", "labels": "labels"}.get(grey, "picture")


def _read_stored(
    path: Path, channels: int | None, spatial_dims: int | None, limits: Limits | None
) -> Dataset:
    """A set that is stored with what it is, which must be what is asked for."""
    data = read_set(path, limits)
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


def _common_voxel_size(sources: list[Source]) -> VoxelSize | None:
    """The voxel size that all files say; None if one does not, or two differ by 0.1 %."""
    first = sources[0].voxel_size_m
    for source in sources:
        size = source.voxel_size_m
        if first is None or size is None or not np.allclose(size, first, rtol=1e-3, atol=0):
            return None
    return first


def find_files(root: Path) -> list[Path]:
    """The file itself, or the images of a folder and its subfolders in sorted order."""
    if root.is_file():
        return [root]
    found = list_files(root)
    files, foreign = images_among(found)
    if foreign:
        raise DataError(
            f"{foreign[0]}: pictures of this format are not read ({len(foreign)} of {len(found)} "
            f"files); convert them to PNG or TIFF, or move them out of the folder."
        )
    if not files:
        others = f", only {', '.join(file.name for file in found[:3])}" if found else ""
        raise DataError(
            f"{root}: holds no images{others}; expected files ending in {', '.join(READERS)}."
        )
    return files


def list_files(root: Path) -> list[Path]:
    """Files of a folder and its subfolders that are not hidden, in sorted order."""
    if not root.is_dir():
        raise DataError(f"{root}: no such file or folder; check the path.")
    with reading(root):
        return sorted(_visible_files(root))


def images_among(files: Iterable[Path]) -> tuple[list[Path], list[Path]]:
    """Those whose ending is of a format that is read, and pictures of other formats."""
    files = list(files)
    foreign = [file for file in files if _is_foreign(file)]
    return [file for file in files if file.suffix.lower() in READERS], foreign


def _is_foreign(file: Path) -> bool:
    """A picture that would be left out unseen: by its ending, or by its content without one."""
    suffix = file.suffix.lower()
    if suffix in _FOREIGN:
        return True
    if suffix:
        return False
    with suppress(OSError, DataError):
        return kind_of(file) in PICTURES
    return False


def _visible_files(folder: Path) -> Iterator[Path]:
    for place, subfolders, names in os.walk(folder, onerror=_raise):
        subfolders[:] = [name for name in subfolders if not name.startswith(".")]
        yield from (Path(place, name) for name in names if not name.startswith("."))


def _raise(error: OSError) -> None:
    raise error


def classes_of(files: list[Path], root: Path) -> tuple[tuple[str, ...], np.ndarray]:
    """Class names and the class of each file: the subfolder, or one class for all."""
    if root.is_file():
        return (root.stem,), np.zeros(1, np.int64)
    parts = [file.relative_to(root).parts for file in files]
    loose = [file for file, part in zip(files, parts, strict=True) if len(part) == 1]
    if len(loose) == len(files):
        return (root.resolve().name,), np.zeros(len(files), np.int64)
    if loose:
        more = f" (and {len(loose) - 1} more)" if len(loose) > 1 else ""
        raise DataError(
            f"{loose[0]}: lies beside class folders{more}; move it into one of them, or move all "
            "images into one folder."
        )
    names, classes = np.unique([part[0] for part in parts], return_inverse=True)
    return tuple(names.tolist()), classes.astype(np.int64)


def _check_alike(sources: list[Source], keep_colour: bool, limits: Limits) -> None:
    """Refuse files too large, or of another size, channels or bit depth than the first."""
    first, n = sources[0], 0
    for source in sources:
        n += source.shape[0]
        limits.check((n, *source.shape[1:]), f"{source.path} and the files before it")
        if source.shape[2:] != first.shape[2:]:
            raise DataError(
                f"{source.path}: expected {by(first.shape[2:])} voxels as in {first.path.name}, "
                f"got {by(source.shape[2:])}; crop or resize to one size, or read each size by "
                "itself."
            )
        if _channels(source, keep_colour) != _channels(first, keep_colour):
            raise DataError(
                f"{source.path}: expected {_channels(first, keep_colour)} channels as in "
                f"{first.path.name}, got {_channels(source, keep_colour)}; save all as grey or all "
                "as colour."
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


def _channels(source: Source, keep_colour: bool) -> int:
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

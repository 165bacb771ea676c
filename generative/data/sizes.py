"""Images of several sizes, one data set a size; what values mean is told over all of them."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from generative.data.check import Limits
from generative.data.dataset import Dataset, Places
from generative.data.duplicates import find_duplicates, share_parents
from generative.data.find import classes_of, find_files
from generative.data.formats.readers import open_source
from generative.data.formats.source import Source
from generative.data.grey.meaning import Grey, meaning_of
from generative.data.grey.phases import Content, as_phases
from generative.data.patches import extract_patches
from generative.data.read import (
    check_alike,
    common_voxel_size,
    decode,
    indices_for,
    log,
    names_of,
    parents_of,
    read_dataset,
)


def read_by_size(
    path: Path | str,
    *,
    grey: Grey = "auto",
    channels: int | None = None,
    spatial_dims: int | None = None,
    axes: str | None = None,
    limits: Limits | None = None,
) -> list[Dataset]:
    """Images of a folder or file, as `read_dataset` takes them, which may be of several sizes.

    Returns
    -------
    A data set for each size, in the order of their first image. Parents, classes and places are
    numbered over all of them.

    Raises
    ------
    DataError, ValueError
        As `read_dataset`, but for sizes.
    """
    root = Path(path)
    opened: dict[str, Any] = {"spatial_dims": spatial_dims, "axes": axes, "limits": limits}
    files = find_files(root)
    sources: list[Source] = []
    if len(files) > 1:
        sources = [open_source(file, indices=indices_for(grey), **opened) for file in files]
    # A single file holds one size, or says that it is a set that was prepared.
    if len({source.shape[2:] for source in sources}) <= 1:
        return [read_dataset(path, grey=grey, channels=channels, **opened)]
    keep_colour = channels == 3 and any(source.colour for source in sources)
    check_alike(sources, keep_colour, limits or Limits(), one_size=False)

    names = names_of(sources, root)
    told = _told_together(_decode_each(sources, names), sources, grey, channels, names)
    log.info("%s: %s", path, told.reading)
    class_names, classes = classes_of(files, root)
    labels = np.repeat(classes, [source.shape[0] for source in sources])
    parents = share_parents(parents_of(sources), find_duplicates(told.images, constant=False))
    by_size: dict[tuple[int, ...], list[int]] = {}
    for row, image in enumerate(told.images):
        by_size.setdefault(image.shape, []).append(row)
    return [
        Dataset(
            images=np.stack([told.images[row] for row in rows]),
            labels=labels[rows],
            class_names=class_names,
            sources=tuple(names[row] for row in rows),
            parents=parents[rows],
            content=told.content,
            voxel_size_m=common_voxel_size(sources),
            reading=told.reading,
            places=Places.of_whole(len(names), len(shape) - 1).subset(np.array(rows)),
        )
        for shape, rows in by_size.items()
    ]


def read_patches(
    path: Path | str, size: int | tuple[int, ...], *, stride: int | None = None, **asked: Any
) -> Dataset:
    """Patches of all images of a folder or file, whatever their sizes; as `extract_patches`."""
    groups = read_by_size(path, **asked)
    return Dataset.joined([extract_patches(group, size, stride=stride) for group in groups])


class _Told(NamedTuple):
    """Images (k, *space) of any sizes, what they are, and what became of their values."""

    images: list[np.ndarray]
    content: Content
    reading: str


def _decode_each(sources: Sequence[Source], names: Sequence[str]) -> list[np.ndarray]:
    """Images (c, *space) as stored; grey ones among colours have three equal channels."""
    channels = max(source.shape[1] for source in sources)
    raw: list[np.ndarray] = []
    for source in sources:
        images = decode(source, names[len(raw) : len(raw) + source.shape[0]])
        raw += list(images.repeat(channels // images.shape[1], axis=1))
    return raw


def _told_together(
    raw: Sequence[np.ndarray],
    sources: Sequence[Source],
    grey: Grey,
    channels: int | None,
    names: Sequence[str],
) -> _Told:
    """What `read_phases` would tell of them if they had one size.

    What values mean is told once; grey levels are cut image by image.
    """
    told = meaning_of(
        raw,
        grey=grey,
        channels=channels,
        names=names,
        indexed=sources[0].indexed,
        lossy=any(source.lossy for source in sources),
    )
    read = [
        as_phases(image[None], told, names=(name,), sure=grey != "auto")
        for image, name in zip(raw, names, strict=True)
    ]
    readings = sorted({one.reading for one in read})
    return _Told([one.images[0] for one in read], read[0].content, "; ".join(readings[:3]))

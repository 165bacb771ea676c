"""What is in a folder or file of images: sizes, values, phases, duplicates, damaged files."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import numpy as np

from generative.data.check import Limits, by, not_finite
from generative.data.dataset import UNLABELLED
from generative.data.duplicates import find_duplicates
from generative.data.find import classes_of, find
from generative.data.formats.readers import open_source
from generative.data.formats.voxel_size import VoxelSize
from generative.data.grey.meaning import MAX_AUTO_PHASES, doubts
from generative.data.grey.phases import Phases, read_phases
from generative.data.grey.segment import luminance
from generative.data.prepared import EMPTY_SPREAD, is_near_empty
from generative.data.read import decode_unchecked, names_of
from generative.data.stored_set import is_stored_set, read_set
from generative.errors import DataError

BINS = 16
HELD_OUT = "held-out: "
PICTURES_A_CLASS = 4

Watch = Callable[[Iterable[Path], int], Iterable[Path]]


@dataclass(frozen=True)
class Inspection:
    """What `inspect_images` found; all of it can be written as JSON but `pictures`.

    Parameters
    ----------
    files, images
        Numbers read; a file may hold several images.
    sizes, channels, types, classes
        Images of each size (``"256x256"``), number of channels, type of value, and class
        (``"unlabelled"`` where there is none).
    voxel_sizes_m
        Images of each voxel size, ``"not known"`` where the file does not say.
    values
        The distinct values if there are 8 or fewer, else the smallest and largest.
    histogram
        Voxels in 16 equal bins from the smallest value to the largest.
    phase_fractions
        Mean share of each phase by class, as `to_phases` tells phases; empty if it cannot.
    reading
        What becomes of the stored values, as `read_phases` says it; empty if it cannot.
    duplicates
        Names of equal images, whether they are so in one orientation, and whether they lie in two
        classes or on both sides of the split.
    near_empty
        Images of which 99 % lies within 2 % of one value.
    left_out
        Files and folders that are no images, are hidden or lead in a circle, a line each.
    problems
        What keeps `read_dataset` from reading it all, a line each.
    pictures
        Up to four of each class: title and image (h, w) in [0, 1], the middle slice of volumes.
    """

    files: int
    images: int
    sizes: Mapping[str, int]
    channels: Mapping[int, int]
    types: Mapping[str, int]
    classes: Mapping[str, int]
    voxel_sizes_m: Mapping[str, int]
    values: tuple[float, ...]
    distinct: bool
    histogram: tuple[int, ...]
    phase_fractions: Mapping[str, tuple[float, ...]]
    reading: str
    duplicates: tuple[Mapping[str, object], ...]
    near_empty: tuple[str, ...]
    left_out: tuple[str, ...]
    problems: tuple[str, ...]
    pictures: tuple[tuple[str, np.ndarray], ...] = field(repr=False)


@dataclass
class _Found:
    """Images as they are read, one entry an image in each list."""

    images: list[np.ndarray] = field(default_factory=list)
    names: list[str] = field(default_factory=list)
    classes: list[str] = field(default_factory=list)
    voxel_sizes: list[VoxelSize | None] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    indexed: list[bool] = field(default_factory=list)
    lossy: bool = False
    reading: str = ""
    grey: bool = False  # a prepared set of grey levels, of which no phases are told
    left_out: list[str] = field(default_factory=list)
    files: int = 0


def inspect_images(
    path: Path,
    *,
    held_out: Path | None = None,
    limits: Limits | None = None,
    watch: Watch = lambda files, n: files,
    **options: object,
) -> Inspection:
    """Everything `read_dataset` would ask of a set, and what it cannot know is wrong with it.

    Damaged files and mixed sizes are reported and passed over, not refused.

    Parameters
    ----------
    path
        Folder or file, as `read_dataset` takes it.
    held_out
        Another one, for duplicates across the two.
    limits
        Largest sizes accepted.
    watch
        ``watch(files, n)`` passes the n files on as they are read, to show how many there are.
    options
        ``spatial_dims``, ``dataset``, ``shape`` and ``dtype`` of `read_dataset`.

    Raises
    ------
    DataError
        If there is no image that can be read.
    """
    found = _Found()
    _read(found, path, "", limits or Limits(), watch, options)
    if held_out is not None:
        _read(found, held_out, HELD_OUT, limits or Limits(), watch, options)
    if not found.images:
        raise DataError("\n".join(found.problems))
    low, high = _range(found.images)
    distinct = _distinct(found.images)
    fractions = _phase_fractions(found)
    return Inspection(
        files=found.files,
        images=len(found.images),
        sizes=_count(by(image.shape[1:]) for image in found.images),
        channels=_count(len(image) for image in found.images),
        types=_count(str(image.dtype) for image in found.images),
        classes=_count(found.classes),
        voxel_sizes_m=_count(_size_text(size) for size in found.voxel_sizes),
        values=distinct or (low, high),
        distinct=distinct is not None,
        histogram=_histogram(found.images, low, high),
        phase_fractions=fractions,
        reading=found.reading,
        duplicates=_duplicates(found),
        near_empty=tuple(
            name
            for name, image in zip(found.names, found.images, strict=True)
            if is_near_empty(image, EMPTY_SPREAD * (high - low))
        ),
        left_out=tuple(found.left_out),
        problems=tuple(found.problems),
        pictures=_pictures(found, low, high),
    )


def _read(
    found: _Found, path: Path, prefix: str, limits: Limits, watch: Watch, options: dict
) -> None:
    root = Path(path)
    if options.get("dataset") is None and root.is_file() and is_stored_set(root):
        _read_stored(found, root, prefix, limits)
        return
    files, class_names, classes = _files(found, root, prefix)
    base = root if root.is_dir() else root.parent
    total = 0
    for file, number in zip(watch(files, len(files)), classes, strict=True):
        try:
            source = open_source(file, limits=limits, **options)
            total += source.decoded_bytes
            if total > limits.total_bytes:
                raise DataError(
                    f"{file}: with the files before it exceeds the limit of "
                    f"{limits.total_bytes:,} bytes; inspect fewer at a time."
                )
            names = names_of([source], base)
            images = decode_unchecked(source)
        except DataError as error:
            found.problems.append(str(error))
            continue
        bad = list(not_finite(images, names))
        found.problems += bad
        good = [row for row, image in enumerate(images) if not bad or np.isfinite(image).all()]
        found.files += 1
        found.images += [images[row] for row in good]
        found.names += [prefix + names[row] for row in good]
        found.classes += [UNLABELLED if number < 0 else class_names[number]] * len(good)
        found.voxel_sizes += [source.voxel_size_m] * len(good)
        found.indexed += [source.indexed] * len(good)
        found.lossy |= source.lossy


def _files(
    found: _Found, root: Path, prefix: str
) -> tuple[list[Path], tuple[str, ...], np.ndarray]:
    """Files that are read, with their classes; what is wrong with the folder is a problem each."""
    listed = find(root)
    files = list(listed.files)
    found.left_out += [prefix + line for line in listed.left_out]
    found.problems += listed.problems
    try:
        return files, *classes_of(files, root)
    except DataError as error:
        found.problems.append(str(error))
        return files, (root.resolve().name,), np.zeros(len(files), np.int64)


def _read_stored(found: _Found, path: Path, prefix: str, limits: Limits) -> None:
    """A prepared set, which says the class and the first file of each image."""
    data = read_set(path, limits)
    found.files += 1
    found.images += list(data.images)
    found.names += [prefix + source for source in data.sources]
    found.classes += [data.class_of(row) for row in range(len(data))]
    found.voxel_sizes += [data.voxel_size_m] * len(data)
    found.indexed += [False] * len(data)
    found.reading = data.reading
    found.grey |= data.content == "grey"


Counted = TypeVar("Counted")


def _count(values: Iterable[Counted]) -> dict[Counted, int]:
    return dict(Counter(values).most_common())


def _size_text(size: VoxelSize | None) -> str:
    return "not known" if size is None else " x ".join(f"{edge:g}" for edge in size)


def _range(images: Sequence[np.ndarray]) -> tuple[float, float]:
    return (
        float(min(image.min() for image in images)),
        float(max(image.max() for image in images)),
    )


def _distinct(images: Sequence[np.ndarray], most: int = 8) -> tuple[float, ...] | None:
    seen: set[float] = set()
    for image in images:
        seen.update(float(value) for value in np.unique(image)[: most + 1])
        if len(seen) > most:
            return None
    return tuple(sorted(seen))


def _histogram(images: Sequence[np.ndarray], low: float, high: float) -> tuple[int, ...]:
    counts = np.zeros(BINS, np.int64)
    for image in images:
        counts += np.histogram(image, BINS, (low, high))[0]
    return tuple(counts.tolist())


def _phase_fractions(found: _Found) -> dict[str, tuple[float, ...]]:
    """By class; what keeps phases from being told is added to the problems."""
    kinds: dict[tuple, list[int]] = {}
    for row, image in enumerate(found.images):
        kinds.setdefault((image.shape, str(image.dtype), found.indexed[row]), []).append(row)
    if len(kinds) > 1:
        _tell_kinds(found, kinds)
    if found.grey:
        return {}
    read = [_read_kind(found, rows) for rows in kinds.values()]
    if len(kinds) > 1 or read[0] is None:
        return {}
    images = read[0].images
    found.reading = found.reading or read[0].reading
    if read[0].content != "phases":
        return {}
    shares = images.reshape(*images.shape[:2], -1).mean(axis=-1, dtype=np.float64)
    shares = np.concatenate([1 - shares, shares], axis=1) if shares.shape[1] == 1 else shares
    classes = np.array(found.classes)
    return {
        name: tuple(shares[classes == name].mean(axis=0).tolist()) for name in _count(found.classes)
    }


def _tell_kinds(found: _Found, kinds: Mapping[tuple, list[int]]) -> None:
    """Images unlike the most frequent kind are a problem each."""

    def text(kind: tuple) -> str:
        return f"{by(kind[0])} {kind[1]}{' with a palette' if kind[2] else ''}"

    ordered = sorted(kinds, key=lambda kind: -len(kinds[kind]))
    listed = ", ".join(text(kind) for kind in ordered[:4])
    found.problems.append(
        f"{len(kinds)} kinds of images ({listed}): read_dataset expects one size, bit depth "
        "and number of channels; read each by itself, or cut patches with data prepare."
    )
    usual = found.names[kinds[ordered[0]][0]]
    found.problems += [
        f"{found.names[row]}: is {text(kind)}, unlike {usual} ({text(ordered[0])})."
        for kind in ordered[1:]
        for row in kinds[kind]
    ]


def _read_kind(found: _Found, rows: Sequence[int]) -> Phases | None:
    """Phases of images of one kind, or None, with a problem for each image that keeps from it."""
    raw, names = np.stack([found.images[row] for row in rows]), [found.names[row] for row in rows]
    try:
        return read_phases(raw, names=names, indexed=found.indexed[rows[0]], lossy=found.lossy)
    except DataError as error:
        found.problems.append(str(error))
        if raw.shape[1] == 1 and not found.indexed[rows[0]]:
            many = len(np.unique(raw[0])) > MAX_AUTO_PHASES
            others = doubts(raw, names, lossy=found.lossy) if many else []
            found.problems += [line for line in others if not str(error).startswith(line)]
        return None


def _duplicates(found: _Found) -> tuple[dict[str, object], ...]:
    groups: list[dict[str, object]] = []
    for rows, exact in find_duplicates(found.images):
        names = [found.names[row] for row in rows]
        groups.append(
            {
                "images": names,
                "exact": exact,
                "across_classes": len({found.classes[row] for row in rows}) > 1,
                "across_split": len({name.startswith(HELD_OUT) for name in names}) > 1,
            }
        )
    return tuple(groups)


def _pictures(found: _Found, low: float, high: float) -> tuple[tuple[str, np.ndarray], ...]:
    chosen = []
    for name in _count(found.classes):
        rows = [row for row, of in enumerate(found.classes) if of == name]
        spread = np.linspace(0, len(rows) - 1, min(PICTURES_A_CLASS, len(rows)))
        chosen += [rows[int(at)] for at in spread]
    images = [found.images[row][: 1 if found.grey else None] for row in chosen]
    return tuple(
        (found.names[row], flat_grey(image, low, high))
        for row, image in zip(chosen, images, strict=True)
    )


def flat_grey(image: np.ndarray, low: float, high: float) -> np.ndarray:
    """One image (c, *space) as grey levels (h, w) in [0, 1]; the middle slice of a volume.

    Three channels become their luminance; of others the number of the largest is drawn.
    """
    if image.ndim == 4:
        image = image[:, image.shape[1] // 2]
    if len(image) == 3:
        image = luminance(image[None])[0]
    if len(image) > 1:
        return image.argmax(axis=0) / (len(image) - 1)
    return (image[0].astype(np.float64) - low) / ((high - low) or 1)

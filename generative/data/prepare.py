"""From micrographs as they come to a data set of patches, each with its provenance."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from generative.data.check import Limits, by
from generative.data.dataset import UNLABELLED, Dataset, Places
from generative.data.find import as_labels, classes_of, find_files
from generative.data.formats.readers import open_asked
from generative.data.formats.source import Asked
from generative.data.formats.voxel_size import VoxelSize
from generative.data.grey.denoise import denoise
from generative.data.grey.meaning import Meaning, one_population
from generative.data.grey.phases import Phases, as_phases, read_phases
from generative.data.grey.segment import one_hot
from generative.data.grey.segmentation import Segmentation, segment
from generative.data.inspection import flat_grey
from generative.data.opened import (
    Opened,
    check_sources,
    cropped,
    naming_segmentation,
    open_images,
    told,
)
from generative.data.patches import patch_regions, region_name
from generative.data.preparation import Preparation, ask, settled
from generative.data.prepared import Prepared, WholeImages, put_together
from generative.data.read import indices_for, parents_of
from generative.errors import DataError

Watch = Callable[[Iterable["_Image"], int], Iterable["_Image"]]


@dataclass
class _Image:
    """One image on its way, and what was done to it."""

    values: np.ndarray  # (c, *space) as stored; phases (1, *space) once it is segmented
    before: np.ndarray
    stored: np.ndarray  # as in the file
    name: str
    record: dict[str, Any]  # as JSON


def prepare_images(
    path: Path,
    how: Preparation,
    *,
    voxel_size_m: VoxelSize | None = None,
    limits: Limits | None = None,
    watch: Watch = lambda images, n: images,
    spatial_dims: int | None = None,
    dataset: str | None = None,
    shape: Sequence[int] | None = None,
    dtype: str | np.dtype | None = None,
    axes: str | None = None,
) -> Prepared:
    """Crop, denoise, segment and cut the images of a folder or file; sizes may differ.

    Parameters
    ----------
    path
        As `read_dataset` takes it.
    how
        What is done.
    voxel_size_m
        Instead of what the files say, along (z,) y, x; one length is that of all axes.
    limits
        Largest sizes accepted, of each file and of all patches.
    watch
        ``watch(images, n)`` passes the n images on as they are made, to show how many there are.
    spatial_dims, dataset, shape, dtype, axes
        As `read_dataset`.

    Raises
    ------
    DataError
        For files that cannot be read, are of several bit depths, channels or voxel sizes, or are
        smaller than a patch; and for images that cannot be segmented.
    """
    limits = limits or Limits()
    root = Path(path)
    files = find_files(root)
    class_names, classes = classes_of(files, root)
    treatment = "otsu" if isinstance(how.segmentation, Segmentation) else how.segmentation
    indices = indices_for(treatment)
    asked = Asked(spatial_dims, dataset, shape, dtype, axes, limits, indices)
    with naming_segmentation():
        sources = [open_asked(file, asked) for file in files]
    size = check_sources(sources, how, voxel_size_m, limits)
    cut = _Patches(how, limits)
    firsts: dict[str, tuple[_Image, int]] = {}
    base = root if root.is_dir() else root.parent
    opened: Iterable[Opened] = (open_images(each, base, how) for each in sources)
    meaning = None
    if treatment == "auto" or treatment == "labels":
        opened = list(opened)
        with naming_segmentation():
            meaning = told(opened, treatment)
        how = settled(how, meaning)
    class_of = [UNLABELLED if number < 0 else class_names[number] for number in classes]
    made = _all_images(base, opened, class_of, parents_of(sources).tolist(), _Work(how, meaning))
    for image in watch(made, sum(source.shape[0] for source in sources)):
        image.record["voxel_size_m"] = size and list(size)
        firsts.setdefault(image.record["class"], (image, len(cut.patches)))
        cut.add(image)
    read = _as_phases(np.stack(cut.patches), _Work(how, meaning), cut.names)
    if not isinstance(how.segmentation, Segmentation):
        for record in cut.records:
            record["steps"] = [*record["steps"], read.reading]
    patches = Dataset(
        images=read.images,
        labels=as_labels([record["class"] for record in cut.records])[1],
        class_names=class_names,
        sources=tuple(cut.names),
        parents=np.array([record["parent"] for record in cut.records]),
        content=read.content,
        voxel_size_m=size,
        reading=read.reading,
        places=cut.places,
    )
    pictures = tuple(_picture(name, *first, read.images, how) for name, first in firsts.items())
    drop = {"drop_empty": how.drop_empty, "drop_duplicates": how.drop_duplicates}
    put, records, findings = put_together(patches, cut.records, cut.whole, **drop)
    return Prepared(put, records, pictures, replace(findings, images=tuple(cut.facts)))


class _Patches:
    """Patches as they are cut, one entry each in `patches`, `names` and `records`."""

    def __init__(self, how: Preparation, limits: Limits) -> None:
        self.how, self.limits, self.whole = how, limits, WholeImages()
        self.patches: list[np.ndarray] = []
        self.names: list[str] = []
        self.records: list[dict[str, Any]] = []
        self.facts: list[dict[str, object]] = []  # of each whole image
        self._origins: list[int] = []

    def add(self, image: _Image) -> None:
        """Cut an image, or take it whole."""
        same_as = self.whole.add(image.name, image.stored, image.values)
        known = image.record if same_as is None else {**image.record, "same_as": same_as}
        of_image = {name: known[name] for name in ("thresholds", "cropped")}
        self.facts.append({"name": image.name, **of_image})
        space = image.values.shape[1:]
        regions = patch_regions(space, self.how.patch or space, self.how.stride, image.name)
        first = (self.patches or [image.values[(slice(None), *regions[0])]])[0]
        self.limits.check((len(self.patches) + len(regions), *first.shape), image.name)
        for region in regions:
            cut = image.values[(slice(None), *region)]
            if cut.shape != first.shape:
                raise DataError(
                    f"{image.name}: expected {by(first.shape[1:])} voxels as before, got "
                    f"{by(cut.shape[1:])}; give a patch, which every image is cut into."
                )
            place = _in_file(region, image)
            self.patches.append(cut.copy())
            self.names.append(region_name(image.name, place) if self.how.patch else image.name)
            offset = [side.start for side in place]
            self.records.append({**known, "offset": offset, "size": list(cut.shape[1:])})
            self._origins.append(len(self.facts) - 1)

    @property
    def places(self) -> Places:
        """Where each patch lies in its image."""
        offsets = np.array([record["offset"] for record in self.records])
        copies = np.array(["same_as" in record for record in self.records])
        return Places(np.array(self._origins), offsets, copies)


def _in_file(region: tuple[slice, ...], image: _Image) -> tuple[slice, ...]:
    """A region of what is left of an image, in voxels of the whole one."""
    *before, rows, columns = region
    top = image.record["cropped"][0]
    return (*before, slice(rows.start + top, rows.stop + top), columns)


@dataclass(frozen=True)
class _Work:
    """What is done, and what the values of the whole set mean if that was told before."""

    how: Preparation
    meaning: Meaning | None


def _all_images(
    base: Path, opened: Iterable[Opened], class_of: list[str], parents: list[int], work: _Work
) -> Iterator[_Image]:
    """Each image of each file, with its class and parent."""
    numbers = iter(parents)
    for each, name in zip(opened, class_of, strict=True):
        file = each.source.path.relative_to(base).as_posix()
        for image in _images(each, work):
            image.record |= {"file": file, "class": name, "parent": next(numbers)}
            yield image


def _images(opened: Opened, work: _Work) -> Iterator[_Image]:
    """Each image of a file, cropped, denoised and segmented."""
    how, meaning, source = work.how, work.meaning, opened.source
    stored = opened.stored if meaning is None else meaning.levels(opened.stored)
    low, high = float(stored.min()), float(stored.max())
    for row, (values, name) in enumerate(zip(stored, opened.names, strict=True)):
        steps: list[str] = []
        levels: tuple[float, ...] = ()
        before = flat_grey(values, low, high)
        if source.shape[1] == 3 and len(values) == 1 and (not meaning or meaning.colours is None):
            steps.append("colours to grey (ITU-R BT.709)")
        bars = opened.bars[row]
        values = cropped(values, bars, name)
        sides = zip(bars, ("top", "bottom"), strict=True)
        steps += [f"cut {rows} rows off the {side}" for rows, side in sides if rows]
        if how.denoised:
            smooth, noise = denoise(values)
            whole = source.dtype.kind in "iu"
            values = (np.rint(smooth) if whole else smooth).astype(source.dtype)
            steps.append(f"denoised by non-local means, noise {noise:.4g}")
        if isinstance(how.segmentation, Segmentation):
            phases, levels = segment(values, how.segmentation, name=name)
            if meaning is not None:
                ask(one_population(values, levels[0], name))
            values = phases[None]
            at = f" at {', '.join(f'{level:.6g}' for level in levels)}" if levels else ""
            steps.append(f"{how.segmentation.phases} phases by {how.segmentation.method}{at}")
        record = {"row": row, "steps": steps, "thresholds": list(levels), "cropped": list(bars)}
        yield _Image(values, before, stored[row], name, record)


def _as_phases(patches: np.ndarray, work: _Work, names: list[str]) -> Phases:
    how = work.how
    if not isinstance(how.segmentation, Segmentation):
        if work.meaning is not None:
            return as_phases(patches, work.meaning, names=names)
        return read_phases(patches, grey="keep", channels=3 if how.colour else None, names=names)
    count, method = how.segmentation.phases, how.segmentation.method
    reading = f"values became phases 0 to {count - 1} by {method}, the darkest first"
    if count == 2:
        return Phases(patches.astype(np.float32), "phases", reading)
    return Phases(one_hot(patches[:, 0], count, names=names), "phases", reading)


def _picture(
    name: str, image: _Image, row: int, images: np.ndarray, how: Preparation
) -> tuple[str, np.ndarray, np.ndarray]:
    """The first image of a class; where phases are told by the whole set, its first patch."""
    if isinstance(how.segmentation, Segmentation):
        return name, image.before, flat_grey(image.values, 0.0, how.segmentation.phases - 1.0)
    return name, image.before, flat_grey(images[row], 0.0, 1.0)

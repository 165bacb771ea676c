"""From micrographs as they come to a data set of patches, each with its provenance."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

import numpy as np

from generative.data.check import Limits, by
from generative.data.dataset import Dataset, Places
from generative.data.denoise import denoise, info_bars
from generative.data.find import classes_of, find_files
from generative.data.inspection import flat_grey
from generative.data.patches import patch_regions, region_name
from generative.data.phases import MAX_AUTO_PHASES, Phases, doubts, read_phases
from generative.data.prepared import Prepared, WholeImages, put_together
from generative.data.read import decode, indices_for, names_of, parents_of
from generative.data.readers import open_source
from generative.data.segment import luminance, one_hot
from generative.data.segmentation import Segmentation, segment
from generative.data.source import Source
from generative.data.voxel_size import VoxelSize, check_voxel_size
from generative.errors import DataError

Watch = Callable[[Iterable["_Image"], int], Iterable["_Image"]]


@dataclass(frozen=True)
class Preparation:
    """What is done to each image, in this order.

    Parameters
    ----------
    info_bar
        Rows cut off the bottom: a number, or ``"auto"`` for `info_bars` at bottom and top.
    denoised
        Non-local means first.
    segmentation
        How grey levels become phases; or ``"labels"``: every distinct value of the set is one; or
        ``"keep"``: the levels are kept, scaled to [0, 1].
    colour
        Keep three colour channels; else they become grey. With ``"keep"`` or k-means.
    patch
        Side of the patches, one number or one an axis; None takes whole images of one size.
    stride
        From one patch to the next; the side by default.
    ask
        Refuse images that Otsu's threshold would cut although they show no two populations
        (`doubts`), instead of doing as said.
    drop_empty
        Leave out images of which 99 % lies within 2 % of one value.
    drop_duplicates
        Leave out images that equal an earlier one, mirrored and turned ones too.

    Raises
    ------
    ValueError
        For settings that would have no effect, or spoil the others.
    """

    info_bar: int | Literal["auto"] = 0
    denoised: bool = False
    segmentation: Segmentation | Literal["labels", "keep"] = field(default_factory=Segmentation)
    colour: bool = False
    patch: int | tuple[int, ...] | None = None
    stride: int | tuple[int, ...] | None = None
    ask: bool = False
    drop_empty: bool = False
    drop_duplicates: bool = False

    def __post_init__(self) -> None:
        method = getattr(self.segmentation, "method", self.segmentation)
        if self.stride is not None and self.patch is None:
            raise ValueError("stride is from patch to patch: set patch (--patch), or leave it out.")
        if self.colour and method not in ("keep", "k_means"):
            raise ValueError(f"colour is for keep and k_means: {method} takes grey levels.")
        if self.denoised and method == "labels":
            raise ValueError("denoised labels are none: take one of the other segmentations.")


@dataclass
class _Image:
    """One image on its way, and what was done to it."""

    values: np.ndarray  # (c, *space) as stored; phases (1, *space) once it is segmented
    before: np.ndarray
    stored: np.ndarray  # as in the file
    name: str
    record: dict[str, object]


def prepare_images(
    path: Path,
    how: Preparation,
    *,
    voxel_size_m: VoxelSize | None = None,
    limits: Limits | None = None,
    watch: Watch = lambda images, n: images,
    **options: object,
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
    options
        ``spatial_dims``, ``dataset``, ``shape`` and ``dtype`` of `read_dataset`.

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
    kept = isinstance(how.segmentation, str)
    options["indices"] = indices_for(how.segmentation if kept else "otsu")
    sources = [open_source(file, limits=limits, **options) for file in files]
    size = _checked(sources, how, voxel_size_m, limits)
    cut = _Patches(how, limits)
    firsts: dict[str, tuple[_Image, int]] = {}
    made = _all_images(root, sources, [class_names[number] for number in classes], how)
    for image in watch(made, sum(source.shape[0] for source in sources)):
        image.record["voxel_size_m"] = size and list(size)
        firsts.setdefault(image.record["class"], (image, len(cut.patches)))
        cut.add(image)
    read = _as_phases(np.stack(cut.patches), how, cut.names, indexed=sources[0].indexed)
    if kept:
        for record in cut.records:
            record["steps"] = [*record["steps"], read.reading]
    dataset = Dataset(
        images=read.images,
        labels=np.array([class_names.index(record["class"]) for record in cut.records]),
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
    put, records, findings = put_together(dataset, cut.records, cut.whole, **drop)
    return Prepared(put, records, pictures, replace(findings, images=tuple(cut.facts)))


class _Patches:
    """Patches as they are cut, one entry each in `patches`, `names` and `records`."""

    def __init__(self, how: Preparation, limits: Limits) -> None:
        self.how, self.limits, self.whole = how, limits, WholeImages()
        self.patches: list[np.ndarray] = []
        self.names: list[str] = []
        self.records: list[dict[str, object]] = []
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


def _checked(
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


def _all_images(
    root: Path, sources: list[Source], class_of: list[str], how: Preparation
) -> Iterator[_Image]:
    """Each image of each file, with its class and parent."""
    base = root if root.is_dir() else root.parent
    parents = iter(parents_of(sources).tolist())
    for source, name in zip(sources, class_of, strict=True):
        file = source.path.relative_to(base).as_posix()
        for image in _images(source, names_of([source], base), how):
            image.record |= {"file": file, "class": name, "parent": next(parents)}
            yield image


def _images(source: Source, names: tuple[str, ...], how: Preparation) -> Iterator[_Image]:
    """Each image of a file, cropped, denoised and segmented."""
    stored = decode(source, names)
    if _to_grey(source, how):
        stored = luminance(stored)
    low, high = float(stored.min()), float(stored.max())
    for row, values in enumerate(stored):
        steps: list[str] = []
        levels: tuple[float, ...] = ()
        before = flat_grey(values, low, high)
        if _to_grey(source, how):
            steps.append("colours to grey (ITU-R BT.709)")
        bars = _bars(values, how.info_bar, names[row])
        values = _cropped(values, bars, names[row], steps)
        if how.denoised:
            smooth, noise = denoise(values)
            whole = source.dtype.kind in "iu"
            values = (np.rint(smooth) if whole else smooth).astype(source.dtype)
            steps.append(f"denoised by non-local means, noise {noise:.4g}")
        if isinstance(how.segmentation, Segmentation):
            if how.ask:
                _ask(values, names[row])
            phases, levels = segment(values, how.segmentation, name=names[row])
            values = phases[None]
            at = f" at {', '.join(f'{level:.6g}' for level in levels)}" if levels else ""
            steps.append(f"{how.segmentation.phases} phases by {how.segmentation.method}{at}")
        record = {"row": row, "steps": steps, "thresholds": list(levels), "cropped": list(bars)}
        yield _Image(values, before, stored[row], names[row], record)


def _ask(values: np.ndarray, name: str) -> None:
    """Refuse an image that `doubts` speak against; few values are answered by a note."""
    if len(np.unique(values)) > MAX_AUTO_PHASES and (found := doubts(values[None], [name])):
        raise DataError(
            f"{found[0]}; pass --segment otsu to cut it all the same, or --segment labels, keep or "
            "thresholds, or leave it out."
        )


def _bars(values: np.ndarray, rows: int | str, name: str) -> tuple[int, int]:
    """Rows to cut off the top and the bottom."""
    if rows != "auto":
        return 0, int(rows)
    if values.ndim != 3:
        raise DataError(
            f"{name}: is a volume, and info bars are found in pictures; give the number of rows."
        )
    return info_bars(values)


def _cropped(values: np.ndarray, bars: tuple[int, int], name: str, steps: list[str]) -> np.ndarray:
    height = values.shape[-2]
    if min(bars) < 0 or sum(bars) >= height:
        raise DataError(
            f"{name}: cannot lose {sum(bars)} of its {height} rows; give a lower info bar."
        )
    for rows, side in zip(bars, ("top", "bottom"), strict=True):
        if rows:
            steps.append(f"cut {rows} rows off the {side}")
    return values[..., bars[0] : height - bars[1], :]


def _as_phases(patches: np.ndarray, how: Preparation, names: list[str], *, indexed: bool) -> Phases:
    if not isinstance(how.segmentation, Segmentation):
        channels = 3 if how.colour else None
        return read_phases(
            patches, grey=how.segmentation, channels=channels, names=names, indexed=indexed
        )
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

"""Which images a space is trained on, and which it is judged by: read, cut and split."""

import logging
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from generative.data.check import Limits
from generative.data.dataset import Dataset
from generative.data.duplicates import Duplicates, find_duplicates, share_parents, turned_digest
from generative.data.find import find
from generative.data.patches import Split, extract_patches, split_by_parent, split_regions
from generative.data.read import read_dataset
from generative.data.regions import LEAST_PARENTS, split_patches
from generative.data.sizes import read_by_size
from generative.data.synthetic.random_field import gaussian_random_field
from generative.errors import DataError
from generative.training.train import VALIDATION_IMAGES
from latentopt.training.settings import FieldData, FileData

__all__ = ["FEW_PARENTS", "read_split", "split_with_facts"]

FEW_PARENTS = 10  # below, none can be spared for the test: each is cut into regions instead
NAMED = 5  # of what is left out
_log = logging.getLogger(__name__)


def read_split(data: FileData | FieldData) -> tuple[Dataset, Dataset, Dataset]:
    """Training, validation and held-out images that share no parent, or at least no voxel.

    None of the validation and held-out images equals a training image, mirrored or turned ones
    among them.

    Raises
    ------
    DataError
        If the images cannot be read, or are too few to hold some out.
    """
    return split_with_facts(data)[0]


def split_with_facts(
    data: FileData | FieldData,
) -> tuple[tuple[Dataset, Dataset, Dataset], dict[str, str]]:
    """As `read_split`, with what the reader of a model card should know of it, by title."""
    if isinstance(data, FieldData):
        sizes = (data.n, min(data.n, VALIDATION_IMAGES), data.held_out)
        training, validation, held_out = (
            Dataset.from_images(
                gaussian_random_field(n, data.shape, seed=data.seed + offset, **data.ranges),
                name="field",
            )
            for n, offset in zip(sizes, (0, 2, 1), strict=True)
        )
        return (training, validation, held_out), {}
    if data.patch is None:
        kept, facts = _without_copies(_split_whole(data), data.path)
    else:
        groups = read_by_size(data.path, **_asked(data))
        split = _split_patches(groups, data, data.patch)
        kept, facts = _without_copies(split, data.path, whole=groups)
    if not facts["Duplicates"].startswith("none"):
        _log.warning("%s: %s.", data.path, facts["Duplicates"])
    if left_out := find(Path(data.path)).left_out:
        named = "; ".join(left_out[:NAMED]) + ("; ..." if len(left_out) > NAMED else "")
        facts["Left out"] = f"{len(left_out)} files: {named}"
        _log.warning("%s: left out %s", data.path, facts["Left out"])
    return tuple(kept), facts


def _split_whole(data: FileData) -> Split:
    """Images as they are: whole ones by parent, those of a prepared set by region if need be."""
    whole = read_dataset(data.path, **_asked(data))
    parents = _parents(whole)
    if parents >= FEW_PARENTS:
        return split_by_parent(whole, fractions=data.fractions)
    if whole.are_parts and whole.places is not None:
        return split_patches(whole, fractions=data.fractions)
    copies = " but for duplicates" if parents < len(whole) else ""
    one = "1 image is" if parents == 1 else f"{parents} images are"
    raise DataError(
        f"{data.path}: {one} too few to hold some out{copies}. Set patch (--patch) to cut each "
        "into disjoint regions and patches."
    )


def _split_patches(groups: list[Dataset], data: FileData, patch: int) -> Split:
    """Patches of images of any sizes: split by parent, or where these are few by region."""
    if _parents(*groups) >= FEW_PARENTS:
        patches = Dataset.joined([_cut(group, data, patch) for group in groups])
        found = find_duplicates(patches.images, constant=False)
        shared = share_parents(patches.parents, found)
        if len(np.unique(shared)) >= LEAST_PARENTS:  # else what is equal is left out below
            patches = replace(patches, parents=shared)
        return split_by_parent(patches, fractions=data.fractions)
    parted, unparted = [], []
    for group in _once(groups):
        if group.are_parts:
            split = split_patches(group, fractions=data.fractions)
        elif max(group.image_shape[1:]) >= 3 * patch:
            split = split_regions(group, fractions=data.fractions, smallest=patch)
        else:
            unparted.append(_cut(group, data, patch))
            continue
        parted.append(Split(*(_cut(part, data, patch) for part in split)))
    if not parted:
        return split_patches(Dataset.joined(unparted), fractions=data.fractions)
    training, validation, test = zip(*parted, strict=True)
    return Split(*map(Dataset.joined, ([*training, *unparted], validation, test)))


def _asked(data: FileData) -> dict[str, Any]:
    """How the images are read."""
    names = ("grey", "channels", "spatial_dims", "axes")
    limits = Limits(**data.limits.model_dump())
    return {name: getattr(data, name) for name in names} | {"limits": limits}


def _cut(images: Dataset, data: FileData, patch: int) -> Dataset:
    return extract_patches(images, patch, stride=data.stride)


def _parents(*groups: Dataset) -> int:
    return len({parent for group in groups for parent in group.parents.tolist()})


def _once(groups: list[Dataset]) -> list[Dataset]:
    """Whole images without those that equal an earlier one: their regions would be elsewhere."""
    seen: set[bytes] = set()
    kept = []
    for group in groups:
        if group.are_parts:
            kept.append(group)
            continue
        rows = []
        for row, image in enumerate(group.images):
            if (digest := turned_digest(image)) not in seen:
                seen.add(digest)
                rows.append(row)
        if rows:
            kept.append(group.subset(rows))
    return kept


def _without_copies(
    split: Split, path: str, *, whole: Sequence[Dataset] = ()
) -> tuple[Split, dict[str, str]]:
    """The split without validation and held-out images that are in an earlier part, and facts."""
    ends = np.cumsum([len(part) for part in split])
    images = [image for part in split for image in part.images]
    groups = find_duplicates(images, constant=False)
    part_of = np.searchsorted(ends, np.arange(len(images)), side="right")
    copies = {row for rows, _ in groups for row in rows if part_of[row] > part_of[list(rows)].min()}
    kept = []
    for number, part in enumerate(split):
        start = ends[number] - len(part)
        rows = [row for row in range(len(part)) if start + row not in copies]
        if not rows:
            name = ("training", "validation", "held-out")[number]
            raise DataError(
                f"{path}: all {len(part)} {name} images equal images of the training, mirrored or "
                "turned ones among them, so there is nothing to judge a space by. Give more images."
            )
        kept.append(part.subset(rows))
    counted = [(groups, len(images), "patches" if whole else "images")]
    if whole:
        images = [image for group in whole for image in group.images]
        counted.insert(0, (find_duplicates(images, constant=False), len(images), "images"))
    return Split(*kept), {"Duplicates": _duplicates_text(counted, len(copies))}


def _duplicates_text(
    counted: Sequence[tuple[Sequence[Duplicates], int, str]], left_out: int
) -> str:
    """How many images (and patches) equal another one, and what was done about it."""
    copies = [sum(len(group.rows) - 1 for group in groups) for groups, _, _ in counted]
    if not any(copies):
        return f"none among {counted[-1][1]} {counted[-1][2]}, mirrored and turned ones looked for"
    told = [f"{k} of {n} {what}" for k, (_, n, what) in zip(copies, counted, strict=True)]
    text = f"{' and '.join(told)} equal another one, mirrored or turned ones among them"
    if left_out:
        text += f"; {left_out} left out of the validation and held-out images"
    return text

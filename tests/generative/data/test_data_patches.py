"""Patches keep their parent, and no split shares a parent or a voxel with another."""

import re

import numpy as np
import pytest

from generative.data import (
    Dataset,
    Limits,
    extract_patches,
    read_dataset,
    split_by_parent,
    split_regions,
)
from generative.errors import DataError


def painted(n, *space):
    """Images whose voxels all differ: k / (number of voxels), exact in float32."""
    total = n * int(np.prod(space))
    assert total <= 2**24
    return Dataset.from_images((np.arange(total) / 2**24).reshape(n, 1, *space).astype(np.float32))


def voxels(dataset):
    return np.unique(dataset.images)


def assert_disjoint(split):
    parts = [voxels(part) for part in split]
    for a, b in [(0, 1), (0, 2), (1, 2)]:
        assert not np.intersect1d(parts[a], parts[b]).size
    return parts


def classes(parents_per_class, rows_per_parent=2):
    """A data set of several classes, with several rows a parent."""
    labels = np.repeat(np.arange(len(parents_per_class)), parents_per_class)
    parents = np.repeat(np.arange(len(labels)), rows_per_parent)
    return Dataset(
        images=np.zeros((len(parents), 1, 4, 4), np.float32),
        labels=np.repeat(labels, rows_per_parent),
        class_names=tuple(f"class {i}" for i in range(len(parents_per_class))),
        sources=tuple(f"{i}.png" for i in range(len(parents))),
        parents=parents,
    )


@pytest.mark.parametrize(("space", "size"), [((12, 8), 4), ((12, 8), (6, 2)), ((6, 4, 8), 2)])
def test_patches_without_stride_tile_the_image_exactly(space, size):
    whole = painted(2, *space)
    patches = extract_patches(whole, size)
    assert patches.images.size == whole.images.size
    np.testing.assert_array_equal(voxels(patches), voxels(whole))


@pytest.mark.parametrize(("space", "size", "stride"), [((13, 9), 4, 3), ((7, 8, 9), 4, (1, 2, 3))])
def test_each_patch_is_the_region_its_source_names(space, size, stride):
    whole = painted(2, *space)
    patches = extract_patches(whole, size, stride=stride)
    steps = stride if isinstance(stride, tuple) else (stride,) * len(space)
    per_image = np.prod([(s - size) // step + 1 for s, step in zip(space, steps, strict=True)])
    assert len(patches) == 2 * per_image
    for image, source, parent in zip(patches.images, patches.sources, patches.parents, strict=True):
        name, region = re.fullmatch(r"(array\[\d+\])\[(.*)\]", source).groups()
        row = whole.sources.index(name)
        slices = tuple(slice(*map(int, side.split(":"))) for side in region.split(", "))
        np.testing.assert_array_equal(image, whole.images[(row, slice(None), *slices)])
        assert parent == whole.parents[row]


def test_patches_larger_than_the_image_are_refused():
    with pytest.raises(DataError, match=r"an image of 8x6 voxels is smaller than a patch of 7x7"):
        extract_patches(painted(1, 8, 6), 7)


def test_patches_beyond_the_limits_are_refused_before_they_are_cut():
    with pytest.raises(DataError, match=r"larger than the limit of 4,096"):
        extract_patches(painted(1, 64, 64), 32, stride=1, limits=Limits(total_bytes=4096))


@pytest.mark.parametrize("wrong", [0, (4,), (4, 0)])
def test_sizes_that_make_no_sense_are_refused(wrong):
    with pytest.raises(ValueError, match="size should be one number or 2 of at least 1"):
        extract_patches(painted(1, 8, 6), wrong)


@pytest.mark.parametrize("n", [3, 4, 10, 37])
def test_parents_go_whole_to_one_split_and_all_are_used(n):
    patches = extract_patches(painted(n, 8, 8), 4, stride=2)
    split = split_by_parent(patches, seed=1)
    assert sum(len(part) for part in split) == len(patches)
    parents = [set(part.parents) for part in split]
    assert all(parents)
    assert sum(len(part) for part in parents) == n
    assert_disjoint(split)


def test_the_shares_of_parents_are_the_fractions():
    split = split_by_parent(painted(100, 2, 2), fractions=(0.7, 0.2, 0.1))
    assert [len(part) for part in split] == [70, 20, 10]


def test_every_class_is_spread_over_the_splits():
    split = split_by_parent(classes([10] * 6), seed=3)
    for part, expected in zip(split, [8, 1, 1], strict=True):
        counts = np.bincount(part.labels, minlength=6) / 2
        assert np.abs(counts - expected).max() <= 1
        assert counts.sum() == 6 * expected


def test_a_seed_gives_one_split_and_another_seed_another():
    data = painted(40, 2, 2)
    first, again, other = (split_by_parent(data, seed=seed).test.sources for seed in (5, 5, 6))
    assert first == again
    assert first != other


def test_too_few_parents_are_pointed_to_regions():
    patches = extract_patches(painted(2, 8, 8), 4)
    with pytest.raises(DataError, match=r"at least 3 parents to split, got 2; .* split_regions"):
        split_by_parent(patches)


@pytest.mark.parametrize("split", [split_by_parent, split_regions])
@pytest.mark.parametrize("fractions", [(0.8, 0.2, 0.0), (0.5, 0.2, 0.2), (0.5, 0.5)])
def test_fractions_that_make_no_sense_are_refused(split, fractions):
    with pytest.raises(ValueError, match="fractions should be three positive numbers with sum 1"):
        # As users call it: the tests' own check of types would refuse first.
        split.__wrapped__(painted(5, 8, 8), fractions=fractions)


@pytest.mark.parametrize("space", [(40, 16), (16, 40), (12, 10, 40)])
def test_regions_of_one_image_share_no_voxel_and_lose_none(space):
    whole = painted(2, *space)
    split = split_regions(whole, fractions=(0.5, 0.25, 0.25))
    np.testing.assert_array_equal(np.sort(np.concatenate(assert_disjoint(split))), voxels(whole))
    long = int(np.argmax(space))
    assert [part.image_shape[1 + long] for part in split] == [20, 10, 10]


@pytest.mark.parametrize("space", [(40, 16), (10, 12, 40)])
def test_overlapping_patches_of_regions_share_no_voxel(space):
    regions = split_regions(painted(1, *space), fractions=(0.5, 0.25, 0.25))
    assert_disjoint([extract_patches(part, 8, stride=1) for part in regions])


def test_a_gap_keeps_the_regions_apart():
    rows = (np.arange(50, dtype=np.float32) / 64)[:, None] * np.ones((1, 6), np.float32)
    split = split_regions(Dataset.from_images(rows[None, None]), gap=4)
    bounds = [(part.images.min() * 64, part.images.max() * 64) for part in split]
    assert bounds[1][0] - bounds[0][1] == 5
    assert bounds[2][0] - bounds[1][1] == 5


@pytest.mark.parametrize(
    ("fractions", "widths"), [((0.8, 0.1, 0.1), (16, 8, 8)), ((0.5, 0.45, 0.05), (12, 12, 8))]
)
def test_a_region_takes_what_a_patch_needs_from_the_largest(fractions, widths):
    split = split_regions(painted(1, 32, 8), fractions=fractions, smallest=8)
    assert tuple(part.image_shape[1] for part in split) == widths
    assert all(len(extract_patches(part, 8)) for part in split)


def test_three_patches_that_do_not_fit_are_refused():
    with pytest.raises(DataError, match=r"axis of 32 voxels cannot be cut.* 11 or more"):
        split_regions(painted(1, 32, 32), smallest=11)


def test_regions_are_cut_across_the_axis_asked_for():
    split = split_regions(painted(1, 40, 20), axis=1, fractions=(0.5, 0.25, 0.25))
    assert [part.image_shape for part in split] == [(1, 40, 10), (1, 40, 5), (1, 40, 5)]
    assert split.test.sources == ("array[0][0:40, 15:20]",)


def test_patches_are_not_cut_into_regions_again():
    with pytest.raises(DataError, match="split first and take patches afterwards"):
        split_regions(extract_patches(painted(1, 8, 8), 4, stride=2))


def test_regions_too_thin_for_a_voxel_or_a_patch_are_refused():
    with pytest.raises(DataError, match="three regions of 1 or more with gaps of 3"):
        split_regions(painted(1, 8, 8), gap=3)
    with pytest.raises(DataError, match="larger shares where regions were split"):
        extract_patches(split_regions(painted(1, 32, 32)).test, 8)
    with pytest.raises(ValueError, match="expected an axis from 0 to 1"):
        split_regions(painted(1, 8, 8), axis=2)


def test_a_file_on_disk_is_split_honestly_from_end_to_end(tmp_path):
    volume = painted(1, 30, 12, 12).images[0, 0]
    np.save(tmp_path / "rock.npy", volume)
    whole = read_dataset(tmp_path / "rock.npy", spatial_dims=3, grey="keep")
    regions = split_regions(whole, fractions=(0.4, 0.3, 0.3), gap=1)
    patches = [extract_patches(part, 6, stride=3) for part in regions]
    assert_disjoint(patches)
    assert patches[2].sources[0] == "rock.npy[22:30, 0:12, 0:12][0:6, 0:6, 0:6]"

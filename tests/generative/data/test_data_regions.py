"""Patches that are cut already, split by where they lie: no voxel in two parts."""

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from generative.data import Dataset, extract_patches
from generative.data.dataset import Places
from generative.data.regions import split_patches
from generative.errors import DataError


def painted(*spaces):
    """One image of each size, all of whose voxels differ, each its own parent."""
    images, first = [], 0
    for number, space in enumerate(spaces):
        total = int(np.prod(space))
        values = (first + np.arange(total)).reshape(1, 1, *space) / 2**24
        first += total
        places = Places(np.array([number]), np.zeros((1, len(space)), np.int64), np.zeros(1, bool))
        images.append(
            Dataset(
                images=values.astype(np.float32),
                labels=np.zeros(1, np.int64),
                class_names=("a",),
                sources=(f"{number}.png",),
                parents=np.array([number]),
                places=places,
            )
        )
    return images


def patches(size, stride, *spaces):
    return Dataset.joined([extract_patches(i, size, stride=stride) for i in painted(*spaces)])


def assert_apart(split):
    voxels = [np.unique(part.images) for part in split]
    for a, b in ((0, 1), (0, 2), (1, 2)):
        assert not np.intersect1d(voxels[a], voxels[b]).size
    assert all(len(part) for part in split)


@given(
    st.lists(st.tuples(st.integers(4, 30), st.integers(4, 30)), min_size=1, max_size=4),
    st.integers(1, 5),
    st.sampled_from([(0.8, 0.1, 0.1), (0.4, 0.3, 0.3), (0.1, 0.1, 0.8)]),
)
def test_parts_never_share_a_voxel(spaces, stride, fractions):
    data = patches(4, stride, *spaces)
    try:
        split = split_patches(data, fractions=fractions)
    except DataError:
        return
    assert_apart(split)
    assert len(set(split.train.sources) | set(data.sources)) == len(data)


@given(st.integers(4, 40), st.integers(4, 40), st.sampled_from([1, 2, 4, 8]))
def test_one_image_is_parted_where_three_patches_fit_side_by_side(height, width, stride):
    side = 8
    assume(min(height, width) >= side)
    data = patches(side, stride, (height, width))
    if max(height, width) >= 3 * side:
        assert_apart(split_patches(data))
    else:
        with pytest.raises(DataError, match=r"cannot be parted .*Cut smaller patches"):
            split_patches(data)


@pytest.mark.parametrize("space", [(80, 8), (8, 80), (8, 80, 8)])
def test_the_shares_are_those_of_the_axis_and_no_patch_is_lost(space):
    split = split_patches(patches(8, None, space))
    assert [len(part) for part in split] == [8, 1, 1]
    split = split_patches(patches(8, None, space), fractions=(0.5, 0.3, 0.2))
    assert [len(part) for part in split] == [5, 3, 2]


def test_a_parent_without_room_is_for_the_training():
    data = patches(8, None, (80, 8), (16, 16), (8, 8))
    split = split_patches(data)
    assert_apart(split)
    assert [set(part.parents.tolist()) for part in split] == [{0, 1, 2}, {0}, {0}]


def test_whole_parents_are_held_out_where_none_has_room():
    split = split_patches(patches(8, None, (16, 16), (16, 16), (16, 16)))
    assert_apart(split)
    assert sorted(part.parents[0] for part in split) == [0, 1, 2]
    with pytest.raises(DataError, match="from 2 images cannot be parted"):
        split_patches(patches(8, None, (16, 16), (16, 16)))


def test_slices_of_one_stack_are_parted_at_the_same_voxels():
    stack = Dataset.from_images(np.random.default_rng(0).random((5, 1, 40, 8)).astype(np.float32))
    stack = Dataset(**vars(stack) | {"parents": np.zeros(5, np.int64)})
    split = split_patches(extract_patches(stack, 8))
    rows = [set(part.places.offsets[:, 0].tolist()) for part in split]
    assert rows == [{0, 8, 16}, {24}, {32}]
    assert [len(part) for part in split] == [15, 5, 5]


def test_copies_of_an_image_are_left_out_for_their_regions_are_elsewhere():
    data = patches(8, None, (80, 8), (80, 8))
    copies = data.parents == 1
    places = Places(data.places.origins, data.places.offsets, copies)
    shared = Dataset(**vars(data) | {"places": places, "parents": data.parents * 0})
    split = split_patches(shared)
    assert [len(part) for part in split] == [8, 1, 1]
    assert all(source.startswith("0.png") for part in split for source in part.sources)


def test_places_that_are_not_known_are_asked_for():
    with pytest.raises(DataError, match="where each patch lies in its image is not known"):
        split_patches(Dataset.from_images(np.zeros((3, 1, 8, 8))))

"""Equal images are found in every orientation, as by comparing all of them, and share a parent."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from PIL import Image

from generative.data import duplicates, extract_patches, read_dataset, split_by_parent
from generative.data.duplicates import (
    Duplicates,
    find_duplicates,
    image_digests,
    share_parents,
    turned_digest,
    were_seen,
)
from generative.data.prepare import Preparation, prepare_images

RNG = np.random.default_rng(3)


def orientations(image):
    """All 8 of a picture (c, h, w), all 48 of a volume, by the definition."""
    axes = range(1, image.ndim)
    for order in itertools.permutations(axes):
        for k in range(len(axes) + 1):
            for mirrored in itertools.combinations(axes, k):
                yield np.flip(image.transpose(0, *order), mirrored)


def equal(a, b):
    return any(np.array_equal(turned, b) for turned in orientations(a))


small = st.one_of(
    arrays.arrays(np.uint8, (1, 2, 2), elements=st.integers(0, 1)),
    arrays.arrays(np.uint8, (1, 3, 2), elements=st.integers(0, 1)),
    arrays.arrays(np.uint8, (1, 3, 3), elements=st.integers(0, 1)),
    arrays.arrays(np.uint8, (2, 2, 3), elements=st.integers(0, 1)),
    arrays.arrays(np.uint8, (1, 2, 2, 3), elements=st.integers(0, 1)),
    arrays.arrays(np.uint8, (1, 2, 2, 2), elements=st.integers(0, 1)),
)


@given(small, small)
def test_two_images_have_one_digest_if_and_only_if_one_is_the_other_turned(a, b):
    assert (turned_digest(a) == turned_digest(b)) == (a.shape[0] == b.shape[0] and equal(a, b))


@pytest.mark.parametrize("shape", [(1, 9, 9), (1, 7, 9), (3, 8, 8), (1, 5, 5, 5), (2, 4, 5, 4)])
@pytest.mark.parametrize("dtype", [bool, np.uint8, np.uint16, np.int64, np.float32, ">f8", "e"])
def test_no_orientation_changes_the_digest_and_another_value_does(shape, dtype):
    image = (100 * RNG.random(shape)).astype(dtype)
    turned = list(orientations(image))
    assert len(turned) == (8 if len(shape) == 3 else 48)
    assert {turned_digest(one) for one in turned} == {turned_digest(image)}
    other = image.copy()
    other.flat[0] = not other.flat[0] if dtype is bool else other.flat[0] + 1
    assert turned_digest(other) != turned_digest(image)


def test_negatives_are_no_duplicates_and_both_zeros_are_one():
    image = RNG.integers(0, 2, (1, 8, 8)).astype(np.float32)
    assert find_duplicates([image, 1 - image]) == []
    assert find_duplicates([image, np.where(image == 0, -0.0, image).astype(np.float32)])


def test_images_of_one_value_are_duplicates_only_if_asked():
    images = [np.zeros((1, 4, 6)), np.zeros((1, 6, 4)), np.zeros((1, 4, 4))]
    assert find_duplicates(images) == [Duplicates((0, 1), False)]
    assert find_duplicates(images, constant=False) == []


def test_one_pair_is_found_among_thousands():
    images = (RNG.random((3_000, 1, 24, 24)) > 0.5).astype(np.float32)
    images[2_000] = np.rot90(images[3], axes=(1, 2))
    assert find_duplicates(list(images)) == [Duplicates((3, 2_000), False)]


@pytest.mark.parametrize("shape", [(1, 32, 32), (2, 9, 9, 9)])
def test_images_are_brought_into_one_orientation_and_not_compared_in_all(shape):
    """What makes thousands quick: only symmetric ones leave a choice."""
    for _ in range(20):
        image = RNG.integers(0, 2, shape)
        assert len(list(duplicates._orientations(duplicates._sums(image)))) == 1


def test_large_images_are_looked_at_in_parts(monkeypatch):
    images = [RNG.integers(0, 3, shape) for shape in ((1, 40, 30), (2, 9, 8, 7), (1, 5, 90))]
    whole = [turned_digest(image) for image in images]
    monkeypatch.setattr(duplicates, "_AT_ONCE", 64)
    assert [turned_digest(image) for image in images] == whole


@given(st.lists(st.lists(st.integers(0, 11), min_size=2, max_size=4, unique=True), max_size=6))
def test_parents_are_shared_as_far_as_duplicates_lead(groups):
    parents = np.array([0, 0, 1, 1, 2, 3, 4, 5, 6, 7, 8, 8])
    shared = share_parents(parents, [Duplicates(tuple(rows), True) for rows in groups])
    edges = [(a, b) for a, b in itertools.combinations(range(12), 2) if parents[a] == parents[b]]
    edges += [pair for rows in groups for pair in itertools.pairwise(rows)]
    reach = np.eye(12, dtype=bool)
    for a, b in edges:
        reach[a, b] = reach[b, a] = True
    for _ in range(4):
        reach = reach @ reach
    np.testing.assert_array_equal(shared[:, None] == shared[None], reach)
    assert all(shared[row] == parents[reach[row]].min() for row in range(12))


def test_what_was_seen_is_known_in_any_orientation():
    images = RNG.integers(0, 2, (5, 1, 6, 6)).astype(np.float32)
    known = image_digests(images[:3])
    new = np.stack([images[0], np.rot90(images[1], axes=(1, 2)), images[4], np.zeros((1, 6, 6))])
    assert were_seen(new.astype(np.float32), known).tolist() == [True, True, False, False]
    zeros = np.zeros((1, 1, 6, 6), np.float32)
    assert not were_seen(zeros, image_digests(zeros)).any()


# -- in files -------------------------------------------------------------------------------------


def write(folder, **images):
    folder.mkdir(parents=True, exist_ok=True)
    for name, image in images.items():
        Image.fromarray(np.ascontiguousarray(image)).save(folder / f"{name}.png")
    return folder


def phases(*shape):
    return RNG.integers(0, 2, shape, dtype=np.uint8) * np.uint8(255)


@pytest.mark.parametrize(
    "turn",
    [
        np.copy,
        np.fliplr,
        np.flipud,
        np.rot90,
        lambda a: np.rot90(a, 2),
        lambda a: np.rot90(a, 3),
        np.transpose,
        lambda a: np.rot90(a).T,
    ],
    ids=["exact", "left", "up", "90", "180", "270", "transposed", "other diagonal"],
)
def test_a_pair_in_two_files_has_one_parent_wherever_it_is_read(tmp_path, turn):
    one, other = phases(32, 32), phases(32, 32)
    folder = write(tmp_path / "images" / "x", a=one, b=other)
    write(tmp_path / "images" / "y", c=turn(one))
    assert read_dataset(folder.parent).parents.tolist() == [0, 1, 0]
    prepared = prepare_images(folder.parent, Preparation(segmentation="labels"))
    assert prepared.dataset.parents.tolist() == [0, 1, 0]
    assert [record["parent"] for record in prepared.provenance] == [0, 1, 0]
    assert prepared.provenance[2]["same_as"] == "x/a.png"
    (group,) = prepared.findings.duplicates
    assert group == (("x/a.png", "y/c.png"), turn is np.copy)


def test_a_pair_whose_patches_do_not_meet_has_one_parent(tmp_path):
    """100 is no multiple of 32: the patches of the mirrored image begin elsewhere."""
    image = phases(100, 96)
    folder = write(tmp_path, a=image, b=image[::-1], c=phases(100, 96))
    prepared = prepare_images(folder, Preparation(segmentation="labels", patch=32))
    assert np.unique(prepared.dataset.parents).tolist() == [0, 2]
    left = prepare_images(
        folder, Preparation(segmentation="labels", patch=32, drop_duplicates=True)
    )
    assert {record["file"] for record in left.provenance} == {"a.png", "c.png"}


def test_images_that_overlap_have_one_parent(tmp_path):
    scene = phases(160, 96)
    folder = write(tmp_path, a=scene[:96], b=scene[64:], c=phases(96, 96))
    prepared = prepare_images(folder, Preparation(segmentation="labels", patch=32))
    assert np.unique(prepared.dataset.parents).tolist() == [0, 2]
    assert len(prepared.findings.duplicates) == 3  # the patches of 32 rows that both have
    left = prepare_images(
        folder, Preparation(segmentation="labels", patch=32, drop_duplicates=True)
    )
    assert len(left.dataset) == 27 - 3
    assert find_duplicates(left.dataset.images) == []
    assert len(left.findings.left_out) == 3


def test_volumes_share_a_parent_in_all_48_orientations(tmp_path):
    volume = RNG.integers(0, 2, (1, 6, 6, 6), dtype=np.uint8)
    for number, turned in enumerate(orientations(volume)):
        np.save(tmp_path / f"{number:02}.npy", turned[0])
    np.save(tmp_path / "other.npy", RNG.integers(0, 2, (6, 6, 6), dtype=np.uint8))
    data = read_dataset(tmp_path, spatial_dims=3)
    assert np.unique(data.parents, return_counts=True)[1].tolist() == [48, 1]


def test_no_split_has_equal_images_on_two_sides(tmp_path):
    images = {f"{k:02}": phases(32, 32) for k in range(12)}
    images |= {f"t{k:02}": np.rot90(images[f"{k:02}"]) for k in range(0, 12, 2)}
    data = read_dataset(write(tmp_path, **images))
    assert len(np.unique(data.parents)) == 12
    for seed in range(5):
        split = split_by_parent(data, seed=seed)
        sides = [{turned_digest(image) for image in part.images} for part in split]
        assert not any(a & b for a, b in itertools.combinations(sides, 2))


def test_empty_patches_of_two_images_say_nothing(tmp_path):
    images = {name: phases(64, 64) for name in "ab"}
    for image in images.values():
        image[:32, :32] = 0
    prepared = prepare_images(
        write(tmp_path, **images), Preparation(segmentation="labels", patch=32)
    )
    assert np.unique(prepared.dataset.parents).tolist() == [0, 1]
    assert prepared.findings.duplicates == ()
    assert prepared.findings.near_empty == ("a.png[0:32, 0:32]", "b.png[0:32, 0:32]")
    dropped = Preparation(segmentation="labels", patch=32, drop_empty=True)
    assert len(prepare_images(tmp_path, dropped).dataset) == 6


def test_patches_keep_what_is_known_of_copies(tmp_path):
    image = phases(32, 32)
    data = read_dataset(write(tmp_path, a=image, b=image.T))
    patches = extract_patches(data, 16)
    assert patches.parents.tolist() == [0] * 8
    assert patches.places.origins.tolist() == [0] * 4 + [1] * 4

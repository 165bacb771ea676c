"""What `train` holds out: the same of a prepared set as of its images, and never what it saw."""

import json

import numpy as np
import pytest
from PIL import Image

from generative.data import read_dataset
from generative.data.duplicates import find_duplicates, turned_digest
from generative.data.prepare import Preparation, prepare_images
from generative.data.sizes import read_by_size, read_patches
from generative.data.stored_set import encode_set
from generative.data.windows import Windowing, prepare_windows
from generative.errors import DataError
from latentopt.training.data import read_split, split_with_facts
from latentopt.training.settings import FileData

RNG = np.random.default_rng(11)


def write(folder, images):
    folder.mkdir()
    for number, image in enumerate(images):
        np.save(folder / f"{number:02}.npy", image)
    return folder


def phases(*shape):
    return RNG.integers(0, 2, shape, dtype=np.uint8)


def prepared(folder, dims, **how):
    found = prepare_images(folder, Preparation(segmentation="labels", **how), spatial_dims=dims)
    path = folder.with_suffix(".h5")
    path.write_bytes(encode_set(found.dataset, found.provenance))
    return path


def sizes(data):
    try:
        return [len(part) for part in read_split(data)]
    except DataError as error:
        return str(error)


def assert_nothing_seen(split):
    kinds = [{turned_digest(image) for image in part.images} for part in split]
    assert not kinds[0] & kinds[1]
    assert not (kinds[0] | kinds[1]) & kinds[2]


SETS = {
    "one picture": (2, 16, None, [(100, 40)]),
    "one volume": (3, 16, None, [(50, 16, 20)]),
    "one picture, overlap": (2, 16, 8, [(100, 40)]),
    "one that just fits": (2, 16, None, [(48, 20)]),
    "one with less than three patches": (2, 16, None, [(47, 47)]),
    "two pictures": (2, 16, None, [(64, 40), (64, 40)]),
    "two of other sizes": (2, 16, None, [(64, 40), (30, 90)]),
    "two volumes": (3, 16, None, [(48, 16, 16), (16, 20, 60)]),
    "two that are too small": (2, 16, None, [(32, 32), (32, 32)]),
    "three that are too small": (2, 16, None, [(32, 32), (32, 32), (16, 32)]),
    "one that fits and one that does not": (2, 16, None, [(64, 40), (32, 32)]),
    "nine": (2, 16, None, [(48, 32)] * 9),
    "many": (2, 16, None, [(32, 32)] * 12),
    "many of other sizes": (2, 16, None, [(32 + k, 40 - k) for k in range(12)]),
    "many volumes": (3, 16, None, [(16, 16 + k, 32) for k in range(10)]),
}


@pytest.mark.parametrize("name", SETS)
def test_a_prepared_set_is_accepted_as_its_images_with_patch_are(tmp_path, name):
    dims, patch, stride, shapes = SETS[name]
    folder = write(tmp_path / "images", [phases(*shape) for shape in shapes])
    direct = FileData(path=str(folder), patch=patch, stride=stride, spatial_dims=dims)
    stored = FileData(path=str(prepared(folder, dims, patch=patch, stride=stride)))
    counts = [sizes(direct), sizes(stored)]
    if "less than three" in name or "two that are" in name:
        assert all("cannot be parted" in said for said in counts)
        return
    assert all(isinstance(count, list) for count in counts), counts
    if stride is None:
        assert counts[0] == counts[1]
    for data in (direct, stored):
        split = read_split(data)
        assert_nothing_seen(split)
        total = sum(len(part) for part in split)
        assert total <= len(read_dataset(stored.path))
        assert total == sum(len(set(part.sources)) for part in split)


def test_voxels_of_one_volume_are_in_one_part_only(tmp_path):
    """All its voxels differ, so that none can be in two parts unseen."""
    volume = RNG.permutation(64 * 24 * 24).reshape(64, 24, 24).astype(np.float32) / (64 * 24 * 24)
    folder = write(tmp_path / "images", [volume])
    how = Preparation(segmentation="keep", patch=16, stride=8)
    found = prepare_images(folder, how, spatial_dims=3)
    path = tmp_path / "set.h5"
    path.write_bytes(encode_set(found.dataset, found.provenance))
    split = read_split(FileData(path=str(path)))
    voxels = [np.unique(part.images) for part in split]
    assert not np.intersect1d(voxels[0], voxels[2]).size
    assert not np.intersect1d(voxels[0], voxels[1]).size
    assert not np.intersect1d(voxels[1], voxels[2]).size


def test_a_prepared_set_may_be_cut_again(tmp_path):
    folder = write(tmp_path / "images", [phases(128, 64)])
    path = prepared(folder, 2, patch=32)
    split = read_split(FileData(path=str(path), patch=16))
    assert [part.image_shape for part in split] == [(1, 16, 16)] * 3
    assert [len(part) for part in split] == [16, 8, 8]


def test_few_whole_images_are_told_what_helps(tmp_path):
    folder = write(tmp_path / "images", [phases(32, 32)])
    with pytest.raises(DataError, match=r"1 image is too few .* Set patch"):
        read_split(FileData(path=str(folder)))
    path = prepared(folder, 2)
    with pytest.raises(DataError, match=r"1 image is too few .* Set patch"):
        read_split(FileData(path=str(path)))


# -- duplicates -----------------------------------------------------------------------------------


def test_copies_are_on_one_side_and_the_card_counts_them(tmp_path):
    images = [phases(32, 32) for _ in range(12)]
    images += [images[0][::-1], np.rot90(images[1]), images[2].T, images[3]]
    folder = write(tmp_path / "images", images)
    split, facts = split_with_facts(FileData(path=str(folder)))
    assert_nothing_seen(split)
    assert sum(len(part) for part in split) == 16
    assert facts["Duplicates"].startswith("4 of 16 images equal another one")


def test_too_few_but_for_copies_is_said(tmp_path):
    image = phases(32, 32)
    folder = write(tmp_path / "images", [image, image.T, *(phases(32, 32) for _ in range(8))])
    with pytest.raises(DataError, match=r"9 images are too few .* but for duplicates"):
        read_split(FileData(path=str(folder)))


@pytest.mark.parametrize("store", [False, True], ids=["images", "prepared"])
def test_a_mirrored_copy_of_a_large_image_is_not_held_out(tmp_path, store):
    """Its regions are the other way round, and 100 is no multiple of 16: no patch is equal."""
    image = phases(100, 48)
    folder = write(tmp_path / "images", [image, image[::-1].copy()])
    data = FileData(path=str(folder), patch=16)
    if store:
        data = FileData(path=str(prepared(folder, 2, patch=16)))
    split, facts = split_with_facts(data)
    assert len({source.partition("[")[0] for part in split for source in part.sources}) == 1
    assert "1 of 2 images" in facts["Duplicates"] or store


@pytest.mark.parametrize("store", [False, True], ids=["images", "prepared"])
def test_images_that_overlap_give_no_held_out_patch_to_the_training(tmp_path, store):
    scene = phases(224, 64)
    images = [scene[start : start + 96] for start in (0, 32, 64, 128)]
    folder = write(tmp_path / "images", images)
    data = FileData(path=str(folder), patch=16)
    if store:
        data = FileData(path=str(prepared(folder, 2, patch=16)))
    split, facts = split_with_facts(data)
    assert_nothing_seen(split)
    assert "equal another one" in facts["Duplicates"]


def test_many_images_that_overlap_are_one_parent(tmp_path):
    scenes = [phases(48, 32) for _ in range(12)]
    images = [scene[start : start + 32] for scene in scenes for start in (0, 16)]
    folder = write(tmp_path / "images", images)
    split = read_split(FileData(path=str(folder), patch=16))
    of_scene = [{int(s[:2]) // 2 for s in part.sources} for part in split]
    assert sum(map(len, of_scene)) == 12


def test_one_pattern_again_and_again_leaves_nothing_to_hold_out(tmp_path):
    stripes = (np.arange(96) // 4 % 2).astype(np.uint8)[:, None] * np.ones((1, 32), np.uint8)
    folder = write(tmp_path / "images", [stripes])
    with pytest.raises(DataError, match="equal images of the training"):
        read_split(FileData(path=str(folder), patch=16))


def test_what_is_left_out_is_in_the_card_and_said(tmp_path, caplog):
    folder = write(tmp_path / "images", [phases(64, 32)])
    (folder / "notes.txt").write_text("x")
    (folder / "._00.npy").write_bytes(b"x")
    _, facts = split_with_facts(FileData(path=str(folder), patch=16))
    assert facts["Left out"] == "2 files: ._00.npy (hidden); notes.txt (no image)"
    assert "left out 2 files" in caplog.text


# -- sizes ----------------------------------------------------------------------------------------


def grey(*shape):
    return np.clip(RNG.normal(np.where(phases(*shape), 160, 60), 10), 0, 255).astype(np.uint8)


def pictures(folder, images):
    folder.mkdir()
    for number, image in enumerate(images):
        Image.fromarray(image).save(folder / f"{number:02}.png")
    return folder


@pytest.mark.parametrize(
    ("make", "options", "channels"),
    [
        (lambda *s: phases(*s) * 255, {}, 1),
        (lambda *s: RNG.integers(0, 3, s, dtype=np.uint8), {}, 3),
        (lambda *s: RNG.integers(0, 3, s, dtype=np.uint8), {"channels": 4}, 4),
        (grey, {}, 1),
        (grey, {"grey": "otsu"}, 1),
        (grey, {"grey": "keep"}, 1),
        (lambda *s: RNG.integers(0, 256, (*s, 3), dtype=np.uint8), {"channels": 3}, 3),
        (lambda *s: RNG.integers(0, 256, (*s, 3), dtype=np.uint8), {}, 1),
    ],
    ids=["two", "labels", "four", "auto", "otsu", "keep", "colour", "colour to grey"],
)
def test_images_of_several_sizes_are_read_as_each_by_itself(tmp_path, make, options, channels):
    images = [make(24, 20), make(30, 16), make(24, 20)]
    folder = pictures(tmp_path / "images", images)
    groups = read_by_size(folder, **options)
    assert [group.images.shape for group in groups] == [
        (2, channels, 24, 20), (1, channels, 30, 16),
    ]  # fmt: skip
    assert [group.sources for group in groups] == [("00.png", "02.png"), ("01.png",)]
    assert [group.parents.tolist() for group in groups] == [[0, 2], [1]]
    for group in groups:
        for image, source in zip(group.images, group.sources, strict=True):
            alone = read_dataset(folder / source, **options).images[0]
            np.testing.assert_array_equal(image, alone)


def test_what_values_mean_is_told_over_all_sizes(tmp_path):
    """An image without phase 2, and one of one phase, are labels of the same three phases."""
    images = [RNG.integers(0, 3, (20, 20)), RNG.integers(0, 2, (16, 20)), np.full((18, 18), 2)]
    folder = pictures(tmp_path / "images", [image.astype(np.uint8) for image in images])
    groups = read_by_size(folder)
    assert [group.image_shape[0] for group in groups] == [3, 3, 3]
    for group, image in zip(groups, images, strict=True):
        np.testing.assert_array_equal(group.images[0].argmax(axis=0), image)


def test_a_turned_pair_of_two_sizes_has_one_parent(tmp_path):
    image = phases(24, 20) * np.uint8(255)
    folder = pictures(tmp_path / "images", [image, image.T, phases(30, 30) * np.uint8(255)])
    assert [group.parents.tolist() for group in read_by_size(folder)] == [[0], [0], [2]]


def test_patches_of_several_sizes_are_one_set(tmp_path):
    folder = pictures(tmp_path / "images", [phases(24, 20) * 255, phases(30, 16) * 255])
    data = read_patches(folder, 8)
    assert data.images.shape == (6 + 6, 1, 8, 8)
    assert find_duplicates(data.images) == []
    with pytest.raises(DataError, match=r"01\.png: an image of 30x16 .* smaller than a patch"):
        read_patches(folder, 18)


def test_bit_depths_do_not_mix_whatever_the_sizes(tmp_path):
    folder = write(tmp_path / "images", [phases(24, 20), phases(30, 16).astype(np.uint16)])
    with pytest.raises(DataError, match="save all with one bit depth"):
        read_by_size(folder)


def test_provenance_that_is_damaged_tells_no_places(tmp_path):
    import h5py

    folder = write(tmp_path / "images", [phases(64, 32)])
    path = prepared(folder, 2, patch=16)
    with h5py.File(path, "a") as file:
        records = [json.loads(text) for text in file["provenance"][()]]
        del file["provenance"]
        texts = [json.dumps(record | {"offset": "here"}).encode() for record in records]
        file["provenance"] = np.array(texts)
    assert read_dataset(path).places is None


@pytest.mark.parametrize("patch", [None, 16])
def test_windows_of_one_frame_are_never_in_two_parts(tmp_path, patch):
    frames = RNG.random((5, 64, 64)).astype(np.float32)
    np.save(tmp_path / "m.npy", frames)
    found = prepare_windows(tmp_path / "m.npy", Windowing(32, "grid", spacing=7.5))
    path = tmp_path / "w.h5"
    path.write_bytes(encode_set(found.dataset, found.provenance))
    split = read_split(FileData(path=str(path), patch=patch))
    parents = [set(part.parents.tolist()) for part in split]
    assert [len(of) for of in parents] == [3, 1, 1]
    assert set.union(*parents) == set(range(5))
    if patch is None:
        assert all((part.positions[:, 0] == part.parents).all() for part in split)

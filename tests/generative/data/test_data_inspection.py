"""What is wrong with a set of images is found and named, not refused."""

import numpy as np
import pytest
from PIL import Image

from generative.data.duplicates import find_duplicates
from generative.data.inspection import flat_grey, inspect_images
from generative.errors import DataError

RNG = np.random.default_rng(4)
GREY = RNG.integers(0, 256, (4, 12, 10), dtype=np.uint8)


def save(path, pixels):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)


@pytest.mark.parametrize("shape", [(1, 6, 6), (1, 6, 8), (3, 5, 5), (1, 4, 5, 6), (2, 4, 4, 4)])
def test_every_orientation_of_an_image_is_its_duplicate(shape):
    image = RNG.random(shape)
    turned = np.rot90(np.flip(image, len(shape) - 1), axes=(1, len(shape) - 1))
    other = image.copy()
    other.flat[:2] = other.flat[1::-1]  # the same values in other places
    groups = find_duplicates([image, other, turned, image.copy()])
    assert groups == [((0, 2, 3), False)]
    assert find_duplicates([image, other, image.copy()]) == [((0, 2), True)]


def test_channels_keep_their_place_and_types_are_told_apart():
    image = RNG.random((3, 6, 6)).astype(np.float32)
    assert find_duplicates([image, image[::-1], image.astype(np.float64)]) == []


def test_duplicates_across_classes_and_splits_are_named(tmp_path):
    save(tmp_path / "train/foam/a.png", GREY[0])
    save(tmp_path / "train/steel/b.png", GREY[0])
    save(tmp_path / "train/steel/c.png", GREY[1])
    save(tmp_path / "test/steel/d.png", GREY[1, ::-1])
    found = inspect_images(tmp_path / "train", held_out=tmp_path / "test")
    foam, steel = found.duplicates
    assert foam == {
        "images": ["foam/a.png", "steel/b.png"],
        "exact": True,
        "across_classes": True,
        "across_split": False,
    }
    assert steel["images"] == ["steel/c.png", "held-out: steel/d.png"]
    assert (steel["exact"], steel["across_split"]) == (False, True)


def test_counts_histogram_and_phase_fractions_add_up(tmp_path):
    phases = (RNG.random((4, 20, 20)) < 0.3).astype(np.uint8) * 255
    for row, image in enumerate(phases):
        save(tmp_path / ("a" if row < 3 else "b") / f"{row}.png", image)
    found = inspect_images(tmp_path)
    assert (found.files, found.images, found.sizes) == (4, 4, {"20x20": 4})
    assert found.classes == {"a": 3, "b": 1}
    assert found.values == (0, 255)
    assert sum(found.histogram) == phases.size
    assert found.histogram[-1] == (phases == 255).sum()
    assert found.phase_fractions["a"][1] == pytest.approx((phases[:3] == 255).mean())
    assert found.voxel_sizes_m == {"not known": 4}


def test_damaged_and_unlike_files_are_problems_and_the_rest_is_inspected(tmp_path):
    save(tmp_path / "a.png", GREY[0])
    save(tmp_path / "b.png", GREY[1, :8])
    save(tmp_path / "c.png", GREY[2])
    whole = (tmp_path / "c.png").read_bytes()
    (tmp_path / "c.png").write_bytes(whole[:80])
    (tmp_path / "d.png").write_bytes(b"")
    found = inspect_images(tmp_path)
    assert (found.files, found.sizes) == (2, {"12x10": 1, "8x10": 1})
    assert "c.png: cannot be read" in found.problems[0]
    assert "d.png: is empty" in found.problems[1]
    assert "2 kinds of images (1x12x10 uint8, 1x8x10 uint8)" in found.problems[2]
    for name in "ab":
        (tmp_path / f"{name}.png").unlink()
    with pytest.raises(DataError, match=r"c\.png: cannot be read"):
        inspect_images(tmp_path)


def test_images_of_almost_one_value_are_near_empty(tmp_path):
    flat = np.full((12, 10), 100, np.uint8)
    flat[3, 3] = 255
    for name, image in (("flat", flat), ("full", GREY[0])):
        save(tmp_path / f"{name}.png", image)
    assert inspect_images(tmp_path).near_empty == ("flat.png",)


def test_pictures_are_grey_levels_of_a_middle_slice():
    volume = np.arange(60.0).reshape(1, 3, 4, 5)
    np.testing.assert_allclose(flat_grey(volume, 0.0, 59.0), volume[0, 1] / 59)
    one_hot = np.eye(4)[np.arange(12).reshape(3, 4) % 4].transpose(2, 0, 1)
    np.testing.assert_allclose(flat_grey(one_hot, 0.0, 1.0), np.arange(12).reshape(3, 4) % 4 / 3)

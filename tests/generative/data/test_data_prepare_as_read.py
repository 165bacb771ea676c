"""A set that is prepared without being told how holds what every other reader reads."""

import numpy as np
import pytest
from PIL import Image
from scipy.ndimage import gaussian_filter

from generative.data import read_dataset
from generative.data.prepare import Preparation, prepare_images
from generative.data.sizes import read_patches
from generative.errors import DataError

PALETTES = {
    "white, black": [(255, 255, 255), (0, 0, 0)],
    "yellow, blue, red": [(255, 255, 0), (0, 0, 255), (255, 0, 0)],
    "dark last": [(200, 200, 200), (90, 90, 90), (10, 10, 10)],
    "equally bright": [(76, 76, 76), (255, 0, 0), (76, 76, 76), (0, 0, 0)],
    "random": np.random.default_rng(3).integers(0, 256, (8, 3)).tolist(),
    "of nine": np.random.default_rng(4).integers(0, 256, (9, 3)).tolist(),
}
VALUES = [(0, 1), (255, 0), (7, 3), (0, 1, 2), (2, 0, 1), (0, 127, 255), (3, 4, 5, 6), (0, 1, 5),
          (10, 200, 90), tuple(range(8)), tuple(range(12))]  # fmt: skip


def field(seed, side=64):
    smooth = gaussian_filter(np.random.default_rng(seed).standard_normal((side, side)), 3)
    return smooth / smooth.std()


def regions(seed, count, side=64):
    """Numbers 0 to count - 1 in unequal shares, none of them missing."""
    smooth = field(seed, side)
    edges = np.quantile(smooth, np.linspace(0, 1, count + 1)[1:-1] ** 2)
    return np.digitize(smooth, edges).astype(np.uint8)


def both(path, how=None):
    """Images and reading of both readers, or None from one that asks."""
    answers = []
    for read in (read_dataset, lambda p: prepare_images(p, how or Preparation()).dataset):
        try:
            data = read(path)
            answers.append((data.images, data.content, data.reading))
        except DataError:
            answers.append(None)
    return answers


def assert_alike(path):
    read, prepared = both(path)
    if read is None or prepared is None:
        assert read is prepared
        return None
    np.testing.assert_array_equal(read[0], prepared[0])
    assert read[1:] == prepared[1:]
    return read[0]


@pytest.mark.parametrize("ending", ["png", "tif", "bmp"])
@pytest.mark.parametrize("name", PALETTES)
def test_an_index_of_a_palette_is_the_label(tmp_path, name, ending):
    palette = PALETTES[name]
    labels = regions(1, len(palette))
    picture = Image.fromarray(labels, mode="P")
    picture.putpalette([part for colour in palette for part in colour])
    picture.save(tmp_path / f"a.{ending}")
    images = assert_alike(tmp_path / f"a.{ending}")
    assert (images is None) == (len(palette) > 8)
    if images is not None:
        found = images[0].argmax(axis=0) if images.shape[1] > 1 else images[0, 0]
        np.testing.assert_array_equal(found, labels)


@pytest.mark.parametrize("kind", ["png", "tif", "u1", "i4", "f4", "colours"])
@pytest.mark.parametrize("values", VALUES, ids=str)
def test_values_mean_what_they_mean_elsewhere(tmp_path, values, kind):
    image = np.array(values)[regions(2, len(values))]
    if kind == "colours":
        image = np.stack([image, 255 - image, image // 2], axis=-1)
    if kind in ("png", "tif", "colours"):
        path = tmp_path / f"a.{'tif' if kind == 'tif' else 'png'}"
        Image.fromarray(image.astype(np.uint8)).save(path)
    else:
        path = tmp_path / "a.npy"
        np.save(path, image[None].astype(kind))
    assert_alike(path)


def test_the_set_is_judged_as_a_whole_and_not_image_by_image(tmp_path):
    labels = regions(5, 3)
    for name, image in {
        "a": labels,
        "b": np.where(labels == 2, 0, labels),
        "c": labels // 2,
    }.items():
        Image.fromarray(image.astype(np.uint8)).save(tmp_path / f"{name}.png")
    images = assert_alike(tmp_path)
    np.testing.assert_array_equal(images[2].argmax(axis=0), labels // 2 * 1)


@pytest.mark.parametrize("treatment", ["auto", "labels"])
def test_patches_that_miss_a_label_keep_the_numbers_of_the_others(tmp_path, treatment):
    labels = regions(6, 2)
    labels = np.where(labels == 1, 2, 0).astype(np.uint8)
    labels[63, 63] = 1  # beyond the last patch
    Image.fromarray(labels).save(tmp_path / "a.png")
    how = Preparation(segmentation=treatment, patch=30)
    images = prepare_images(tmp_path, how).dataset.images
    assert images.shape[1] == 3
    np.testing.assert_array_equal(images[0].argmax(axis=0), labels[:30, :30])


def test_sizes_may_differ_and_labels_mean_the_same(tmp_path):
    for name, side, count in (("a", 64, 3), ("b", 48, 2)):
        Image.fromarray(regions(7, count, side)).save(tmp_path / f"{name}.png")
    prepared = prepare_images(tmp_path, Preparation(patch=16)).dataset
    read = read_patches(tmp_path, 16)
    np.testing.assert_array_equal(prepared.images, read.images)
    assert prepared.image_shape[0] == 3


def test_shares_of_phases_stay_shares(tmp_path):
    np.save(tmp_path / "a.npy", np.moveaxis(np.eye(3)[regions(8, 3)], -1, 0)[None])
    assert assert_alike(tmp_path / "a.npy").shape == (1, 3, 64, 64)


def test_micrographs_are_cut_by_the_threshold_of_each(tmp_path):
    for seed, level in ((0, 60), (1, 110)):
        grey = level + 80 * (field(seed) > 0) + 6 * field(seed + 10)
        Image.fromarray(grey.astype(np.uint8)).save(tmp_path / f"{seed}.png")
    read, prepared = both(tmp_path)
    np.testing.assert_array_equal(read[0], prepared[0])
    levels = [
        image["thresholds"] for image in prepare_images(tmp_path, Preparation()).findings.images
    ]
    assert levels[0] != levels[1]


@pytest.mark.parametrize("how", [{"info_bar": "auto"}, {"info_bar": 10}], ids=str)
def test_a_bar_is_cut_off_before_the_values_are_judged(tmp_path, how):
    labels = regions(9, 3)
    bar = np.full((10, 64), 255, np.uint8)
    Image.fromarray(np.vstack([labels, bar])).save(tmp_path / "a.png")
    prepared = prepare_images(tmp_path, Preparation(**how)).dataset
    np.testing.assert_array_equal(prepared.images[0].argmax(axis=0), labels)


def test_labels_are_not_denoised_unasked(tmp_path):
    Image.fromarray(regions(1, 3)).save(tmp_path / "a.png")
    with pytest.raises(DataError, match=r"0, 1, 2 became .* and denoised labels are none"):
        prepare_images(tmp_path, Preparation(denoised=True))


def test_questions_name_the_options_of_prepare(tmp_path):
    Image.fromarray(np.array([0, 1, 5], np.uint8)[regions(1, 3)]).save(tmp_path / "a.png")
    with pytest.raises(DataError) as question:
        prepare_images(tmp_path, Preparation())
    assert str(question.value).endswith(
        "pass segmentation='labels' or segmentation='otsu' (--segment labels, --segment otsu)."
    )

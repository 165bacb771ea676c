"""Stored values become phases, labels, grey levels or colours by one rule for the whole set."""

import numpy as np
import pytest

from generative.data import one_hot, otsu
from generative.data.grey.meaning import check_grey
from generative.data.grey.phases import read_phases
from generative.data.grey.segment import luminance
from generative.errors import DataError

RNG = np.random.default_rng(2)
LABELS = RNG.integers(0, 3, (4, 1, 9, 8), dtype=np.uint8)


def images_and_content(raw, **how):
    read = read_phases(raw, **how)
    return read.images, read.content


def bimodal(low, high, dtype):
    """Two noisy grey levels, and where the higher one is."""
    phases = RNG.random((3, 1, 32, 32)) < 0.3
    noise = RNG.normal(0, 0.1 * (high - low), phases.shape)
    return (np.where(phases, high, low) + noise).astype(dtype), phases


@pytest.mark.parametrize(
    ("low", "high", "dtype"),
    [
        (60, 190, np.uint8),
        (9_000, 40_000, np.uint16),
        (-20_000, 20_000, np.int16),
        (-(10**9), 10**9, np.int32),
        (10**12, 10**12 + 40_000, np.int64),
        (0.2, 0.8, np.float32),
        (-1e6, 1e6, np.float64),
    ],
)
def test_otsu_finds_two_grey_levels_of_any_type_and_scale(low, high, dtype):
    grey, phases = bimodal(low, high, dtype)
    assert (otsu(grey) == phases).mean() > 0.999


def test_otsu_is_blind_to_brightness_and_contrast_and_works_row_by_row():
    grey, _ = bimodal(60, 150, np.uint8)
    np.testing.assert_array_equal(otsu(grey), otsu(grey.astype(np.int64) * 7 - 300))
    np.testing.assert_array_equal(otsu(grey)[1:2], otsu(grey[1:2]))


def test_otsu_separates_the_classes_with_the_largest_variance_between_them():
    grey, _ = bimodal(60, 150, np.uint8)
    cut = grey[:1][otsu(grey[:1]) == 1].min()
    thresholds = np.arange(grey[0].min() + 1, grey[0].max() + 1)
    between = []
    for threshold in thresholds:
        above = grey[0] >= threshold
        weight, mean = above.mean(), grey[0][above].mean()
        between.append(weight * (1 - weight) * (mean - grey[0][~above].mean()) ** 2)
    assert between[list(thresholds).index(cut)] == pytest.approx(max(between))


def test_a_constant_image_is_refused_by_name():
    grey, _ = bimodal(60, 150, np.uint8)
    grey[1] = 9
    with pytest.raises(DataError, match=r"b: expected at least two grey levels .* got one \(9\)"):
        otsu(grey, names=["a", "b", "c"])


def test_one_hot_channels_sum_to_one_and_name_the_label():
    images = one_hot(LABELS[:, 0], 4)
    assert images.shape == (4, 4, 9, 8)
    np.testing.assert_array_equal(images.sum(axis=1), 1)
    np.testing.assert_array_equal(images.argmax(axis=1), LABELS[:, 0])


@pytest.mark.parametrize("wrong", [-1, 3])
def test_one_hot_refuses_labels_out_of_range(wrong):
    labels = LABELS[:, 0].astype(np.int64)
    labels[2, 0, 0] = wrong
    with pytest.raises(DataError, match=r"image 2: expected labels from 0 to 2, got"):
        one_hot(labels, 3)


def test_luminance_of_equal_colours_is_the_grey_itself():
    grey = RNG.integers(0, 256, (2, 1, 5, 6), dtype=np.uint8)
    np.testing.assert_array_equal(luminance(np.repeat(grey, 3, axis=1)), grey)


@pytest.mark.parametrize("grey", ["auto", "otsu", "labels", "keep"])
@pytest.mark.parametrize("values", [(0, 1), (0, 255), (3, 200)])
def test_two_values_in_the_whole_set_are_two_phases_whatever_is_asked(grey, values):
    indicator = RNG.integers(0, 2, (4, 1, 9, 8))
    indicator[0], indicator[1] = 0, 1  # constant images are no exception
    images, content = images_and_content(np.array(values, np.uint8)[indicator], grey=grey)
    assert content == "phases"
    np.testing.assert_array_equal(images, indicator)


@pytest.mark.parametrize(("value", "phase"), [(0, 0), (1, 1), (255, 1)])
def test_one_value_that_can_mean_only_one_phase_is_that_phase(value, phase):
    images, _ = images_and_content(np.full((2, 1, 4, 4), value, np.uint8))
    assert (images == phase).all()


@pytest.mark.parametrize(
    "levels", [(0, 1, 2), (1, 2, 3), (0, 127, 255), (0.0, 1.0, 2.0), (-1, 0, 1)], ids=str
)
def test_a_few_even_whole_values_are_labels_in_ascending_order(levels):
    images, content = images_and_content(np.array(levels)[LABELS])
    assert content == "phases"
    np.testing.assert_array_equal(images, one_hot(LABELS[:, 0], 3))


def test_an_image_that_lacks_a_phase_of_the_set_still_has_its_channel():
    raw = LABELS.copy()
    raw[0] = raw[0] % 2
    images, _ = images_and_content(raw)
    assert images.shape[1] == 3
    assert images[0, 2].sum() == 0


def test_new_images_are_read_with_the_channels_of_a_model():
    images, _ = images_and_content(LABELS % 2, channels=3)
    np.testing.assert_array_equal(images, one_hot(LABELS[:, 0] % 2, 3))
    images, _ = images_and_content(LABELS, channels=5)
    np.testing.assert_array_equal(images, one_hot(LABELS[:, 0], 5))


def test_uneven_values_that_could_be_anything_are_refused_until_said():
    raw = np.array([0, 1, 255], np.uint8)[LABELS]
    with pytest.raises(DataError, match=r"only the values 0, 1, 255 .* pass grey='labels'"):
        images_and_content(raw)
    np.testing.assert_array_equal(
        images_and_content(raw, grey="labels")[0], one_hot(LABELS[:, 0], 3)
    )
    assert images_and_content(raw, grey="otsu")[0].shape[1] == 1


def test_three_labels_do_not_pass_for_two_phases():
    with pytest.raises(DataError, match="expected two phases in one channel"):
        images_and_content(LABELS, channels=1)


@pytest.mark.parametrize("channels", [2, 4])
def test_grey_levels_do_not_pass_for_phases(channels):
    grey, _ = bimodal(60, 150, np.uint8)
    with pytest.raises(DataError, match=f"expected labels 0 to {channels - 1}"):
        images_and_content(grey, channels=channels)


def test_more_than_255_labels_are_refused():
    with pytest.raises(DataError, match="more than 255"):
        images_and_content(np.arange(400).reshape(1, 1, 20, 20), grey="labels")


@pytest.mark.parametrize(("dtype", "scale"), [(np.uint8, 255), (np.uint16, 65535)])
def test_kept_grey_is_scaled_by_its_depth_and_not_by_its_range(dtype, scale):
    raw = RNG.integers(20, 90, (2, 1, 9, 8)).astype(dtype)
    images, content = images_and_content(raw, grey="keep")
    assert content == "grey"
    np.testing.assert_allclose(images, raw / scale, rtol=1e-6)


def test_kept_grey_of_unknown_scale_is_refused():
    with pytest.raises(DataError, match="expected grey levels of 8 or 16 bits"):
        images_and_content(np.arange(80).reshape(1, 1, 10, 8), grey="keep")


def test_phase_channels_that_sum_to_one_are_kept_even_if_fractional():
    fractions = RNG.dirichlet(np.ones(3), (2, 9, 8)).transpose(0, 3, 1, 2)
    images, content = images_and_content(fractions)
    assert content == "phases"
    np.testing.assert_allclose(images, fractions, atol=1e-6)
    with pytest.raises(DataError, match="expected channels=2, got 3 phases"):
        images_and_content(fractions, channels=2)


def test_channels_that_are_neither_phases_nor_colour_are_refused():
    with pytest.raises(DataError, match="got 2 other channels"):
        images_and_content(RNG.integers(0, 256, (1, 2, 9, 8)))


def test_an_unknown_treatment_of_grey_is_refused():
    with pytest.raises(ValueError, match="grey should be one of auto, otsu, labels, keep"):
        check_grey("segment")


@pytest.mark.parametrize("levels", [(0, 1, 3), (0, 1, 4), (1, 2, 4, 5), (0, 2, 3)])
def test_a_label_that_is_absent_is_asked_about(levels):
    raw = np.array(levels)[RNG.integers(0, len(levels), (2, 1, 9, 8))]
    with pytest.raises(DataError, match=rf"or channels={levels[-1] + 1} if some of its labels"):
        images_and_content(raw)
    assert images_and_content(raw, channels=levels[-1] + 1)[0].shape[1] == levels[-1] + 1
    assert images_and_content(raw, grey="labels")[0].shape[1] == len(levels)


def test_levels_that_rounding_put_beside_the_range_are_within_it():
    raw = RNG.random((2, 1, 9, 8)).astype(np.float32) * 1.000001 - 2e-7
    raw[0, 0, 0, :2] = -2e-7, 1 + 2e-7
    images, content = images_and_content(raw, grey="keep")
    assert (content, images.min(), images.max()) == ("grey", 0, 1)
    np.testing.assert_allclose(images, raw, atol=1e-6)

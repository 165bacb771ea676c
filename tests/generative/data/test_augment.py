"""Augmented images are the same structures, turned, mirrored, shifted or blurred."""

import numpy as np
import pytest

from generative.data.augment import Augmentation, augment

RNG = np.random.default_rng(4)
IMAGES = RNG.random((3, 2, 8, 8)).astype(np.float32)
VOLUMES = RNG.random((2, 1, 6, 6, 6)).astype(np.float32)
NONE = {"flips": False, "rotations": False}


def symmetries(image):
    """All images that quarter turns and mirrors make of a square one (c, h, w)."""
    turns = [np.rot90(image, k, (1, 2)) for k in range(4)]
    return turns + [np.flip(turn, 1) for turn in turns]


@pytest.mark.parametrize("images", [IMAGES, VOLUMES], ids=["2-D", "3-D"])
def test_the_set_grows_eightfold_and_begins_with_the_originals(images):
    more = augment(images, seed=0)
    assert more.shape == (8 * len(images), *images.shape[1:])
    assert more.dtype == np.float32
    np.testing.assert_array_equal(more[: len(images)], images)


def test_a_seed_gives_one_set_and_another_seed_another():
    np.testing.assert_array_equal(augment(IMAGES, seed=1), augment(IMAGES, seed=1))
    assert (augment(IMAGES, seed=1) != augment(IMAGES, seed=2)).any()


def test_the_images_given_are_not_changed():
    before = IMAGES.copy()
    augment(IMAGES, seed=0, how=Augmentation(shifts=True, blur_px=2.0))
    np.testing.assert_array_equal(IMAGES, before)


def test_turns_and_mirrors_reach_all_eight_symmetries_of_the_square_and_no_more():
    copies = augment(IMAGES[:1], seed=0, copies=200, how=Augmentation())
    found = [
        next(i for i, s in enumerate(symmetries(IMAGES[0])) if np.array_equal(s, copy))
        for copy in copies
    ]
    assert set(found) == set(range(8))


@pytest.mark.parametrize("images", [IMAGES, VOLUMES], ids=["2-D", "3-D"])
def test_turns_and_mirrors_keep_every_value_in_its_channel(images):
    copies = augment(images, seed=0, copies=4, how=Augmentation())
    for number, copy in enumerate(copies):
        for channel, original in zip(copy, images[number % len(images)], strict=True):
            np.testing.assert_array_equal(np.sort(channel.ravel()), np.sort(original.ravel()))


def test_sides_of_different_length_keep_the_shape():
    images = RNG.random((2, 1, 6, 4)).astype(np.float32)
    copies = augment(images, seed=0, how=Augmentation())
    assert copies.shape == (16, 1, 6, 4)


@pytest.mark.parametrize("images", [IMAGES, VOLUMES], ids=["2-D", "3-D"])
def test_shifts_are_periodic_and_keep_the_two_point_statistics(images):
    axes = tuple(range(2, images.ndim))
    copies = augment(images, seed=0, copies=3, how=Augmentation(**NONE, shifts=True))
    power = np.abs(np.fft.fftn(copies, axes=axes))
    expected = np.abs(np.fft.fftn(np.concatenate([images] * 3), axes=axes))
    np.testing.assert_allclose(power, expected, rtol=1e-3, atol=1e-3)
    assert (copies[len(images) :] != np.concatenate([images] * 2)).any()


@pytest.mark.parametrize("shifts", [False, True])
def test_blur_keeps_the_range_and_smooths(shifts):
    copies = augment(IMAGES, seed=0, how=Augmentation(**NONE, shifts=shifts, blur_px=2.0))
    assert copies.min() >= 0
    assert copies.max() <= 1
    assert copies[3:].std() < IMAGES.std()


def test_a_periodic_blur_keeps_the_mean():
    copies = augment(IMAGES, seed=0, how=Augmentation(**NONE, shifts=True, blur_px=2.0))
    means = copies.mean(axis=(2, 3)).reshape(8, 3, 2)
    np.testing.assert_allclose(means, np.broadcast_to(means[0], means.shape), atol=1e-5)


def test_nothing_allowed_changes_nothing():
    copies = augment(IMAGES, seed=0, copies=2, how=Augmentation(**NONE))
    np.testing.assert_array_equal(copies, np.concatenate([IMAGES, IMAGES]))


def test_one_copy_is_the_original_and_none_is_refused():
    np.testing.assert_array_equal(augment(IMAGES, seed=0, copies=1), IMAGES)
    with pytest.raises(ValueError, match="copies should be at least 1, got 0"):
        augment(IMAGES, seed=0, copies=0)

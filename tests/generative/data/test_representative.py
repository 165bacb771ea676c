"""Which images stand for many, and the colours in which they are shown."""

import numpy as np
import pytest

from generative.data.phase_colours import PHASE_COLOURS, picture_of
from generative.data.representative import representative_rows

COLOURS = np.array([tuple(bytes.fromhex(colour[1:])) for colour in PHASE_COLOURS]) / 255


def of_fractions(fractions, side=20):
    """Images whose phase 1 has given fractions."""
    images = np.zeros((len(fractions), 1, side * side), dtype=np.float32)
    for image, fraction in zip(images, fractions, strict=True):
        image[0, : round(fraction * side * side)] = 1
    return images.reshape(-1, 1, side, side)


def test_they_are_spread_over_fractions_whatever_the_order():
    fractions = np.linspace(0, 1, 60)
    images = of_fractions(np.random.default_rng(0).permutation(fractions))
    rows = representative_rows(images, 6)
    shown = images[rows].mean((1, 2, 3))
    assert (np.diff(shown) > 0).all()
    assert ((shown * 6).astype(int) == np.arange(6)).all()  # one of each sixth


def test_each_stands_for_as_many_images():
    rare = of_fractions([*[0.1] * 50, *[0.9] * 10])
    assert (rare[representative_rows(rare, 6)].mean((1, 2, 3)) > 0.5).sum() == 1


def test_they_are_spread_over_parents():
    parents = np.arange(60) % 5
    rows = representative_rows(of_fractions(np.linspace(0, 1, 60)), 5, parents)
    assert sorted(parents[rows]) == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("k", [1, 3, 7, 20])
def test_they_are_different_and_no_more_than_there_are(k):
    rows = representative_rows(of_fractions([0.5] * 7), k, np.zeros(7, dtype=np.int64))
    assert len(set(rows.tolist())) == len(rows) == min(k, 7)


def test_a_decided_voxel_has_the_colour_of_its_phase():
    labels = np.random.default_rng(0).integers(0, 3, (4, 5))
    image = np.moveaxis(np.eye(3)[labels], -1, 0)
    np.testing.assert_allclose(picture_of(image, phases=True), COLOURS[labels], atol=1e-6)
    volume = np.stack([1 - image, image, 1 - image], axis=1)  # the middle slice is shown
    np.testing.assert_allclose(picture_of(volume, phases=True), COLOURS[labels], atol=1e-6)


def test_an_undecided_voxel_has_a_mixture_and_grey_stays_grey():
    half = np.full((1, 2, 2), 0.5)
    np.testing.assert_allclose(picture_of(half, phases=True)[0, 0], COLOURS[:2].mean(0))
    assert (picture_of(half, phases=False) == 0.5).all()
    colour = np.random.default_rng(0).random((3, 2, 2))
    np.testing.assert_allclose(picture_of(colour, phases=False), np.moveaxis(colour, 0, -1))

"""Correlation length and anisotropy, against settings that structures were made with."""

import numpy as np
import pytest
import torch
from scipy.stats import spearmanr

from generative.data.synthetic import gaussian_random_field, gaussian_random_field_settings
from objectives.two_point import correlation_extent


def test_ranks_of_lengths_are_those_that_fields_were_made_with():
    settings = {"seed": 3, "anisotropy": 1}
    images = gaussian_random_field(80, (64, 64), **settings)
    known = gaussian_random_field_settings(80, (64, 64), **settings)["correlation_length_px"]
    found = correlation_extent(images).length
    assert spearmanr(found, known)[0] > 0.95


@pytest.mark.parametrize("ratio", [1, 2, 4])
def test_anisotropy_is_the_ratio_of_lengths_in_any_direction(ratio):
    ranges = {"correlation_length_px": 5, "anisotropy": ratio, "volume_fraction": 0.5}
    images = gaussian_random_field(40, (64, 64), seed=1, **ranges)
    assert np.median(correlation_extent(images).anisotropy) == pytest.approx(ratio, rel=0.25)


def test_a_turned_shifted_or_inverted_image_has_the_same():
    image = torch.from_numpy(gaussian_random_field(3, (32, 32), seed=2))
    whole = correlation_extent(image)
    for other in (image.roll((5, 9), (2, 3)), image.rot90(1, (2, 3)), 1 - image):
        found = correlation_extent(other)
        np.testing.assert_allclose(found.length, whole.length, rtol=1e-9)
        np.testing.assert_allclose(found.anisotropy, whole.anisotropy, rtol=1e-9)


def test_volumes_are_measured_alike_and_one_phase_alone_has_no_length():
    ball = np.stack(np.meshgrid(*[np.arange(20) - 9.5] * 3, indexing="ij"))
    image = ((ball**2).sum(0) < 36)[None, None].astype(np.float32)
    found = correlation_extent(image)
    assert found.anisotropy[0] == pytest.approx(1, abs=1e-6)
    assert 3 < found.length[0] < 6  # the overlap of two balls of radius 6 falls to 1/e in between
    assert np.isnan(correlation_extent(np.zeros((1, 1, 8, 8), np.float32)).length).all()

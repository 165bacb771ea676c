"""Errors of reconstructions: none for the identity, known ones for known changes."""

import numpy as np
import pytest
import torch

from generative import PCA
from generative.data.synthetic import gaussian_random_field
from generative.reconstruction import reconstruct, reconstruction_errors
from generative.vae import autocorrelation

PHASES = torch.from_numpy(gaussian_random_field(4, (16, 16), seed=0))
VOLUMES = torch.from_numpy(gaussian_random_field(2, (8, 9, 10), seed=0))
GREY = torch.rand(4, 2, 16, 16, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("images", [PHASES, VOLUMES, GREY], ids=["phases", "volumes", "grey"])
def test_the_identity_has_no_error(images):
    errors = reconstruction_errors(images, images.clone())
    assert errors.asdict() == {
        "mse": 0.0,
        "ssim": pytest.approx(1.0),
        "two_point_mae": 0.0,
        "interface_ratio": 1.0,
    }


def test_a_constant_change_has_its_square_as_mse():
    images = 0.5 * GREY
    assert reconstruction_errors(images, images + 0.25).mse == pytest.approx(0.0625, rel=1e-5)


def test_a_flat_answer_keeps_no_interface_and_almost_no_similarity():
    errors = reconstruction_errors(PHASES, torch.full_like(PHASES, 0.5))
    assert errors.mse == pytest.approx(0.25)
    assert errors.interface_ratio == 0
    assert errors.ssim < 0.1


def test_exchanged_phases_keep_the_interface_and_have_the_largest_mse():
    errors = reconstruction_errors(PHASES, 1 - PHASES)
    assert errors.mse == 1
    assert errors.interface_ratio == pytest.approx(1)


def test_a_periodic_shift_has_no_two_point_error():
    errors = reconstruction_errors(PHASES, PHASES.roll((3, 5), (2, 3)))
    assert errors.mse > 0.1
    assert errors.two_point_mae < 1e-6


def test_phases_are_cut_before_statistics_and_grey_is_not():
    faint = 0.3 * (PHASES - 0.5) + 0.5
    cut = reconstruction_errors(PHASES, faint)
    assert cut.two_point_mae == 0
    assert cut.interface_ratio == 1
    half = reconstruction_errors(GREY, 0.5 * GREY)
    assert half.interface_ratio == pytest.approx(0.5, rel=1e-5)
    expected = 0.75 * autocorrelation(GREY).mean()
    assert half.two_point_mae == pytest.approx(float(expected), rel=1e-4)


def test_double_stripes_have_twice_the_interface():
    def stripes(width):
        return (torch.arange(16).div(width, rounding_mode="floor") % 2).float().expand(1, 1, 16, 16)

    errors = reconstruction_errors(stripes(4), stripes(2))
    assert errors.interface_ratio == pytest.approx(7 / 3)


def test_the_mse_is_the_mean_over_images_of_any_number():
    other = GREY.roll(1, 0)
    whole = reconstruction_errors(GREY, other).mse
    each = [reconstruction_errors(GREY[i : i + 1], other[i : i + 1]).mse for i in range(4)]
    assert whole == pytest.approx(float(np.mean(each)), rel=1e-5)


def test_reconstruct_encodes_and_decodes_without_gradients():
    model = PCA((1, 16, 16), components=3).fit(PHASES)
    answer = reconstruct(model, PHASES)
    torch.testing.assert_close(answer, model.decode(model.encode(PHASES)))
    assert not answer.requires_grad

"""Errors of reconstructions: none for the identity, known ones for known changes."""

import numpy as np
import pytest
import torch

from generative import PCA
from generative.data.synthetic import gaussian_random_field
from generative.model import reconstruct
from generative.stages.reconstruction import reconstruction_errors
from objectives import fidelity
from objectives.phases import cut_phases, to_images
from objectives.two_point import two_point_statistics

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
    expected = 0.75 * two_point_statistics(GREY).mean()
    assert half.two_point_mae == pytest.approx(float(expected), rel=1e-4)


def soft_images(channels, space, seed=0):
    """Phases, and probabilities of which the right one is the largest, often below one half."""
    generator = torch.Generator().manual_seed(seed)
    count = max(channels, 2)
    phases = torch.randint(0, count, (4, *space), generator=generator).to(torch.uint8)
    images = to_images(phases, channels)
    largest = 0.55 if count == 2 else 0.45
    rest = (1 - largest) / (count - 1)
    return images, rest + (largest - rest) * images


@pytest.mark.parametrize("space", [(16, 16), (8, 9, 10)], ids=["2d", "3d"])
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_where_the_right_phase_is_the_most_likely_everywhere_statistics_are_right(channels, space):
    images, soft = soft_images(channels, space)
    assert channels < 3 or soft.max() < 0.5
    errors = reconstruction_errors(images, soft)
    assert errors.two_point_mae == 0
    assert errors.interface_ratio == 1
    assert errors.loss_of_detail == 0
    assert errors.mse > 0.01


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_the_errors_are_those_of_the_metrics_that_evaluate_uses(channels):
    images, _ = soft_images(channels, (16, 16))
    soft = torch.rand(images.shape, generator=torch.Generator().manual_seed(3))
    errors, cut = reconstruction_errors(images, soft), cut_phases(soft)
    assert errors.mse == float(fidelity.mse(images, soft).mean())
    assert errors.ssim == float(fidelity.ssim(images, soft).mean())
    assert errors.two_point_mae == float(fidelity.two_point_mae(images, cut).mean())
    assert errors.interface_ratio == fidelity.interface_ratio(images, cut)


def test_fractions_of_phases_that_sum_to_one_are_cut_on_both_sides():
    images, soft = soft_images(3, (16, 16))
    soft = soft / soft.sum(1, keepdim=True)
    assert reconstruction_errors(soft, images).two_point_mae == 0


def test_of_images_without_interface_no_interface_is_asked_for():
    uniform = torch.zeros(2, 1, 8, 8)
    assert reconstruction_errors(uniform, uniform).loss_of_detail == 0
    half = uniform.clone()
    half[..., :4] = 1
    assert reconstruction_errors(uniform, half).loss_of_detail > 0.1


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

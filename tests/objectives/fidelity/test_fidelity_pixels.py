"""Metrics of images and their reconstructions, where the answer can be written down."""

import math

import numpy as np
import pytest
import torch

from objectives import fidelity
from objectives.errors import EvaluationError

PER_IMAGE = ["mse", "psnr", "ssim", "pixel_error", "two_point_mae", "lineal_path_mae"]


@pytest.fixture(params=[(9, 8), (5, 6, 7)], ids=["2d", "3d"])
def images(request):
    generator = torch.Generator().manual_seed(0)
    return torch.rand(3, 1, *request.param, generator=generator)


@pytest.mark.parametrize(
    ("metric", "best"),
    list(zip(PER_IMAGE, [0.0, math.inf, 1.0, 0.0, 0.0, 0.0], strict=True)),
)
def test_equal_images_have_the_best_value(metric, best, images):
    values = getattr(fidelity, metric)(images, images)
    assert values.dtype == torch.float64
    assert values.tolist() == pytest.approx([best] * 3)


@pytest.mark.parametrize("metric", PER_IMAGE)
def test_each_value_belongs_to_its_row(metric, images):
    measure, others = getattr(fidelity, metric), images.flip(0)
    together = measure(images, others)
    alone = torch.cat([measure(images[i : i + 1], others[i : i + 1]) for i in range(3)])
    torch.testing.assert_close(together, alone)


@pytest.mark.parametrize("metric", PER_IMAGE)
def test_numpy_is_answered_in_numpy(metric, images):
    values = getattr(fidelity, metric)(images.numpy(), images.numpy())
    assert isinstance(values, np.ndarray)


@pytest.mark.parametrize("metric", PER_IMAGE)
def test_images_and_reconstructions_of_other_shapes_are_refused(metric, images):
    with pytest.raises(EvaluationError, match="one shape"):
        getattr(fidelity, metric)(images, images[:2])


def test_a_constant_offset_has_its_square_as_mse_and_its_level_as_psnr():
    black, grey = torch.zeros(1, 1, 8, 8), torch.full((1, 1, 8, 8), 0.1)
    assert fidelity.mse(black, grey).item() == pytest.approx(0.01)
    assert fidelity.psnr(black, grey).item() == pytest.approx(20.0, abs=1e-5)


def test_ssim_of_two_flat_images_is_their_luminance_term():
    black, white = torch.zeros(1, 1, 8, 8), torch.ones(1, 1, 8, 8)
    c1 = 0.01**2  # of Wang et al. 2004
    assert fidelity.ssim(black, white).item() == pytest.approx(c1 / (1 + c1), rel=1e-4)


def test_ssim_of_a_layer_too_thin_for_a_window_is_refused():
    with pytest.raises(EvaluationError, match="at least 3 voxels"):
        fidelity.ssim(torch.zeros(1, 1, 2, 8), torch.zeros(1, 1, 2, 8))


def test_pixel_error_counts_voxels_of_another_phase_among_three():
    labels = torch.tensor([[[0, 1, 2, 2]]])
    changed = torch.tensor([[[0, 1, 2, 0]]])
    a, b = (torch.nn.functional.one_hot(x, 3).movedim(-1, 1).float() for x in (labels, changed))
    assert fidelity.pixel_error(a, b).item() == 0.25


def test_two_point_mae_does_not_see_a_periodic_shift(images):
    shifted = images.roll((2, 3), dims=(-2, -1))
    assert fidelity.two_point_mae(images, shifted).max() < 1e-6


def test_lineal_path_tells_stripes_of_two_widths_that_have_the_same_fraction():
    narrow = (torch.arange(16) // 2 % 2).float().expand(1, 1, 16, 16)
    wide = (torch.arange(16) // 4 % 2).float().expand(1, 1, 16, 16)
    # Along the stripes both have L(r) = 1/2; across, the chances of r = 0 to 4 steps, by counting.
    counted = []
    for stripes in (narrow, wide):
        row = stripes[0, 0, 0].bool().tolist()
        for phase in (row, [not v for v in row]):
            counted.append(
                [sum(all(phase[i : i + r + 1]) for i in range(16 - r)) / (16 - r) for r in range(5)]
            )
    across = [
        abs(a - b) for a, b in zip(counted[0] + counted[1], counted[2] + counted[3], strict=True)
    ]
    expected = sum(across) / 20  # of 2 phases, 2 axes, 5 lengths
    assert fidelity.lineal_path_mae(narrow, wide).item() == pytest.approx(expected)


def test_interface_ratio_is_one_for_itself_and_doubles_with_a_second_layer(images):
    cut = (images > 0.5).float()
    assert fidelity.interface_ratio(cut, cut) == 1.0
    one, two = torch.zeros(2, 1, 9, 8, 9)
    one[:, 3:5], two[:, 3:4], two[:, 5:6] = 1, 1, 1
    assert fidelity.interface_ratio(one[None], two[None]) == pytest.approx(2.0)
    labels = torch.nn.functional.one_hot(one[0].long(), 3).movedim(-1, 0).float()[None]
    doubled = torch.nn.functional.one_hot(two[0].long(), 3).movedim(-1, 0).float()[None]
    assert fidelity.interface_ratio(labels, doubled) == pytest.approx(2.0)


def test_interface_ratio_of_no_interface_is_not_a_number():
    assert math.isnan(fidelity.interface_ratio(torch.zeros(1, 1, 8, 8), torch.ones(1, 1, 8, 8)))

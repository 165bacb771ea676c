"""The soft minimum size: its limit is the hard rule, its gradient is right and useful."""

import numpy as np
import pytest
import torch

from objectives.errors import EvaluationError
from objectives.manufacturability import check_design_rules, soft_thin_share


@pytest.mark.parametrize("periodic", [True, False])
@pytest.mark.parametrize("shape", [(16, 9), (16, 6, 6)])
@pytest.mark.parametrize("size", [1, 2, 3, 6])
def test_sharp_it_is_the_hard_rule_on_walls(size, shape, periodic):
    for width in {1, size - 1, size, size + 1} - {0}:
        wall = torch.zeros(1, 1, *shape, dtype=torch.float64)
        wall[:, :, 5 : 5 + width] = 1
        share = soft_thin_share(wall, size, sharpness=100.0, periodic=periodic)
        rules = [{"kind": "min_solid", "limit_um": size}]
        hard = check_design_rules(wall, rules, periodic=periodic)[0]["min_solid"]
        assert share.item() == pytest.approx(hard.mask.sum() / wall.sum().item(), abs=1e-9)
        assert share.item() == pytest.approx(float(width < size), abs=1e-9)


@pytest.mark.parametrize("size", [3, 5])
def test_sharp_it_flags_the_share_of_random_structures_that_the_hard_rule_flags(size):
    field = np.random.default_rng(0).normal(size=(6, 1, 48, 48))
    smooth = np.fft.fft2(field) * np.exp(-((np.fft.fftfreq(48) * 18) ** 2).reshape(-1, 1))
    smooth = np.fft.ifft2(smooth * np.exp(-((np.fft.fftfreq(48) * 18) ** 2))).real
    images = (smooth > 0).astype(float)
    soft = soft_thin_share(torch.from_numpy(images), size, sharpness=100.0).numpy()
    results = check_design_rules(images, [{"kind": "min_solid", "limit_um": size}])
    hard = [
        r["min_solid"].mask.sum() / image.sum() for r, image in zip(results, images, strict=True)
    ]
    np.testing.assert_allclose(soft, hard, atol=0.02)


@pytest.mark.parametrize("periodic", [True, False])
@pytest.mark.parametrize(("shape", "size"), [((5, 6), 3), ((6, 5), 4), ((4, 3, 4), 3)])
def test_the_gradient_is_that_of_finite_differences(shape, size, periodic):
    generator = torch.Generator().manual_seed(0)
    images = 0.4 + 0.4 * torch.rand(2, 1, *shape, generator=generator, dtype=torch.float64)
    images.requires_grad_()

    def share(x):
        return soft_thin_share(x, size, sharpness=0.5, periodic=periodic)

    assert torch.autograd.gradcheck(share, images, atol=1e-7, rtol=1e-4)
    assert torch.autograd.grad(share(images).sum(), images)[0].abs().max() > 1e-4


def test_following_the_gradient_thickens_a_wall():
    start = torch.full((1, 1, 16, 16), 0.05, dtype=torch.float64)
    start[:, :, 6:8] = 0.95
    logits = torch.logit(start).requires_grad_()
    optimizer = torch.optim.Adam([logits], lr=0.1)
    for _ in range(60):
        optimizer.zero_grad()
        x = torch.sigmoid(logits)
        loss = soft_thin_share(x, 4, sharpness=1.0).sum() + 10 * (0.25 - x.mean()).clamp(min=0)
        loss.backward()
        optimizer.step()
    made = (torch.sigmoid(logits.detach()) > 0.5).double()
    rules = [{"kind": "min_solid", "limit_um": 4}]
    assert made.sum() > 0
    assert check_design_rules(made, rules)[0]["min_solid"].margin >= 0
    assert check_design_rules(start, rules)[0]["min_solid"].margin < 0


def test_the_void_is_the_other_phase_and_rows_stand_alone():
    images = (torch.rand(3, 1, 14, 15, generator=torch.Generator().manual_seed(1)) > 0.6).double()
    torch.testing.assert_close(
        soft_thin_share(images, 3, phase=0), soft_thin_share(1 - images, 3, phase=1)
    )
    torch.testing.assert_close(soft_thin_share(images, 3)[1:2], soft_thin_share(images[1:2], 3))


def test_single_phases_and_sections_of_one_voxel():
    assert soft_thin_share(torch.zeros(1, 1, 8, 8), 3).item() == 0
    assert soft_thin_share(torch.ones(1, 1, 8, 8), 5, sharpness=50.0).item() == 0
    image = (torch.rand(1, 1, 12, 13, generator=torch.Generator().manual_seed(2)) > 0.4).double()
    for size in (2, 3):
        section, volume = soft_thin_share(image, size), soft_thin_share(image[:, :, None], size)
        torch.testing.assert_close(section, volume)


@pytest.mark.parametrize("size", [0, -1, 9])
def test_sizes_that_do_not_fit_are_refused(size):
    with pytest.raises(
        EvaluationError, match="size should be a whole number of voxels from 1 to 8"
    ):
        soft_thin_share(torch.zeros(1, 1, 8, 8), size)


def test_a_sharpness_that_is_not_positive_is_refused():
    with pytest.raises(EvaluationError, match="sharpness should be a positive number"):
        soft_thin_share(torch.zeros(1, 1, 8, 8), 3, sharpness=0.0)

import pytest
import torch

from objectives.volume_fraction import VolumeFraction


def test_fractions_of_two_phases_add_to_one():
    images = torch.rand(3, 1, 5, 6)
    one = VolumeFraction()(images)["volume_fraction"]
    other = VolumeFraction(phase=0)(images)["volume_fraction_0"]
    torch.testing.assert_close(one + other, torch.ones(3, dtype=torch.float64))


def test_fraction_is_the_share_of_voxels():
    images = torch.zeros(1, 1, 4, 4, 4)
    images[..., :1] = 1
    assert VolumeFraction()(images)["volume_fraction"].item() == 0.25


def test_gradient_is_one_over_the_voxels():
    images = torch.full((1, 1, 4, 5), 0.5, requires_grad=True)
    VolumeFraction()(images)["volume_fraction"].sum().backward()
    torch.testing.assert_close(images.grad, torch.full_like(images, 1 / 20))


def test_a_phase_that_is_not_there_is_refused():
    with pytest.raises(ValueError, match="phase should be one of 0 to 1"):
        VolumeFraction(phase=2)(torch.rand(1, 1, 4, 4))

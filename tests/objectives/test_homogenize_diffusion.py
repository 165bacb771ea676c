"""Tortuosity against closed forms and conduction."""

import math

import pytest
import torch

from objectives.homogenize import effective_conductivity, tortuosity


def random_images(n, *space):
    generator = torch.Generator().manual_seed(0)
    return (torch.rand(n, 1, *space, generator=generator) > 0.2).float()


def test_a_straight_channel_has_one_and_no_path_is_infinite():
    channel = torch.zeros(1, 1, 5, 4, 3)
    channel[..., 1] = 1
    assert tortuosity(channel, 0).item() == pytest.approx(1)
    assert tortuosity(channel, 1).item() == pytest.approx(1)
    assert tortuosity(channel, -1).item() == math.inf


def test_a_pore_space_without_obstacles_has_one_and_none_at_all_is_infinite():
    assert tortuosity(torch.ones(1, 1, 4, 4), 0).item() == pytest.approx(1)
    assert tortuosity(torch.zeros(1, 1, 4, 4), 0).item() == math.inf


def test_dilute_disks_have_the_limit_of_maxwell():
    """D = (1 - f) / (1 + f) of impermeable disks, so tau = 1 + f; voxels err by percents."""
    axis = torch.arange(65) - 32
    disk = (axis[:, None] ** 2 + axis**2 <= 10**2).float()[None, None]
    fraction = disk.mean().item()
    assert tortuosity(disk, 0, phase=0).item() - 1 == pytest.approx(fraction, rel=0.15)


def test_it_is_the_fraction_over_the_diffusivity():
    images = random_images(3, 12, 11)
    diffusivity = effective_conductivity(images, (0, 1), scheme="fv")
    fraction = images.double().mean((1, 2, 3))
    for axis in (0, 1):
        torch.testing.assert_close(tortuosity(images, axis), fraction / diffusivity[:, axis, axis])
    assert (tortuosity(images, 0) >= 1).all()


def test_either_phase_and_either_way_to_say_phases():
    images = random_images(2, 12, 11)
    two = torch.cat([1 - images, images], 1)
    torch.testing.assert_close(tortuosity(two, 1), tortuosity(images, 1))
    torch.testing.assert_close(tortuosity(1 - images, 1, phase=0), tortuosity(images, 1))


def test_it_has_a_gradient_and_answers_numpy_in_numpy():
    images = torch.full((1, 1, 4, 4), 0.5, dtype=torch.float64, requires_grad=True)
    tortuosity(images, 0).sum().backward()
    assert torch.isfinite(images.grad).all()
    assert tortuosity(random_images(2, 6, 6).numpy(), 0).shape == (2,)


def test_bad_arguments_are_refused():
    with pytest.raises(ValueError, match="axis should be from -2 to 1 for these images, got 2"):
        tortuosity(torch.ones(1, 1, 4, 4), 2)
    with pytest.raises(ValueError, match="phase should be one of 0 to 1"):
        tortuosity(torch.ones(1, 1, 4, 4), 0, phase=2)

"""Tortuosity against closed forms and conduction."""

import itertools
import math

import pytest
import torch

from objectives.grid import Grid
from objectives.homogenize import effective_conductivity, tortuosity
from objectives.manufacturability.clusters import find_clusters


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


@pytest.mark.parametrize("space", [(12, 11), (5, 6, 4)])
@pytest.mark.parametrize("ports", ["open", "periodic"])
def test_it_is_the_fraction_over_the_diffusivity(ports, space):
    images, grid = random_images(3, *space), Grid(2.0, periodic=ports == "periodic")
    diffusivity = effective_conductivity(images, (0, 1), scheme="fv", grid=grid)
    fraction = images.double().flatten(1).mean(1)
    for axis in range(len(space)):
        expected = fraction / diffusivity[:, axis, axis]
        torch.testing.assert_close(tortuosity(images, axis, ports=ports), expected)
        assert (expected >= 1).all()


def test_a_slanted_channel_has_the_value_that_taufactor_is_tested_with():
    """Layers of 2x2 voxels that share one corner each: 37.58333 links in series."""
    channel = torch.zeros(1, 1, 20, 21, 21)
    for layer in range(20):
        channel[0, 0, layer, layer : layer + 2, layer : layer + 2] = 1
    assert tortuosity(channel, 0).item() == pytest.approx(7.51667, abs=1e-5)
    assert tortuosity(channel, 0, ports="periodic").item() == math.inf
    turned = channel.permute(0, 1, 3, 4, 2)
    assert tortuosity(turned, -1).item() == pytest.approx(7.51667, abs=1e-5)


def test_a_strip_has_one_whatever_its_part_of_the_section():
    strip = torch.zeros(1, 1, 20, 20, 20)
    strip[..., :10, :10] = 1
    for ports in ("open", "periodic"):
        assert tortuosity(strip, 0, ports=ports).item() == pytest.approx(1, abs=1e-8)


def test_a_channel_that_shifts_leads_between_open_faces_only():
    channel = torch.zeros(1, 1, 8, 8)
    channel[..., :5, 1] = channel[..., 4:, 5] = channel[..., 4, 1:6] = 1
    # 4 voxels down, 4 links across and 4 down, with half a voxel at each end: 12 of 13 voxels.
    assert tortuosity(channel, 0).item() == pytest.approx(12 / 8 * 12 / 8, abs=1e-8)
    assert tortuosity(channel, 0, ports="periodic").item() == math.inf


def test_dead_ends_and_islands_lead_nowhere():
    dead = torch.zeros(1, 1, 10, 8, 8)
    dead[..., :8, 4, 4] = 1
    island = torch.zeros(1, 1, 10, 8, 8)
    island[..., 3:6, 3:6, 3:6] = 1
    touching = torch.zeros(1, 1, 4, 4)  # corners only
    touching[..., :2, 0] = touching[..., 2:, 1] = 1
    for image in (dead, island, touching):
        for ports in ("open", "periodic"):
            assert tortuosity(image, 0, ports=ports).item() == math.inf


@pytest.mark.parametrize("tol", [1e-2, 1e-4])
@pytest.mark.parametrize("ports", ["open", "periodic"])
def test_connectivity_and_no_tolerance_says_whether_there_is_a_path(ports, tol):
    images = (torch.rand(60, 1, 10, 10, generator=torch.Generator().manual_seed(5)) < 0.55).float()
    for axis in (0, 1):
        wraps = ports == "periodic"
        leads = [
            find_clusters(row[0].numpy() > 0, periodic=wraps).spans[:, axis].any() for row in images
        ]
        assert 0 < sum(leads) < 60
        values = tortuosity(images, axis, ports=ports, tol=tol)
        assert torch.isfinite(values).tolist() == leads
        assert (values >= 1 - 1e-9).all()


def test_dead_ends_count_as_pore_space_and_carry_nothing():
    channel = torch.zeros(1, 1, 9, 9)
    channel[..., 4] = 1
    with_arm = channel.clone()
    with_arm[..., 4, 5:8] = 1
    assert tortuosity(with_arm, 0).item() == pytest.approx(12 / 9, abs=1e-8)


@pytest.mark.parametrize("ports", ["open", "periodic"])
def test_mirror_images_and_permuted_axes_have_the_same(ports):
    image = random_images(1, 5, 6, 7)
    expected = tortuosity(image, 1, ports=ports)
    for other in (image.flip(2), image.flip(3), image.flip(4)):
        torch.testing.assert_close(tortuosity(other, 1, ports=ports), expected)
    for axes in itertools.permutations(range(3)):
        other = image.permute(0, 1, *(2 + axis for axis in axes))
        torch.testing.assert_close(tortuosity(other, axes.index(1), ports=ports), expected)


def test_boxes_have_the_tortuosity_of_the_same_body_on_cubes():
    image = random_images(1, 8, 8).repeat_interleave(4, 2).repeat_interleave(4, 3)
    boxes = tortuosity(image, 0, grid=Grid((2, 1)))
    torch.testing.assert_close(
        boxes, tortuosity(image.repeat_interleave(2, 2), 0), rtol=0.03, atol=0
    )
    assert abs(boxes / tortuosity(image, 0) - 1) > 0.05


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
    with pytest.raises(ValueError, match="ports should be one of open, periodic, got 'closed'"):
        tortuosity(torch.ones(1, 1, 4, 4), 0, ports="closed")
    with pytest.raises(ValueError, match="phase should be one of 0 to 1"):
        tortuosity(torch.ones(1, 1, 4, 4), 0, phase=2)

import numpy as np
import pytest
import torch

from objectives.lineal_path import lineal_path
from objectives.two_point import two_point_statistics


def binary_images(space, channels=1, n=3, fraction=0.6):
    generator = torch.Generator().manual_seed(0)
    noise = torch.rand(n, channels, *space, generator=generator, dtype=torch.float64)
    return (noise < fraction).double()


def by_counting(image, axis, r, periodic):
    """The definition, line by line."""
    lines = np.moveaxis(image, axis, -1).reshape(-1, image.shape[axis])
    size = lines.shape[1]
    starts = range(size if periodic else size - r)
    return np.mean(
        [all(line[(s + t) % size] for t in range(r + 1)) for line in lines for s in starts]
    )


@pytest.mark.parametrize("periodic", [True, False])
@pytest.mark.parametrize("space", [(5, 6), (4, 3, 5)])
def test_every_value_is_the_share_of_lines_in_the_phase(space, periodic):
    images = binary_images(space)
    paths = lineal_path(images, periodic=periodic)
    assert paths.shape == (3, len(space), min(space))
    for row, axis, r in np.ndindex(*paths.shape):
        expected = by_counting(images[row, 0].numpy(), axis, r, periodic)
        assert paths[row, axis, r].item() == pytest.approx(expected, abs=1e-14)


@pytest.mark.parametrize("periodic", [True, False])
def test_paths_start_at_the_volume_fraction_and_fall(periodic):
    images = binary_images((9, 12))
    paths = lineal_path(images, periodic=periodic)
    torch.testing.assert_close(paths[:, 0, 0], images.mean((1, 2, 3)))
    if periodic:
        assert (paths.diff(dim=2) <= 1e-12).all()


def test_a_path_in_the_phase_has_both_its_ends_there():
    images = binary_images((11, 12), fraction=0.8)
    statistics = two_point_statistics(images)[:, 0]
    paths = lineal_path(images, cutoff=5)
    assert (paths[:, 0] <= statistics[:, 5:, 6] + 1e-12).all()
    assert (paths[:, 1] <= statistics[:, 5, 6:] + 1e-12).all()
    torch.testing.assert_close(paths[:, 0, 1], statistics[:, 6, 6])


@pytest.mark.parametrize("thickness", [1, 4, 9])
def test_a_laminate_has_a_straight_line_along_its_normal_and_a_constant_in_its_plane(thickness):
    image = torch.zeros(1, 1, 5, 10, 6)
    image[:, :, :, :thickness] = 1
    z, y, x = lineal_path(image.transpose(2, 3), cutoff=4)[0]
    torch.testing.assert_close(z, (thickness - torch.arange(5.0)).clamp_min(0) / 10)
    torch.testing.assert_close(y, torch.full((5,), thickness / 10))
    torch.testing.assert_close(x, y)


def test_phases_of_many_channels_are_as_their_indicators():
    images = binary_images((6, 7), channels=3)
    for phase in range(3):
        alone = lineal_path(images[:, phase : phase + 1])
        torch.testing.assert_close(lineal_path(images, phase=phase), alone)
    single = images[:, :1]
    torch.testing.assert_close(lineal_path(single, phase=0), lineal_path(1 - single))


def test_a_single_phase_is_never_left():
    assert lineal_path(torch.ones(1, 1, 5, 6)).eq(1).all()
    assert lineal_path(torch.zeros(1, 1, 5, 6)).eq(0).all()


@pytest.mark.parametrize("periodic", [True, False])
def test_the_gradient_is_that_of_finite_differences(periodic):
    images = torch.rand(1, 1, 4, 5, dtype=torch.float64) * 0.8 + 0.1
    assert torch.autograd.gradcheck(
        lambda x: lineal_path(x, periodic=periodic), images.requires_grad_()
    )


def test_shifts_and_mirrors_change_nothing():
    images = binary_images((7, 8))
    paths = lineal_path(images)
    torch.testing.assert_close(lineal_path(images.roll((3, 2), (2, 3))), paths)
    torch.testing.assert_close(lineal_path(images.flip(2)), paths)
    turned = lineal_path(images.transpose(2, 3), cutoff=6)
    torch.testing.assert_close(turned, paths.flip(1))


def test_numpy_is_answered_in_numpy():
    images = binary_images((6, 7)).numpy()
    assert isinstance(lineal_path(images), np.ndarray)


@pytest.mark.parametrize("cutoff", [-1, 6])
def test_a_cutoff_out_of_range_is_refused(cutoff):
    with pytest.raises(ValueError, match=r"cutoff should be from 0 to 5 for images of \(6, 7\)"):
        lineal_path(binary_images((6, 7)), cutoff=cutoff)


def test_a_phase_that_is_not_there_is_refused():
    with pytest.raises(ValueError, match="phase should be one of 0 to 1"):
        lineal_path(binary_images((6, 7)), phase=2)

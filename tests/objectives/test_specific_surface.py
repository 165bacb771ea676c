import itertools
import math

import numpy as np
import pytest
import torch

from objectives.specific_surface import NEAREST_DIRECTIONS, specific_surface
from objectives.two_point import two_point_statistics


def binary_images(space, channels=1, n=3):
    generator = torch.Generator().manual_seed(0)
    noise = torch.rand(n, channels, *space, generator=generator, dtype=torch.float64)
    return (noise > 0.6).double()


def ball(size, radius, dimension, n=8):
    """Balls at random places between voxels."""
    generator = torch.Generator().manual_seed(0)
    axes = [torch.arange(size)] * dimension
    points = torch.stack(torch.meshgrid(*axes, indexing="ij")).double()
    centre = size / 2 + torch.rand(n, dimension, *[1] * dimension, generator=generator)
    return ((points - centre).square().sum(1) <= radius**2).double()[:, None]


def test_the_shares_of_directions_are_the_areas_of_their_cells_on_the_sphere():
    from scipy.spatial import SphericalVoronoi

    steps = [np.array(s) for s in itertools.product((-1, 0, 1), repeat=3) if any(s)]
    cells = SphericalVoronoi(np.stack([s / np.linalg.norm(s) for s in steps]))
    for step, area in zip(steps, cells.calculate_areas(), strict=True):
        assert NEAREST_DIRECTIONS[3][np.abs(step).sum()] == pytest.approx(
            area / (2 * np.pi), abs=1e-6
        )


@pytest.mark.parametrize("periodic", [True, False])
@pytest.mark.parametrize("space", [(8, 9), (5, 6, 7)])
def test_crofton_is_the_slope_of_the_two_point_statistic_at_zero(space, periodic):
    images = binary_images(space)
    statistics = two_point_statistics(images, periodic=periodic, cutoff=1)[:, 0]
    start = images.flatten(1).mean(1)
    factor = {2: np.pi, 3: 4.0}[len(space)]
    slope = torch.zeros(3).double()
    for index in np.ndindex(*[3] * len(space)):
        step = np.abs(np.subtract(index, 1))
        if step.any():
            share = NEAREST_DIRECTIONS[len(space)][step.sum()] / 2
            slope += share * (start - statistics[(slice(None), *index)]) / math.sqrt(step.sum())
    surface = specific_surface(images, periodic=periodic)
    if periodic:
        torch.testing.assert_close(surface, factor * slope)
    else:  # at the border, pairs inside count both ends' fractions instead of the image's
        torch.testing.assert_close(surface, factor * slope, rtol=0.2, atol=0)


@pytest.mark.parametrize("dimension", [2, 3])
def test_crofton_measures_balls_within_one_percent(dimension):
    size, radius = 48, 15.5
    exact = {2: 2 * np.pi * radius, 3: 4 * np.pi * radius**2}[dimension] / size**dimension
    surface = specific_surface(ball(size, radius, dimension))
    assert surface.mean().item() == pytest.approx(exact, rel=0.01)


@pytest.mark.parametrize(("dimension", "excess"), [(2, 4 / np.pi), (3, 3 / 2)])
def test_faces_of_balls_are_too_many_by_the_known_factor(dimension, excess):
    images = ball(48, 15.5, dimension)
    ratio = specific_surface(images, method="faces") / specific_surface(images)
    assert ratio.mean().item() == pytest.approx(excess, rel=0.02)


@pytest.mark.parametrize("space", [(10, 8), (10, 8, 6)])
def test_a_laminate_has_two_faces_a_period(space):
    image = torch.zeros(1, 1, *space)
    image[:, :, 2:5] = 1
    image[:, :, 7] = 1
    assert specific_surface(image, method="faces").item() == pytest.approx(4 / 10)
    # of the directions over edges two in three cross the layers (2-D: both), over corners all
    expected = {
        2: np.pi / 8 * (1 + 2**0.5),
        3: 2 * (0.0915558 + 4 * 0.0739613 / 2**0.5 + 4 * 0.0703913 / 3**0.5),
    }
    thick = torch.zeros(1, 1, *space)
    thick[:, :, 2:5] = 1
    surface = specific_surface(thick).item()
    assert surface == pytest.approx(2 / 10 * expected[len(space)], rel=1e-6)


def test_a_checkerboard_has_faces_everywhere():
    y, x = torch.meshgrid(torch.arange(6), torch.arange(8), indexing="ij")
    board = ((x + y) % 2).float()[None, None]
    for periodic in (True, False):
        assert specific_surface(board, method="faces", periodic=periodic) == 2


def test_a_border_is_an_interface_only_if_the_image_repeats():
    image = torch.zeros(1, 1, 10, 10)
    image[:, :, :5] = 1
    assert specific_surface(image, method="faces").item() == pytest.approx(2 / 10)
    assert specific_surface(image, method="faces", periodic=False).item() == pytest.approx(1 / 9)


@pytest.mark.parametrize("method", ["crofton", "faces"])
def test_both_phases_shifts_mirrors_and_turns_have_the_same_surface(method):
    images = binary_images((6, 7, 8))
    surface = specific_surface(images, method=method)
    for other in (1 - images, images.roll((1, 2, 3), (2, 3, 4)), images.flip(3)):
        torch.testing.assert_close(specific_surface(other, method=method), surface)
    turned = images.permute(0, 1, 4, 2, 3)
    torch.testing.assert_close(specific_surface(turned, method=method), surface)


def test_a_grey_interface_counts_once():
    image = torch.zeros(1, 1, 10, 10, dtype=torch.float64)
    image[:, :, 3:6] = 1
    image[:, :, [2, 6]] = 0.3
    assert specific_surface(image, method="faces").item() == pytest.approx(2 / 10)


def test_phases_of_many_channels_are_as_their_indicators():
    images = binary_images((6, 7), channels=3)
    torch.testing.assert_close(specific_surface(images, phase=2), specific_surface(images[:, 2:]))


@pytest.mark.parametrize("method", ["crofton", "faces"])
@pytest.mark.parametrize("periodic", [True, False])
def test_the_gradient_is_that_of_finite_differences(method, periodic):
    images = torch.rand(1, 1, 4, 5, dtype=torch.float64) * 0.8 + 0.1
    assert torch.autograd.gradcheck(
        lambda x: specific_surface(x, method=method, periodic=periodic), images.requires_grad_()
    )


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_a_single_phase_has_no_interface(value):
    assert specific_surface(torch.full((1, 1, 5, 6), value)).eq(0).all()


def test_numpy_is_answered_in_numpy():
    assert isinstance(specific_surface(binary_images((6, 7)).numpy()), np.ndarray)


def test_wrong_arguments_are_refused():
    with pytest.raises(ValueError, match="two voxels thick or more without periodic=True"):
        specific_surface(binary_images((1, 6, 7)), periodic=False)
    with pytest.raises(ValueError, match="phase should be one of 0 to 1"):
        specific_surface(binary_images((6, 7)), phase=3)

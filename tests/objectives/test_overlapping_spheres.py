"""Overlapping discs and spheres: the statistics of their matrix have closed forms.

Centres are a Poisson process of density rho, R the radius. A set of points lies in the matrix if no
centre is within R of any of them, so with probability exp(-rho |K|), K the union of balls about
them (Torquato 2002, Random Heterogeneous Materials, chapter 5). Points here are voxel centres and
centres are continuous: nothing is lost to voxels, and averages miss the formulas by chance only.
"""

import numpy as np
import pytest
import torch

from objectives.chord_length import chord_length_distribution
from objectives.lineal_path import lineal_path
from objectives.pair_correlation import pair_correlation
from objectives.specific_surface import specific_surface
from objectives.two_point import radial_average, two_point_statistics
from objectives.two_point_cluster import two_point_cluster

FRACTION = 0.5  # of the matrix
# dimension: (size, radius, samples)
CASES = {2: (64, 6.5, 60), 3: (32, 5.5, 30)}
SIGMAS = 5  # of the ensemble's mean; one in a million by chance


def ball(dimension, radius):
    return {2: np.pi * radius**2, 3: 4 / 3 * np.pi * radius**3}[dimension]


def overlap(dimension, radius, r):
    """Intersection of two balls whose centres are r apart."""
    half = np.minimum(np.asarray(r) / (2 * radius), 1)
    if dimension == 2:
        share = 2 / np.pi * (np.arccos(half) - half * np.sqrt(1 - half**2))
    else:
        share = 1 - 1.5 * half + 0.5 * half**3
    return ball(dimension, radius) * share


def matrices(dimension, seed=0):
    """1 outside of all balls, 0 inside; periodic."""
    size, radius, samples = CASES[dimension]
    rng = np.random.default_rng(seed)
    mean_number = -np.log(FRACTION) / ball(dimension, radius) * size**dimension
    images = np.ones((samples, 1, *[size] * dimension))
    for image in images[:, 0]:
        for centre in rng.uniform(0, size, (rng.poisson(mean_number), dimension)):
            squares = 0
            for axis, c in enumerate(centre):
                along = np.abs(np.arange(size) - c)
                along = np.minimum(along, size - along) ** 2
                squares = squares + along.reshape(
                    [-1 if a == axis else 1 for a in range(dimension)]
                )
            image[squares <= radius**2] = 0
    return torch.from_numpy(images)


@pytest.fixture(scope="module", params=CASES, ids=["discs", "spheres"])
def case(request):
    size, radius, _ = CASES[request.param]
    return request.param, size, radius, matrices(request.param)


def assert_mean_is(samples, expected):
    """Within a few standard errors of the ensemble's mean, everywhere."""
    error = samples.std(0) / len(samples) ** 0.5
    off = (samples.mean(0) - torch.as_tensor(expected)).abs()
    worst = (off / error.clamp_min(1e-12)).max()
    assert worst < SIGMAS, f"{worst:.1f} standard errors, off by {off.max():.2g}"


def distances(shape):
    axes = np.meshgrid(*[np.arange(n) - n // 2 for n in shape], indexing="ij")
    return np.sqrt(sum(a**2 for a in axes))


def two_point(dimension, radius, r):
    """exp(-rho v2(r)), v2 the union of two balls."""
    v1 = ball(dimension, radius)
    return FRACTION ** ((2 * v1 - overlap(dimension, radius, r)) / v1)


@pytest.mark.parametrize("periodic", [True, False])
def test_two_point_statistics_are_the_closed_form_at_every_shift(case, periodic):
    dimension, size, radius, images = case
    statistics = two_point_statistics(images, periodic=periodic, cutoff=size // 3)[:, 0]
    assert_mean_is(statistics, two_point(dimension, radius, distances(statistics.shape[1:])))


def test_they_are_the_squared_fraction_beyond_a_diameter(case):
    _, _, radius, images = case
    statistics = two_point_statistics(images)[:, 0]
    far = torch.from_numpy(distances(statistics.shape[1:]) >= 2 * radius)
    assert_mean_is(statistics[:, far], FRACTION**2)


def test_the_pair_correlation_is_one_beyond_a_diameter(case):
    _, _, radius, images = case
    g = pair_correlation(images)[:, 0]
    fraction = images.flatten(1).mean(1, keepdim=True)
    assert_mean_is(g[:, int(2 * radius) + 2 :] * fraction**2, FRACTION**2)


def test_balls_and_matrix_have_the_sum_rules_of_two_phases(case):
    images = torch.cat([case[3], 1 - case[3]], 1)[:4]
    pairs = [(0, 0), (0, 1), (1, 0), (1, 1)]
    f = two_point_statistics(images, correlations=pairs)
    fraction = images[:, :1].flatten(1).mean(1).reshape(-1, *[1] * (f.ndim - 2))
    torch.testing.assert_close(f[:, 0] + f[:, 1], fraction.expand_as(f[:, 0]))
    torch.testing.assert_close(f.sum(1), torch.ones_like(f[:, 0]))
    torch.testing.assert_close(f[:, 3], f[:, 0] + 1 - 2 * fraction)


def test_the_lineal_path_is_the_closed_form_on_voxels(case):
    # The union of balls one voxel apart in a row grows by the same part with every ball.
    dimension, size, radius, images = case
    v1 = ball(dimension, radius)
    r = np.arange(size // 2)
    exact = FRACTION ** (1 + r * (v1 - overlap(dimension, radius, 1)) / v1)
    assert_mean_is(lineal_path(images, cutoff=size // 2 - 1).mean(1), exact)
    # In the continuum phi ** (1 + 2 r / pi R), and 3 r / 4 R.
    slope = {2: 2 / (np.pi * radius), 3: 3 / (4 * radius)}[dimension]
    np.testing.assert_allclose(exact, FRACTION ** (1 + slope * r), rtol=0.02)


def test_chords_of_the_matrix_are_geometric(case):
    # From the lineal path: each voxel further has the same chance to be in the matrix.
    dimension, _, radius, images = case
    go_on = FRACTION ** (1 - overlap(dimension, radius, 1) / ball(dimension, radius))
    shares = chord_length_distribution(images).mean(1)
    length = torch.arange(1, 13)
    assert_mean_is(shares[:, 1:13], (1 - go_on) * go_on ** (length - 1.0))


def test_the_specific_surface_is_that_of_overlapping_balls(case):
    # s = rho phi times the surface of a ball; less a little, since two crossings within the step
    # from one voxel to the next go unseen.
    dimension, _, radius, images = case
    exact = -FRACTION * np.log(FRACTION) * dimension / radius
    surface = specific_surface(images)
    assert surface.mean().item() == pytest.approx(exact, rel=0.08)
    assert_mean_is(surface, slope_at_zero(dimension, radius))


def slope_at_zero(dimension, radius):
    """Crofton's sum over steps 1, sqrt(2), sqrt(3), of the closed form."""
    from objectives.specific_surface import INTERFACE_PER_CROSSING, NEAREST_DIRECTIONS

    number = {2: {1: 2, 2: 2}, 3: {1: 3, 2: 6, 3: 4}}[dimension]
    crossings = {
        away: 2 * (FRACTION - two_point(dimension, radius, away**0.5)) / away**0.5
        for away in number
    }
    share = NEAREST_DIRECTIONS[dimension]
    total = sum(number[a] * share[a] * crossings[a] for a in number)
    return INTERFACE_PER_CROSSING[dimension] * total


def test_the_cluster_function_falls_below_the_two_point_statistic_only(case):
    few = case[3][:3]
    together = radial_average(two_point_statistics(few))
    clusters = radial_average(two_point_cluster(few))
    assert (clusters <= together + 1e-12).all()
    torch.testing.assert_close(clusters[:, :, 0], together[:, :, 0])
    torch.testing.assert_close(clusters[:, :, 1], together[:, :, 1], rtol=0.02, atol=0)

import numpy as np
import pytest
import torch

from objectives.pair_correlation import pair_correlation
from objectives.pymks_import import import_pymks, pymks_installed
from objectives.two_point import radial_average, two_point_statistics


def random_images(channels, space, n=3):
    generator = torch.Generator().manual_seed(0)
    return torch.rand(n, channels, *space, generator=generator, dtype=torch.float64)


@pytest.mark.parametrize("periodic", [True, False])
@pytest.mark.parametrize("space", [(9, 12), (5, 6, 7)])
def test_it_is_the_radial_average_over_the_fractions(space, periodic):
    images = random_images(3, space)
    pairs = [(0, 0), (1, 2)]
    g = pair_correlation(images, correlations=pairs, periodic=periodic)
    average = radial_average(two_point_statistics(images, correlations=pairs, periodic=periodic))
    phi = images.flatten(2).mean(2)
    torch.testing.assert_close(g[:, 0], average[:, 0] / phi[:, :1] ** 2)
    torch.testing.assert_close(g[:, 1], average[:, 1] / (phi[:, 1] * phi[:, 2])[:, None])


@pytest.mark.skipif(not pymks_installed(), reason="PyMKS needs Python 3.11")
def test_pymks_finds_the_same_once_its_radii_are_put_together():
    images = random_images(1, (11, 11))
    statistics = two_point_statistics(images)[:, 0].numpy()
    theirs, radii = import_pymks().paircorr_from_twopoint(statistics)
    axes = np.arange(-5, 6)
    squares = (axes[:, None] ** 2 + axes**2).ravel()
    number = np.array([(squares == round(r**2)).sum() for r in radii])
    for r in range(6):
        these = np.rint(radii) == r
        average = (np.asarray(theirs)[:, these] * number[these]).sum(1) / number[these].sum()
        expected = average / images.numpy().mean((1, 2, 3)) ** 2
        np.testing.assert_allclose(pair_correlation(images)[:, 0, r], expected, rtol=1e-12)


def test_it_starts_at_one_over_the_fraction():
    images = (random_images(1, (10, 11)) > 0.7).double()
    torch.testing.assert_close(pair_correlation(images)[:, 0, 0], 1 / images.mean((1, 2, 3)))


@pytest.mark.parametrize("space", [(128, 128), (32, 32, 32)])
def test_particles_at_random_have_none(space):
    images = (random_images(1, space, n=16) > 0.99).double()
    g = pair_correlation(images)[:, 0, 1:]
    error = g.std(0) / 16**0.5
    assert ((g.mean(0) - 1).abs() < 5 * error).all()


def test_particles_on_a_lattice_meet_at_its_distances_only():
    images = torch.zeros(1, 1, 20, 20, dtype=torch.float64)
    images[:, :, ::5, ::5] = 1
    g = pair_correlation(images)[0, 0]
    assert g[[1, 2, 3, 4, 6, 8]].abs().max() < 1e-12
    # bin 5: 4 of the shifts whose length rounds to 5 are lattice shifts, each with 25 times chance
    axes = torch.arange(-9, 10)
    in_bin = ((axes[:, None] ** 2 + axes**2).sqrt().round() == 5).sum()
    assert g[5].item() == pytest.approx(25 * 4 / in_bin.item())


def test_particles_that_keep_a_distance_have_a_hole():
    generator = np.random.default_rng(0)
    image, centres = torch.zeros(1, 1, 64, 64), []
    for spot in generator.integers(0, 64, (600, 2)):
        apart = [np.abs((spot - c + 32) % 64 - 32) for c in centres]
        if all(np.hypot(*a) >= 5 for a in apart):
            centres.append(spot)
            image[0, 0, spot[0], spot[1]] = 1
    g = pair_correlation(image)[0, 0]
    assert g[1:5].abs().max() < 1e-3
    assert g[6] > 1.1


def test_the_gradient_is_that_of_finite_differences():
    images = random_images(2, (4, 5), n=1) * 0.8 + 0.1
    assert torch.autograd.gradcheck(pair_correlation, images.requires_grad_())


def test_an_absent_phase_is_refused():
    images = random_images(2, (6, 6))
    images[1, 1] = 0
    with pytest.raises(ValueError, match="got none of channel 1 in row 1"):
        pair_correlation(images)
    assert pair_correlation(images, correlations=[(0, 0)]).isfinite().all()


def test_numpy_is_answered_in_numpy():
    assert isinstance(pair_correlation(random_images(1, (6, 7)).numpy()), np.ndarray)

"""The Cahn-Hilliard solver agrees with its linear theory, and with PyMKS's solver."""

import sys
from importlib.util import find_spec

import numpy as np
import pytest

from generative.data.synthetic import FAMILIES, cahn_hilliard

needs_pymks = pytest.mark.skipif(
    find_spec("pymks") is None or sys.version_info >= (3, 12), reason="PyMKS is for Python 3.11"
)


def noise(n, shape, seed, size=0.1):
    return np.random.default_rng(seed).uniform(-size, size, (n, *shape))


def theirs(phi, steps, **parameters):
    """The same evolution by PyMKS."""
    from objectives.pymks_import import import_pymks

    import_pymks()
    from pymks.datasets.cahn_hilliard_simulation import CahnHilliardSimulation

    simulation, phi = CahnHilliardSimulation(**parameters), phi.copy()
    for _ in range(steps):
        simulation.run(phi)
        phi[:] = simulation.response
    return phi


def two_point(labels):
    """Periodic two-point probability of phase 1 in each image."""
    axes = tuple(range(1, labels.ndim))
    spectrum = np.abs(np.fft.fftn(labels.astype(float), axes=axes)) ** 2
    return np.fft.ifftn(spectrum, axes=axes).real / labels[0].size


PARAMETERS = {"dx": 1.0, "dt": 0.4, "gamma": 0.5}


@needs_pymks
@pytest.mark.parametrize("shape", [(32, 32), (21, 21), (12, 12, 12)])
def test_the_field_is_that_of_pymks_from_the_same_start(shape):
    phi = noise(2, shape, 0)
    np.testing.assert_allclose(
        cahn_hilliard(phi, 100, **PARAMETERS), theirs(phi, 100, **PARAMETERS), atol=1e-7
    )
    np.testing.assert_allclose(cahn_hilliard(phi, 7), theirs(phi, 7), atol=1e-12)


@needs_pymks
def test_two_point_statistics_are_those_of_pymks_within_their_ensemble_error():
    n, shape, steps = 24, (32, 32), 200
    ours = two_point(cahn_hilliard(noise(n, shape, 1), steps, **PARAMETERS) > 0)
    other = two_point(theirs(noise(n, shape, 2), steps, **PARAMETERS) > 0)
    error = np.sqrt((ours.var(axis=0, ddof=1) + other.var(axis=0, ddof=1)) / n)
    deviation = (ours.mean(axis=0) - other.mean(axis=0)) / error
    assert np.sqrt((deviation**2).mean()) < 1.5
    assert np.abs(deviation).max() < 4.5
    # Which tells a coarser structure, of twice the gamma, from these.
    coarse = two_point(cahn_hilliard(noise(n, shape, 3), steps, dx=1.0, dt=0.4, gamma=1.0) > 0)
    assert np.abs((coarse.mean(axis=0) - other.mean(axis=0)) / error).max() > 6


@pytest.mark.parametrize("shape", [(24, 32), (12, 10, 8)])
def test_small_waves_grow_as_linear_theory_says(shape):
    mean, steps, dt, gamma = 0.3, 25, 0.1, 0.7
    phi = mean + noise(1, shape, 0, size=1e-6)
    start, end = (
        np.fft.fftn(phi - mean),
        np.fft.fftn(cahn_hilliard(phi, steps, dx=1.0, dt=dt, gamma=gamma) - mean),
    )
    k2 = sum(
        (2 * np.pi * k) ** 2
        for k in np.meshgrid(*(np.fft.fftfreq(s) for s in shape), indexing="ij")
    )
    # One step: phi (1 + 3 dt k2) - dt k2 3 m^2 phi over 1 + 2 dt k2 + dt gamma k2^2.
    growth = (1 + 3 * dt * k2 * (1 - mean**2)) / (1 + 2 * dt * k2 + dt * gamma * k2**2)
    moving = np.abs(start[0]) > 1e-9
    np.testing.assert_allclose(
        (end[0] / np.where(moving, start[0], 1))[moving][1:],
        (growth**steps)[moving][1:],
        rtol=1e-3,
        atol=1e-6,
    )


def free_energy(phi, gamma):
    slopes = sum((phi - np.roll(phi, 1, axis)) ** 2 for axis in range(1, phi.ndim))
    return (0.25 * (phi**2 - 1) ** 2 + 0.5 * gamma * slopes).mean()


def test_mass_is_kept_and_the_free_energy_falls():
    phi = noise(2, (24, 24), 4) + np.array([0.2, -0.1])[:, None, None]
    mean, energies = phi.mean(axis=(1, 2)), []
    for _ in range(12):
        phi = cahn_hilliard(phi, 20, **PARAMETERS)
        energies.append(free_energy(phi, PARAMETERS["gamma"]))
    np.testing.assert_allclose(phi.mean(axis=(1, 2)), mean, atol=1e-12)
    assert energies == sorted(energies, reverse=True)
    assert np.abs(phi).max() > 0.8


def test_float32_stays_float32_over_many_steps():
    phi = noise(1, (24, 24), 5).astype(np.float32)
    end = cahn_hilliard(phi, 3000, **PARAMETERS)
    assert end.dtype == np.float32
    assert np.abs(end).max() < 1.2


def test_structures_have_the_wave_length_of_their_label_before_they_coarsen():
    ranges = {"wavelength_px": 8.0, "volume_fraction": 0.5, "steps": 120}
    labels = FAMILIES["spinodal"].make(8, (64, 64), seed=0, **ranges)
    power = (np.abs(np.fft.fft2(labels - 0.5)) ** 2).mean(axis=0)
    freq = np.sqrt(sum(f**2 for f in np.meshgrid(*[np.fft.fftfreq(64)] * 2, indexing="ij")))
    near = freq < 0.25
    assert 1 / np.average(freq[near], weights=power[near]) == pytest.approx(8.0, rel=0.15)

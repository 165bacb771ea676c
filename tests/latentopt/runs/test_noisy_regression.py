"""True values of structures behind noisy ones."""

import numpy as np
import pytest

from latentopt.runs.correlation_features import correlation_features
from latentopt.runs.noisy_regression import smoothed


def problem(n, noise, seed=0, repeats=1):
    """Features, which structure each value is of, values, and the truth: smooth in a feature."""
    rng = np.random.default_rng(seed)
    features = rng.normal(size=(n, 6))
    truth = np.sin(features[:, 0])
    structure = np.repeat(np.arange(n), repeats)
    return features, structure, truth[structure] + rng.normal(0, noise, n * repeats), truth


def unknown(values):
    return np.full(len(values), np.nan)


def test_exact_values_come_back():
    features, structure, values, truth = problem(20, 0.0)
    found = smoothed(features, structure, values, np.zeros(20))
    np.testing.assert_allclose(found.mean, truth, atol=1e-3)
    assert found.error.max() < 1e-2


@pytest.mark.parametrize("told", [True, False])
def test_means_are_nearer_the_truth_than_values_and_errors_say_how_near(told):
    z, gained = [], []
    for seed in range(5):
        features, structure, values, truth = problem(40, 0.5, seed)
        sem = np.full(40, 0.5) if told else unknown(values)
        found = smoothed(features, structure, values, sem)
        z.append((found.mean - truth) / found.error)
        gained.append(np.std(found.mean - truth) / np.std(values - truth))
    assert np.mean(gained) < 0.9
    assert 0.5 < np.std(z) < 1.5


def test_repeats_tell_the_noise():
    features, structure, values, _ = problem(30, 0.4, repeats=5)
    assert smoothed(features, structure, values, unknown(values)).noise == pytest.approx(
        0.4, rel=0.2
    )


def test_a_single_structure_has_the_mean_of_its_values():
    values = np.array([1.0, 2.0, 3.0])
    found = smoothed(np.zeros((1, 2)), np.zeros(3, dtype=int), values, np.full(3, 0.1))
    assert found.mean[0] == pytest.approx(2.0)
    assert found.error[0] == pytest.approx(0.1 / np.sqrt(3), rel=0.05)


@pytest.mark.parametrize("unit", [1e-12, 1e9])
def test_units_do_not_matter(unit):
    features, structure, values, _ = problem(15, 0.3)
    one = smoothed(features, structure, values, np.full(15, 0.3))
    other = smoothed(features, structure, unit * values, unit * np.full(15, 0.3))
    np.testing.assert_allclose(other.mean, unit * one.mean, rtol=1e-4, atol=1e-4 * unit)
    np.testing.assert_allclose(other.error, unit * one.error, rtol=1e-3)


@pytest.mark.slow
def test_many_structures_take_seconds_and_are_as_near():
    features, structure, values, truth = problem(900, 0.5)
    found = smoothed(features, structure, values, unknown(values))
    assert np.std(found.mean - truth) < 0.2


def test_features_are_the_same_for_a_structure_that_is_shifted():
    phases = (np.random.default_rng(0).random((12, 12)) < 0.3).astype(np.uint8)
    shifted = np.roll(phases, (3, 5), (0, 1))
    np.testing.assert_allclose(correlation_features(phases), correlation_features(shifted))
    assert correlation_features(phases)[0] == pytest.approx(phases.mean() / 0.2)


def test_a_phase_that_is_nowhere_or_everywhere_has_no_correlation():
    assert correlation_features(np.zeros((4, 4), dtype=np.uint8)).tolist() == [0.0] * 5
    assert correlation_features(np.ones((4, 4), dtype=np.uint8)).tolist() == [5.0] + [0.0] * 4

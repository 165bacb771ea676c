"""Frechet distance, precision, recall, memorization and histograms, where the answer is known."""

import math

import pytest
import torch

from objectives.errors import EvaluationError
from objectives.fidelity import (
    frechet_distance,
    kl_divergence,
    memorization,
    precision,
    random_cnn_features,
    recall,
    shuffled_pixels,
)


def normal(n, f, seed, scale=1.0):
    generator = torch.Generator().manual_seed(seed)
    return scale * torch.randn(n, f, generator=generator, dtype=torch.float64)


def standardized(n, f, seed):
    """Rows of mean 0 and covariance I, exactly."""
    x = normal(n, f, seed)
    x = x - x.mean(0)
    return x @ torch.linalg.inv(torch.linalg.cholesky(x.T.cov().reshape(f, f))).T


@pytest.mark.parametrize("f", [1, 3])
def test_frechet_distance_of_gaussians_is_its_closed_form(f):
    # N(0, I) against N(shift, scale^2 I): f (shift^2 + (1 - scale)^2).
    x = standardized(50, f, seed=0)
    assert frechet_distance(x, 3 * x + 0.5) == pytest.approx(f * (0.25 + 4), rel=1e-9)


def test_frechet_distance_of_covariances_that_do_not_commute():
    x = standardized(50, 2, seed=0)
    a = torch.tensor([[2.0, 0.0], [0.0, 1.0]], dtype=torch.float64)
    b = torch.tensor([[1.0, 0.8], [0.0, 0.6]], dtype=torch.float64)
    first, second = a.T @ a, b.T @ b
    # A 2x2 matrix M: tr M^(1/2) = (tr M + 2 det(M)^(1/2))^(1/2).
    product = first @ second
    root = math.sqrt(float(product.trace()) + 2 * math.sqrt(float(torch.linalg.det(product))))
    expected = float(first.trace() + second.trace()) - 2 * root
    assert frechet_distance(x @ a, x @ b) == pytest.approx(expected, rel=1e-9)


def test_equal_sets_are_at_distance_zero_and_cover_each_other():
    x = normal(40, 4, seed=0)
    assert frechet_distance(x, x) == pytest.approx(0.0, abs=1e-9)
    assert (precision(x, x), recall(x, x)) == (1.0, 1.0)


def test_frechet_distance_is_symmetric_also_with_fewer_rows_than_features():
    a, b = normal(5, 8, seed=0), normal(6, 8, seed=1)
    assert frechet_distance(a, b) == pytest.approx(frechet_distance(b, a), rel=1e-6)


def test_far_sets_cover_nothing_of_each_other():
    x = normal(40, 4, seed=0)
    assert (precision(x + 100, x), recall(x + 100, x)) == (0.0, 0.0)


def test_samples_that_lack_variety_keep_precision_and_lose_recall():
    reference = normal(300, 2, seed=0)
    collapsed = normal(300, 2, seed=1, scale=0.05)
    assert precision(collapsed, reference) == 1.0
    assert recall(collapsed, reference) < 0.1


def test_copies_of_the_training_set_are_flagged():
    training, held_out = normal(200, 5, seed=0), normal(100, 5, seed=1)
    copies = training[:50] + 1e-6
    answer = memorization(copies, training, held_out)
    assert (answer.closer, answer.copies) == (1.0, 1.0)
    assert answer.distance_ratio < 1e-3


def test_new_samples_are_as_far_from_the_training_set_as_held_out_ones():
    training, held_out, samples = (normal(1000, 5, seed=s) for s in range(3))
    answer = memorization(samples, training, held_out)
    assert answer.closer == pytest.approx(0.5, abs=0.05)
    assert answer.copies == pytest.approx(0.05, abs=0.03)
    assert answer.distance_ratio == pytest.approx(1.0, abs=0.1)


def test_divergence_of_equal_values_is_zero_and_never_negative():
    x, y = normal(500, 1, seed=0).sigmoid(), normal(500, 1, seed=1).sigmoid()
    assert kl_divergence(x, x) == 0.0
    assert kl_divergence(x, y) >= 0.0


def test_divergence_of_two_phases_is_that_of_their_fractions():
    p, q = 0.3, 0.4
    a, b = (torch.arange(100_000) < 100_000 * fraction for fraction in (p, q))
    expected = p * math.log(p / q) + (1 - p) * math.log((1 - p) / (1 - q))
    assert kl_divergence(a.float(), b.float()) == pytest.approx(expected, abs=1e-3)


def test_a_bin_that_is_empty_in_one_set_has_a_finite_divergence():
    assert math.isfinite(kl_divergence(torch.zeros(10), torch.ones(10)))


@pytest.mark.parametrize("metric", [frechet_distance, precision, recall])
def test_bad_features_are_refused(metric):
    x = normal(20, 3, seed=0)
    with pytest.raises(EvaluationError, match="same features"):
        metric(x, x[:, :2])
    with pytest.raises(EvaluationError, match="rows or more"):
        metric(x, x[:1])
    with pytest.raises(EvaluationError, match="row 4"):
        metric(x, torch.where(torch.arange(20)[:, None] == 4, torch.nan, x))


def test_values_outside_the_unit_interval_are_refused():
    with pytest.raises(EvaluationError, match="in \\[0, 1\\]"):
        kl_divergence(torch.tensor([0.5, 1.5]), torch.tensor([0.5]))
    with pytest.raises(EvaluationError, match="in \\[0, 1\\]"):
        kl_divergence(torch.tensor([0.5]), torch.tensor([math.nan]))


@pytest.mark.parametrize("shape", [(2, 1, 9, 8), (2, 3, 5, 4, 7), (2, 1, 1, 3)])
def test_the_random_network_is_the_same_each_time_and_row_by_row(shape):
    images = torch.rand(shape, generator=torch.Generator().manual_seed(0))
    state = torch.get_rng_state()
    features = random_cnn_features(images)
    assert torch.equal(torch.get_rng_state(), state)
    assert features.shape == (2, 56)
    torch.testing.assert_close(features[1:], random_cnn_features(images[1:]))
    assert not torch.allclose(features, random_cnn_features(images, seed=1))


def test_the_random_network_tells_texture_from_noise_of_the_same_fraction():
    noise = torch.rand(60, 1, 4, 4, generator=torch.Generator().manual_seed(0)).round()
    blocks = noise.repeat_interleave(4, 2).repeat_interleave(4, 3)
    first, second = (random_cnn_features(x) for x in (blocks[:30], blocks[30:]))
    shuffled = random_cnn_features(shuffled_pixels(blocks[30:]))
    assert frechet_distance(first, shuffled) > 3 * frechet_distance(first, second)


def test_every_public_name_of_the_package_is_there():
    from objectives import fidelity

    assert all(getattr(fidelity, name) is not None for name in fidelity.__all__)
    with pytest.raises(AttributeError, match="attribute nonesuch"):
        fidelity.nonesuch  # noqa: B018

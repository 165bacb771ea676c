"""Weights by rank."""

import numpy as np
import pytest

from latentopt.campaign.rank_weights import rank_weights


def test_weights_sum_to_one_and_follow_the_ranks():
    values = np.random.default_rng(0).normal(size=50)
    weights = rank_weights(values, unvalued=30)
    assert weights.sum() == pytest.approx(1)
    assert (np.diff(weights[np.argsort(-values)]) < 0).all()
    assert weights[50:].max() < weights[:50].min()


def test_the_best_weighs_what_the_formula_says_against_any_rank():
    values = np.arange(10.0)[::-1].copy()
    weights = rank_weights(values, k=0.2)  # k N = 2
    np.testing.assert_allclose(weights[0] / weights, (2 + np.arange(10)) / 2)


def test_equal_values_weigh_the_same_and_cost_the_others_nothing():
    tied = rank_weights(np.array([5.0, 3.0, 3.0, 1.0]))
    apart = rank_weights(np.array([5.0, 3.1, 3.0, 1.0]))
    assert tied[1] == tied[2] == pytest.approx(apart[1:3].mean())
    np.testing.assert_allclose(tied[[0, 3]], apart[[0, 3]])


def test_weights_do_not_depend_on_the_scale_of_values():
    values = np.random.default_rng(1).normal(size=20)
    np.testing.assert_array_equal(rank_weights(values), rank_weights(1000 * values - 7))


def test_large_k_weighs_all_alike_and_small_k_the_best_alone():
    np.testing.assert_allclose(rank_weights(np.arange(4.0), k=1e9), 0.25, rtol=1e-6)
    assert rank_weights(np.arange(4.0), k=1e-9)[3] == pytest.approx(1)


@pytest.mark.parametrize(("values", "k"), [([], 1e-3), ([1.0, np.nan], 1e-3), ([1.0], 0.0)])
def test_bad_arguments_are_refused(values, k):
    with pytest.raises(ValueError, match="expected finite values"):
        rank_weights(np.array(values), k=k)

"""Expected gains against closed forms: of one objective, and of a hypervolume."""

import math

import pytest
import torch

from latentopt.goal import Goal
from latentopt.history import History
from latentopt.strategies.modelled.gain import gain_of


def believed(means, sigma, q=1, n=4096):
    """Samples of independent normal metrics, the same at every point."""
    draws = torch.quasirandom.SobolEngine(q * len(means), scramble=True, seed=0).draw(n)
    normal = torch.special.ndtri(draws.double().clamp(1e-9, 1 - 1e-9)).reshape(n, len(means), q)
    metrics = {name: mean + sigma * normal[:, i] for i, (name, mean) in enumerate(means.items())}
    return metrics, torch.ones(n, q, dtype=torch.bool)


def told(space, goal, constraints=(), **metrics):
    n = len(next(iter(metrics.values())))
    columns = {name: torch.tensor(v, dtype=torch.float64) for name, v in metrics.items()}
    return History(space, Goal.parse(goal, constraints), z=space.sample(n, seed=0), metrics=columns)


def normal_gain(mean, sigma, best):
    """Expected excess of a normal number over `best`: Jones et al. (1998), equation 15."""
    u = (mean - best) / sigma
    density = math.exp(-(u**2) / 2) / math.sqrt(2 * math.pi)
    return sigma * (u * (1 + math.erf(u / math.sqrt(2))) / 2 + density)


@pytest.mark.parametrize("mean", [-1.0, 0.0, 0.8])
def test_the_gain_over_one_value_is_the_expected_excess_of_a_normal_number(tiny_space, mean):
    history = told(tiny_space, "a", a=[-30.0, 0.3, -1.0])  # so far apart that nothing is bounded
    found = gain_of(history, *believed({"a": mean}, 0.5))
    assert found == pytest.approx(normal_gain(mean, 0.5, 0.3), rel=0.01, abs=1e-4)


def test_values_that_are_certain_gain_exactly_what_they_are_better_by(tiny_space):
    history = told(tiny_space, "a - b", ["b <= 0.5"], a=[1.0, 2.0, 9.0], b=[0.0, 0.0, 1.0])
    for a, b, gain in ((2.5, 0.25, 0.25), (2.5, 0.75, 0.0), (1.5, 0.0, 0.0)):
        found = gain_of(history, *believed({"a": a, "b": b}, 0.0))
        assert found == pytest.approx(gain)


def test_a_sure_gain_of_volume_is_the_volume(tiny_space):
    """From a front of (0, 2) and (2, 0) above (0, 0), the point (1, 1.5) gains its own box."""
    history = told(tiny_space, "a, b", a=[0.0, 2.0, 0.0], b=[2.0, 0.0, 0.0])
    found = gain_of(history, *believed({"a": 1.0, "b": 1.5}, 0.0))
    assert found == pytest.approx(1.5)
    history = told(tiny_space, "a, b", a=[0.0, 2.0, 0.0, 0.5], b=[2.0, 0.0, 0.0, 1.0])
    found = gain_of(history, *believed({"a": 1.0, "b": 1.5}, 0.0))
    assert found == pytest.approx(1.0, abs=0.02)


def test_nothing_counts_for_more_than_what_was_seen_to_vary(tiny_space):
    history = told(tiny_space, "a", a=[-1.0, 0.0, 1.0])
    found = gain_of(history, *believed({"a": 1e9}, 1.0))
    assert found == 2.0


def test_several_points_gain_what_the_best_of_them_does(tiny_space):
    history = told(tiny_space, "a", a=[-30.0, 0.0, -1.0])
    one, four = (gain_of(history, *believed({"a": 0.0}, 1.0, q)) for q in (1, 4))
    assert one == pytest.approx(1 / math.sqrt(2 * math.pi), rel=0.02)
    # The mean of the largest of four standard normal numbers, below 0 one time in 16.
    assert four == pytest.approx(1.05, rel=0.03)


def test_without_a_feasible_point_any_gain_is_unbounded(tiny_space):
    history = told(tiny_space, "a", ["a >= 5"], a=[1.0, 2.0])
    assert gain_of(history, *believed({"a": 1.0}, 1.0)) == math.inf

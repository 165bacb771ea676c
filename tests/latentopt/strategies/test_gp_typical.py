import pytest
import torch

from generative import PCA
from latentopt.goal import Goal
from latentopt.history import History
from latentopt.space.latent_space import LatentSpace
from latentopt.strategies.gp_typical import GPTypical
from latentopt.strategies.prior import Prior
from latentopt.strategies.spread import spread_points


@pytest.fixture(scope="module")
def space():
    images = torch.rand(60, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    return LatentSpace.fit(PCA((1, 8, 8), components=4).fit(images), images)


QUICK = GPTypical(restarts=1, raw_samples=64, max_iterations=20)


def search(strategy, space, goal, metrics_of, n, q=3):
    z = torch.zeros(0, 4, dtype=torch.float64)
    while len(z) < n:
        told = History(space, goal, seed=5, z=z, metrics=metrics_of(z))
        z = torch.cat([z, strategy.propose(told, q)])
    return z, metrics_of(z)


def bowl(z):
    """One maximum, at (1, -1, 0, 0) where a is 0, with b the first coordinate."""
    target = torch.tensor([1.0, -1.0, 0.0, 0.0], dtype=torch.float64)
    return {"a": -((z - target) ** 2).sum(1), "b": z[:, 0]}


@pytest.mark.slow
def test_it_finds_a_maximum_that_draws_do_not(space):
    goal = Goal.parse("a")
    _, found = search(QUICK.model_copy(update={"max_iterations": 50}), space, goal, bowl, 30)
    _, drawn = search(Prior(), space, goal, bowl, 30)
    assert found["a"].max() > -0.05
    assert found["a"].max() > drawn["a"].max()


@pytest.mark.slow
def test_it_keeps_a_constraint_while_it_improves(space):
    _, found = search(QUICK, space, Goal.parse("a", ["b <= 0"]), bowl, 30)
    best = found["a"][found["b"] <= 0].max()
    assert best > -1.2  # the best with b <= 0 is -1, at (0, -1, 0, 0)


def test_units_do_not_matter(space):
    def proposal(unit):
        z = space.sample(12, seed=1)
        metrics = {"a": unit * bowl(z)["a"], "b": unit * z[:, 0]}
        goal = Goal.parse("a", [f"b <= {0.5 * unit!r}"])
        return GPTypical().propose(History(space, goal, z=z, metrics=metrics), 1)

    torch.testing.assert_close(proposal(1.0), proposal(2.0**-30), atol=1e-2, rtol=0)


@pytest.mark.slow
def test_a_metric_that_spans_decades_is_searched_by_its_logarithm(space):
    def decades(z):
        return {"a": (4 * bowl(z)["a"]).exp()}

    z, found = search(QUICK, space, Goal.parse("a"), decades, 30)
    assert found["a"].min() < 1e-6
    assert bowl(z)["a"].max() > -0.1


def test_the_first_points_are_training_structures_far_apart_in_structure(space):
    z = GPTypical(initial=6).propose(History(space, Goal.parse("a"), seed=2), 6)
    data = space.project(space.reference_)
    assert torch.cdist(z, data).amin(1).max() == 0


def test_the_spread_of_fewer_points_is_the_start_of_more(space):
    assert torch.equal(spread_points(space, 3, seed=1), spread_points(space, 8, seed=1)[:3])


def test_the_spread_covers_extremes_that_random_points_miss():
    """Of 185 empty structures and 15 full ones, a full one is among the first two."""
    images = 0.3 + 0.01 * torch.rand(200, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    images[130:145] = 1.0
    space = LatentSpace.fit(PCA((1, 8, 8), components=4).fit(images), images)
    phases = space.decode(spread_points(space, 2, seed=0)) > 0.5
    assert sorted(phases.flatten(1).float().mean(1).tolist()) == [0.0, 1.0]


def test_more_points_than_the_space_keeps_are_all_of_them(space):
    assert len(spread_points(space, 500, seed=0)) == len(space.reference_)


def test_a_short_space_is_filled_up_with_draws():
    images = torch.rand(6, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    space = LatentSpace.fit(PCA((1, 8, 8), components=4).fit(images), images)
    z = GPTypical().propose(History(space, Goal.parse("a")), 10)
    assert len(torch.unique(z, dim=0)) == 10


def test_a_prior_batch_is_its_points_one_by_one(space):
    goal = Goal.parse("a")
    batch = Prior().propose(History(space, goal, next_index=7), 3)
    single = [Prior().propose(History(space, goal, next_index=7 + i), 1) for i in range(3)]
    assert torch.equal(batch, torch.cat(single))

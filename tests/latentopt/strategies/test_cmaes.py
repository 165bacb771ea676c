import pytest
import torch

from generative import PCA
from latentopt.errors import ConfigError
from latentopt.goal import Goal
from latentopt.history import History
from latentopt.space.latent_space import LatentSpace
from latentopt.strategies.cmaes import CMAES
from latentopt.strategies.prior import Prior
from latentopt.strategies.replay import Replay, merits


@pytest.fixture(scope="module")
def space():
    images = torch.rand(60, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    return LatentSpace.fit(PCA((1, 8, 8), components=4).fit(images), images)


def bowl(z):
    """One maximum, at (1, -1, 0, 0) where a is 0, with b the first coordinate."""
    target = torch.tensor([1.0, -1.0, 0.0, 0.0], dtype=torch.float64)
    return {"a": -((z - target) ** 2).sum(1), "b": z[:, 0]}


def search(strategy, space, goal, n, q=4):
    z = torch.zeros(0, 4, dtype=torch.float64)
    while len(z) < n:
        z = torch.cat([z, strategy.propose(History(space, goal, z=z, metrics=bowl(z)), q)])
    return bowl(z)


def test_it_finds_the_bottom_of_a_quadratic_that_draws_miss(space):
    found = search(CMAES(), space, Goal.parse("a"), 200)["a"].max()
    drawn = search(Prior(), space, Goal.parse("a"), 200)["a"].max()
    assert found > -1e-3
    assert drawn < -1e-2


def test_it_converges_to_the_edge_of_a_constraint(space):
    found = search(CMAES(), space, Goal.parse("a", ["b <= 0"]), 300)
    best = found["a"][found["b"] <= 0].max()
    assert -1.05 < best <= -1  # the best with b <= 0 is -1, at (0, -1, 0, 0)


def test_a_batch_is_its_points_one_by_one(space):
    z = space.sample(30, seed=1)
    known = {"z": z, "metrics": bowl(z)}
    batch = CMAES().propose(History(space, Goal.parse("a"), **known), 3)
    single = [
        CMAES().propose(History(space, Goal.parse("a"), **known, next_index=30 + i), 1)
        for i in range(3)
    ]
    assert torch.equal(batch, torch.cat(single))


def test_only_the_order_of_values_matters(space):
    z = space.sample(40, seed=1)
    a = bowl(z)["a"]
    raw = CMAES().propose(History(space, Goal.parse("a"), z=z, metrics={"a": a}), 1)
    warped = CMAES().propose(History(space, Goal.parse("a"), z=z, metrics={"a": a.exp()}), 1)
    assert torch.equal(raw, warped)


def test_it_moves_away_from_where_trials_fail(space):
    z = space.sample(60, seed=1)
    fails = z[:, 0] > 0
    told = History(
        space,
        Goal.parse("a"),
        z=z[~fails],
        metrics={"a": 0 * z[~fails, 0]},
        failed=z[fails],
    )
    assert CMAES().propose(told, 200)[:, 0].mean() < 0


def test_several_objectives_are_refused(space):
    with pytest.raises(ConfigError, match="cmaes takes one objective, got 2"):
        CMAES().propose(History(space, Goal.parse("a, b")), 1)


def test_feasible_points_come_before_others_and_those_by_their_violation(space):
    z = space.sample(4, seed=1)
    metrics = {"a": torch.tensor([1.0, 2, 9, 8]).double(), "b": torch.tensor([0.0, 1, 4, 3])}
    told = History(space, Goal.parse("a", ["b <= 2"]), z=z, metrics=metrics)
    assert merits(told).argsort().tolist() == [2, 3, 0, 1]


def test_units_do_not_change_the_order_of_points_that_violate(space):
    z = space.sample(20, seed=1)
    goal, milli = Goal.parse("a", ["b <= -3", "c >= 3"]), Goal.parse("a", ["b <= -3e3", "c >= 3"])
    metrics = {"a": z[:, 0], "b": z[:, 1], "c": z[:, 2]}
    order = merits(History(space, goal, z=z, metrics=metrics)).argsort()
    metrics["b"] = 1e3 * z[:, 1]
    assert torch.equal(order, merits(History(space, milli, z=z, metrics=metrics)).argsort())


def test_failed_trials_are_replayed_among_the_others(space):
    z = space.sample(7, seed=1)
    told = History(space, Goal.parse("a"), z=z[:4], metrics=bowl(z[:4]), failed=z[4:])
    replay = Replay.of(told)
    assert replay.merit.isinf().tolist() == [False, True, False, True, False, True, False]
    assert torch.equal(replay.z[~replay.merit.isinf()], z[:4])

import pytest
import torch

from generative import PCA
from latentopt.goal import Goal
from latentopt.history import History
from latentopt.space.latent_space import LatentSpace
from latentopt.strategies.data import Data
from latentopt.strategies.prior import Prior

GOAL = Goal.parse("a")


@pytest.fixture(scope="module")
def space():
    images = torch.rand(60, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    return LatentSpace.fit(PCA((1, 8, 8), components=4).fit(images), images)


def is_data(space, z):
    return torch.cdist(z, space.project(space.reference_)).amin(1) < 1e-6


def slope(z):
    return {"a": z[:, 0] - z[:, 1]}


def told(space, z, **changes):
    return History(space, GOAL, z=z, metrics=slope(z), **changes)


@pytest.mark.parametrize("n", [0, 12])
def test_it_proposes_training_structures(space, n):
    assert is_data(space, Data().propose(told(space, space.sample(n, seed=1)), 3)).all()


def test_the_most_promising_is_among_the_best_of_the_training_set(space):
    data = space.project(space.reference_)
    point = Data().propose(told(space, space.sample(30, seed=1)), 1)
    assert (slope(data)["a"] > slope(point)["a"]).sum() < 5  # of 60


def test_what_was_evaluated_pending_or_failed_is_not_proposed_again(space):
    data = space.project(space.reference_)
    points = Data().propose(told(space, data[:40], pending=data[40:45], failed=data[45:55]), 5)
    assert torch.equal(points.sort(dim=0).values, data[55:].sort(dim=0).values)


def test_when_the_data_are_used_up_draws_follow(space):
    history = told(space, space.project(space.reference_)[:58])
    points = Data().propose(history, 4)
    assert is_data(space, points).tolist() == [True, True, False, False]
    assert torch.equal(points[2:], Prior().propose(history, 4)[2:])

import math

import pytest
import torch

from generative import PCA
from latentopt.goal import Goal
from latentopt.history import History
from latentopt.space.latent_space import LatentSpace


@pytest.fixture(scope="module")
def space():
    images = torch.rand(30, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    return LatentSpace.fit(PCA((1, 8, 8), components=4).fit(images), images)


def test_the_next_index_counts_every_point(space):
    history = History(
        space,
        Goal.parse("a"),
        z=space.sample(3),
        metrics={"a": torch.zeros(3)},
        pending=space.sample(2),
        failed=space.sample(1),
    )
    assert history.next_index == 6


def test_seeds_of_trials_and_campaigns_differ(space):
    seeds = {
        History(space, Goal.parse("a"), seed=seed).seed_of(index)
        for seed in range(20)
        for index in range(50)
    }
    assert len(seeds) == 1000


def test_points_of_another_width_are_refused(space):
    with pytest.raises(ValueError, match=r"shape \(n, 4\), got \(3, 5\)"):
        History(space, Goal.parse("a"), z=torch.zeros(3, 5), metrics={"a": torch.zeros(3)})


def test_a_value_that_is_not_finite_is_refused(space):
    with pytest.raises(ValueError, match="metric a should be 2 finite values"):
        History(
            space, Goal.parse("a"), z=space.sample(2), metrics={"a": torch.tensor([1, math.nan])}
        )

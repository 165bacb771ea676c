import pytest
import torch

from generative import PCA
from latentopt.errors import ConfigError
from latentopt.goal import Goal
from latentopt.history import History
from latentopt.space.latent_space import LatentSpace
from latentopt.strategies.prior import Prior
from latentopt.strategies.replay import Replay
from latentopt.strategies.trust_region import LENGTH, LONGEST, SHORTEST, Region
from latentopt.strategies.turbo import Turbo
from latentopt.strategies.turbo_sampling import best_of_samples, box_points

GOAL = Goal.parse("a")
QUICK = Turbo(initial=8, candidates=100, max_iterations=30)


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


def region(merit, q=1, initial=2):
    """State after rows of these merits in 4 dimensions, where 4 points are a failed round."""
    merit = torch.tensor(merit, dtype=torch.float64)
    told = Replay(torch.zeros(len(merit), 4).double(), merit, torch.arange(len(merit)))
    return Region.of(told, q, initial)


def test_the_first_points_are_no_success_and_no_failure():
    assert region([0, 5]) == Region() == region([0])


def test_three_improvements_in_a_row_double_the_length_up_to_the_longest():
    assert region([0, 0, 1, 2]) == Region(successes=2)
    assert region([0, 0, 1, 2, 3]) == Region(length=2 * LENGTH)
    assert region([0, 0, *range(1, 10)]).length == LONGEST


def test_as_many_failures_as_dimensions_halve_the_length():
    assert region([0, 9, 1, 1, 1]) == Region(failures=3)
    assert region([0, 9, 1, 1, 1, 1]) == Region(length=LENGTH / 2)


def test_a_success_ends_a_row_of_failures_and_the_other_way_round():
    assert region([0, 0, -1, -1, -1, 1]) == Region(successes=1)
    assert region([0, 0, 1, 2, 2]) == Region(failures=1)


def test_a_batch_is_one_success_or_one_failure():
    assert region([0, 0, -1, 1], q=2) == Region(successes=1)
    assert region([0, 9, 1, 1, 1, 1], q=2) == Region(length=LENGTH / 2)  # two batches of two
    assert region([0, 9, 1, 1, 1], q=2) == Region(failures=1)  # the last batch is not complete


def test_failed_trials_are_failures():
    assert region([0, 9, *[-torch.inf] * 4]) == Region(length=LENGTH / 2)


def test_a_region_that_shrank_to_nothing_is_given_up():
    halvings = 7
    assert LENGTH / 2**halvings < SHORTEST < LENGTH / 2 ** (halvings - 1)
    rows = [0, 9, *[1] * 4 * halvings]
    assert region(rows) == Region(begin=len(rows), restarts=1)
    assert region([*rows, 0, 0, 0]) == Region(begin=len(rows), restarts=1, failures=1)


def test_a_new_region_begins_with_data_that_were_not_asked_before(space):
    z = space.sample(2, seed=1).repeat(15, 1)
    told = History(space, GOAL, z=z, metrics={"a": 0 * z[:, 0]})
    assert Region.of(Replay.of(told), 1, 2).restarts == 1
    point = Turbo(initial=2).propose(told, 1)
    assert torch.cdist(point, space.project(space.reference_)).min() == 0
    assert torch.cdist(point, z).min() > 0


@pytest.mark.parametrize("length", [0.05, 0.8, 1.6])
@pytest.mark.parametrize("d", [4, 64])
@pytest.mark.parametrize("norm", [0.0, 0.9, 1.0])
def test_candidates_are_inside_the_box_and_the_radius(space, length, d, norm):
    place = LatentSpace(space.model, space.whitening, reference=space.reference_, radius=9.0)
    place.latent_dim = d
    center = torch.randn(d, generator=torch.Generator().manual_seed(1)).double()
    center = 9.0 * norm * center / center.norm()
    half = length * torch.linspace(0.5, 1.5, d, dtype=torch.float64)
    z = box_points(place, center, half, 500, seed=0)
    assert ((z - center).abs() <= half * (1 + 1e-9)).all()
    assert (z.norm(dim=1) <= 9.0 * (1 + 1e-12)).all()
    assert (z != center).any(dim=1).float().mean() > 0.5
    assert len(torch.unique(z, dim=0)) > 250


def test_in_many_dimensions_a_candidate_changes_about_20_coordinates(space):
    place = LatentSpace(space.model, space.whitening, reference=space.reference_, radius=99.0)
    place.latent_dim = 64
    center = torch.zeros(64, dtype=torch.float64)
    moved = (box_points(place, center, center + 1, 2000, seed=0) != 0).sum(1).double()
    assert moved.mean() == pytest.approx(20, abs=1)
    assert moved.min() >= 1


@pytest.mark.filterwarnings("ignore:A not p.d.")
def test_points_stay_near_the_best_one(space):
    z = space.sample(20, seed=1)
    told = History(space, GOAL, z=z, metrics=bowl(z))
    best = z[bowl(z)["a"].argmax()]
    chosen = best_of_samples(
        told, 3, Region(length=0.01), inputs="z", candidates=100, max_iterations=30
    )
    assert (chosen - best).abs().max() < 0.05  # 0.005 times the weight of the longest axis
    assert len(torch.unique(chosen, dim=0)) == 3


def test_a_best_point_at_the_radius_is_not_proposed_again(space):
    z = 1.5 * space.sample(20, seed=1)
    told = History(space, GOAL, z=space.project(z), metrics={"a": z.norm(dim=1)})
    points = Turbo(candidates=10).propose(told, 10)
    assert torch.cdist(points, told.z).min() > 0


@pytest.mark.slow
@pytest.mark.parametrize("inputs", ["z", "structure"])
def test_it_finds_a_maximum_that_draws_do_not(space, inputs):
    found = search(QUICK.model_copy(update={"inputs": inputs}), space, GOAL, 50)["a"].max()
    drawn = search(Prior(), space, GOAL, 50)["a"].max()
    assert found > -0.1
    assert found > drawn


@pytest.mark.slow
def test_it_keeps_a_constraint_while_it_improves(space):
    found = search(QUICK, space, Goal.parse("a", ["b <= 0"]), 50)
    best = found["a"][found["b"] <= 0].max()
    assert -1.2 < best <= -1  # the best with b <= 0 is -1, at (0, -1, 0, 0)


def test_without_a_feasible_point_it_violates_less(space):
    goal = Goal.parse("a", ["b >= 1.5"])
    z = space.sample(14, seed=1)
    z = z[z[:, 0] < 1]
    points = QUICK.propose(History(space, goal, z=z, metrics=bowl(z)), 2)
    assert (points[:, 0] > z[:, 0].max()).all()


def test_it_keeps_away_from_where_trials_fail(space):
    z = space.sample(40, seed=1)
    fails = z[:, 0] > 0.3
    told = History(space, GOAL, z=z[~fails], metrics={"a": z[~fails, 0]}, failed=z[fails])
    points = QUICK.propose(told, 8)
    assert (points[:, 0] < 0.4).float().mean() > 0.7


def test_a_target_is_approached(space):
    z = space.sample(30, seed=1)
    goal = Goal.parse("-distance(a - 1, b + 2)")
    told = History(space, goal, z=z, metrics={"a": z[:, 0], "b": z[:, 1]})
    target = torch.tensor([1.0, -2.0], dtype=torch.float64)
    distance = (QUICK.propose(told, 4)[:, :2] - target).norm(dim=1)
    assert distance.min() < (z[:, :2] - target).norm(dim=1).min()


def test_units_do_not_matter(space):
    def proposal(unit):
        z = space.sample(16, seed=1)
        metrics = {"a": unit * bowl(z)["a"], "b": unit * z[:, 0]}
        goal = Goal.parse("a", [f"b <= {0.5 * unit!r}"])
        return QUICK.propose(History(space, goal, z=z, metrics=metrics), 1)

    torch.testing.assert_close(proposal(1.0), proposal(2.0**-30), atol=1e-2, rtol=0)


def test_several_objectives_are_refused(space):
    with pytest.raises(ConfigError, match="turbo takes one objective, got 2"):
        Turbo().propose(History(space, Goal.parse("a, b")), 1)

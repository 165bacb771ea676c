import torch

from generative import PCA
from latentopt.goal import Goal
from latentopt.history import History
from latentopt.space.latent_space import LatentSpace
from latentopt.strategies.sobol import Sobol

GOAL = Goal.parse("a")


def space(radius):
    images = torch.rand(60, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    fitted = LatentSpace.fit(PCA((1, 8, 8), components=4).fit(images), images)
    return LatentSpace(fitted.model, fitted.whitening, reference=fitted.reference_, radius=radius)


def test_a_batch_is_its_points_one_by_one():
    batch = Sobol().propose(History(space(2.0), GOAL, seed=3), 5)
    first = Sobol().propose(History(space(2.0), GOAL, seed=3), 2)
    rest = Sobol().propose(History(space(2.0), GOAL, seed=3, next_index=2), 3)
    assert torch.equal(batch, torch.cat([first, rest]))


def test_each_coordinate_has_one_point_in_each_256th_of_the_normal_distribution():
    z = Sobol().propose(History(space(100.0), GOAL), 256)
    stratum = (256 * torch.special.ndtr(z)).floor().long()
    assert torch.equal(stratum.sort(dim=0).values, torch.arange(256)[:, None].expand(256, 4))


def test_what_was_seen_does_not_matter():
    place = space(2.0)
    z = place.sample(6, seed=0)
    told = History(place, GOAL, z=z, metrics={"a": z[:, 0]})
    unseen = History(place, GOAL, next_index=6)
    assert torch.equal(Sobol().propose(told, 2), Sobol().propose(unseen, 2))

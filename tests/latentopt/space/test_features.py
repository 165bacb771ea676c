import pytest
import torch

from generative import PCA
from generative.data.synthetic import gaussian_random_field
from latentopt.space.features import StructureFeatures
from latentopt.space.latent_space import LatentSpace


@pytest.fixture(scope="module")
def space():
    images = torch.from_numpy(gaussian_random_field(80, (12, 12), seed=0))
    return LatentSpace.fit(PCA((1, 12, 12), components=6).fit(images), images)


def test_the_volume_fraction_is_that_of_the_exported_structure(space):
    z = space.sample(5, seed=1)
    share = (space.decode(z) > 0.5).double().mean((1, 2, 3))
    torch.testing.assert_close(StructureFeatures(space).scores(z)[:, 0], (share - 0.5) / 0.2)


def test_scores_are_centred_over_the_training_structures_and_the_first_has_variance_one(space):
    scores = StructureFeatures(space).reference_scores[:, 1:]
    torch.testing.assert_close(scores.mean(0), torch.zeros(20).double(), atol=1e-5, rtol=0)
    spread = scores.std(0)
    assert spread[0] == pytest.approx(1.0, rel=1e-4)
    assert (spread.diff() < 1e-6).all()


def test_soft_features_are_those_of_the_exported_structure_where_every_voxel_is_sure():
    class Sure(PCA):
        def decode(self, code):
            return (super().decode(code) > 0.5).float()

    images = torch.from_numpy(gaussian_random_field(80, (12, 12), seed=0))
    space = LatentSpace.fit(Sure((1, 12, 12), components=6).fit(images), images)
    features, z = StructureFeatures(space), space.sample(4, seed=1)
    torch.testing.assert_close(features(z), features.scores(z), atol=1e-3, rtol=0)


def test_the_gradient_is_that_of_finite_differences(space):
    features, step = StructureFeatures(space), 1e-2
    z = space.sample(1, seed=2).requires_grad_()
    features(z)[0, 1].backward()
    moved = torch.eye(6, dtype=torch.float64) * step
    with torch.no_grad():
        slope = (features(z + moved)[:, 1] - features(z - moved)[:, 1]) / (2 * step)
    torch.testing.assert_close(z.grad[0], slope, atol=2e-3, rtol=2e-2)


def test_any_leading_shape_is_kept(space):
    features, z = StructureFeatures(space), space.sample(6, seed=1)
    grid = features(z.reshape(2, 3, 6))
    torch.testing.assert_close(grid.reshape(6, -1), features(z), atol=1e-5, rtol=1e-4)


def test_each_structure_is_decoded_once(space):
    features, z = StructureFeatures(space), space.sample(3, seed=3)
    first = features.scores(z)
    features.space = None  # nothing to decode with
    assert torch.equal(features.scores(z.flip(0)), first.flip(0))
    assert torch.equal(features.scores(features.reference), features.reference_scores)


def test_what_was_asked_for_last_is_forgotten_last(space, monkeypatch):
    monkeypatch.setattr("latentopt.space.features._REMEMBERED", 4)
    features, z = StructureFeatures(space), space.sample(5, seed=3)
    features.scores(z[:4])
    kept = features.scores(z[:1])
    features.scores(z[4:])  # the second point makes room
    features.space = None
    assert torch.equal(features.scores(z[:1]), kept)
    with pytest.raises(AttributeError):
        features.scores(z[1:2])


def test_there_is_one_of_each_space(space):
    assert StructureFeatures.of(space) is StructureFeatures.of(space)


def test_phases_have_a_fraction_each_and_volumes_scores_too():
    labels = torch.randint(0, 3, (40, 6, 6, 6), generator=torch.Generator().manual_seed(0))
    images = torch.nn.functional.one_hot(labels, 3).movedim(-1, 1).float()
    space = LatentSpace.fit(PCA((3, 6, 6, 6), components=4).fit(images), images)
    features = StructureFeatures(space)
    assert features.names[:3] == ("volume_fraction_0", "volume_fraction_1", "score_0")
    assert features(space.sample(2, seed=0)).shape == (2, len(features.names))


def test_structures_that_are_all_alike_have_fractions_only():
    class Constant:
        latent_dim, image_shape = 3, (1, 8, 8)

        def decode(self, code):
            return torch.ones(len(code), 1, 8, 8)

    features = StructureFeatures(LatentSpace.from_prior(Constant()))
    assert features.names == ("volume_fraction",)
    assert torch.equal(features.scores(torch.zeros(1, 3).double()), torch.tensor([[2.5]]).double())


def test_components_are_learned_from_structures_all_over_the_reference(space, monkeypatch):
    monkeypatch.setattr("latentopt.space.features._VOXELS", 0)
    monkeypatch.setattr("latentopt.space.features._LEAST_ROWS", 40)
    points = space.project(space.reference_)
    assert torch.equal(StructureFeatures(space).reference, points[::2])

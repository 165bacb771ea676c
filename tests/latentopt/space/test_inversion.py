"""Points fitted to structures."""

import pytest
import torch

from generative import PCA
from generative.data.synthetic import gaussian_random_field
from latentopt.microstructure import to_phases
from latentopt.space.inversion import InversionConfig, describe_misfits, invert
from latentopt.space.latent_space import LatentSpace


class DecoderOnly:
    """The decoder of a space's model, which cannot encode."""

    def __init__(self, model):
        self.latent_dim, self.image_shape, self.decode = (
            model.latent_dim,
            model.image_shape,
            model.decode,
        )


class Misled(DecoderOnly):
    """The same decoder with an encoder that sees every image turned over."""

    def __init__(self, model):
        super().__init__(model)
        self.encode = lambda images: model.encode(images.flip(2))


@pytest.fixture(scope="module")
def structures():
    return torch.from_numpy(gaussian_random_field(6, (8, 8), seed=5))


def test_a_decoded_structure_is_found_again(tiny_space):
    images = tiny_space.decode(tiny_space.sample(5, seed=1))
    found = invert(tiny_space, images)
    assert torch.equal(to_phases(tiny_space.decode(found.z)), to_phases(images))
    assert (found.voxels_after == 0).all()
    assert (found.two_point_after == 0).all()


def test_no_structure_is_further_away_than_the_encoder_left_it(tiny_space, structures):
    found = invert(tiny_space, structures)
    assert (found.voxels_after <= found.voxels_before).all()
    assert (found.voxels_after < found.voxels_before).any()


def test_descent_mends_what_the_encoder_mistook(tiny_space):
    space = LatentSpace(
        Misled(tiny_space.model),
        tiny_space.whitening,
        reference=tiny_space.reference_,
        radius=tiny_space.radius,
    )
    found = invert(space, space.decode(space.sample(5, seed=1)))
    assert found.voxels_before.mean() > 0.1
    assert found.voxels_after.max() < 0.02


def test_the_share_of_voxels_is_that_of_the_decoded_structures(tiny_space, structures):
    found = invert(tiny_space, structures)
    differs = to_phases(tiny_space.decode(found.z)) != to_phases(structures)
    assert torch.equal(found.voxels_after, differs.flatten(1).double().mean(1))


def test_points_stay_inside_the_radius(tiny_space):
    corner = torch.zeros(1, 1, 8, 8)  # no structure of the training set is that empty
    found = invert(tiny_space, corner)
    assert float(found.z.norm()) <= tiny_space.radius * (1 + 1e-12)


def test_each_row_is_fitted_as_if_alone(tiny_space, structures):
    together = invert(tiny_space, structures, InversionConfig(steps=20))
    alone = invert(tiny_space, structures[2:3], InversionConfig(steps=20))
    torch.testing.assert_close(together.z[2:3], alone.z, rtol=0, atol=1e-4)


def test_the_same_call_finds_the_same_points_and_draws_nothing(tiny_space, structures):
    before = torch.random.get_rng_state()
    first = invert(tiny_space, structures, InversionConfig(steps=10))
    assert torch.equal(first.z, invert(tiny_space, structures, InversionConfig(steps=10)).z)
    assert torch.equal(before, torch.random.get_rng_state())


def test_a_decoder_without_encoder_begins_at_the_origin(tiny_space):
    space = LatentSpace.from_prior(DecoderOnly(tiny_space.model))
    images = (space.decode(space.sample(3, seed=4)) > 0.5).float()
    assert (invert(space, images, InversionConfig(steps=0)).z == 0).all()
    found = invert(space, images)
    assert (found.voxels_after <= found.voxels_before).all()
    assert found.voxels_after.max() < 0.1


def test_the_two_point_term_brings_the_statistics_nearer(tiny_space, structures):
    pixels = invert(tiny_space, structures, InversionConfig(steps=0))
    both = invert(tiny_space, structures, InversionConfig(two_point_weight=10.0))
    assert both.two_point_after.mean() < pixels.two_point_after.mean()


def test_progress_ends_with_all_rows(tiny_space, structures):
    seen = []
    invert(
        tiny_space,
        structures,
        InversionConfig(steps=1),
        progress=lambda *counts: seen.append(counts),
    )
    assert seen[-1] == (6, 6)


def test_a_row_that_stays_too_far_is_named(tiny_space, structures):
    found = invert(tiny_space, structures)
    worst = int(found.voxels_after.argmax())
    names = [f"{row}.png" for row in range(6)]
    lines = describe_misfits(found, float(found.voxels_after.max()) - 1e-9, names)
    assert len(lines) >= 1
    assert any(line.startswith(f"{worst}.png: ") for line in lines)
    assert describe_misfits(found, 1.0) == []


@pytest.mark.parametrize("shape", [(3, 6, 6), (1, 4, 4, 4)])
def test_several_phases_and_volumes_are_found_again(shape):
    codes = torch.randn(20, 3, generator=torch.Generator().manual_seed(0))
    axes = torch.randn(3, *shape, generator=torch.Generator().manual_seed(1))
    images = (torch.einsum("nk,k...->n...", codes, axes) / 2).sigmoid()
    space = LatentSpace.fit(PCA(shape, components=3).fit(images), images)
    decoded = space.decode(space.sample(4, seed=2))
    found = invert(space, decoded)
    differs = to_phases(space.decode(found.z)) != to_phases(decoded)
    assert torch.equal(found.voxels_after, differs.flatten(1).double().mean(1))
    assert found.voxels_after.max() == 0


def test_images_of_another_size_are_refused(tiny_space):
    with pytest.raises(ValueError, match="should have shape"):
        invert(tiny_space, torch.zeros(1, 1, 16, 16))


def test_no_images_have_no_points(tiny_space):
    assert invert(tiny_space, torch.zeros(0, 1, 8, 8)).z.shape == (0, 4)

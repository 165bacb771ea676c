"""Spaces whose encode improves what the encoder says, and the reference of those that guess."""

import numpy as np
import pytest
import torch

from generative import PCA
from generative.data.synthetic import gaussian_random_field
from generative.gans import GAN
from latentopt.errors import ModelFileError
from latentopt.fidelity.guesses import guess_figures, guess_section, rows_to_invert
from latentopt.space.descent import descend
from latentopt.space.inversion import InversionConfig, invert
from latentopt.space.latent_space import LatentSpace

STEPS = 8


@pytest.fixture(scope="module")
def images():
    return torch.from_numpy(gaussian_random_field(6, (32, 32), seed=5))


@pytest.fixture(scope="module")
def guessing(images):
    """The space of an untrained network whose encoder says nothing of use."""
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(0)
        model = GAN((1, 32, 32), widths=(4, 8), latent_dim=4, encoder={"widths": (4, 8)})
    return LatentSpace.fit(model, images)


class DecoderOnly:
    """The decoder of a space's model, which cannot encode."""

    def __init__(self, space):
        self.latent_dim, self.image_shape = space.latent_dim, space.image_shape
        self.decode = space.model.decode


def errors(space, z, images):
    return (space.decode(z) - images).square().flatten(1).mean(1)


# -- encode ----------------------------------------------------------------------------------------


def test_encode_answers_what_inversion_finds(guessing, images):
    space = guessing.inverting(STEPS)
    expected = invert(guessing, images, InversionConfig(steps=STEPS)).z
    assert torch.equal(space.encode(images), expected)
    assert np.array_equal(space.encode(images.numpy()), expected.numpy())
    assert float(space.encode(images).norm(dim=1).max()) <= space.radius * (1 + 1e-12)


def test_more_steps_come_nearer_and_the_space_asked_stays_as_it_was(guessing, images):
    before = guessing.encode(images)
    grey = guessing.decode(guessing.sample(4, seed=1))
    far, near = (guessing.inverting(steps).encode(grey) for steps in (0, 30))
    assert errors(guessing, near, grey).mean() < 0.5 * errors(guessing, far, grey).mean()
    assert torch.equal(guessing.inverting(3).inverting(0).encode(images), before)
    assert guessing.inversion_steps == 0


def test_no_grey_image_ends_further_away_than_it_began(guessing):
    grey = guessing.decode(guessing.sample(5, seed=2))
    start = guessing.sample(5, seed=3)
    found = descend(guessing.decode, guessing.project, start, grey, steps=3, learning_rate=3.0)
    assert (errors(guessing, found, grey) <= errors(guessing, start, grey)).all()


def test_a_row_does_not_depend_on_its_batch(guessing, images):
    space = guessing.inverting(STEPS)
    torch.testing.assert_close(
        space.encode(images)[2:3], space.encode(images[2:3]), rtol=0, atol=1e-3
    )


def test_no_images_have_no_points(guessing, images):
    assert guessing.inverting(STEPS).encode(images[:0]).shape == (0, 4)


def test_a_gradient_is_refused_and_that_of_the_encoder_is_named(guessing, images):
    asked = images[:1].clone().requires_grad_()
    with pytest.raises(ValueError, match=r"no gradient.*inverting\(0\)"):
        guessing.inverting(1).encode(asked)
    with torch.no_grad():
        assert guessing.inverting(1).encode(asked).shape == (1, 4)
    guessing.encode(asked).sum().backward()
    assert asked.grad.abs().max() > 0


def test_steps_that_are_no_number_of_steps_are_refused(guessing):
    for steps in (-1, True):
        with pytest.raises(ValueError, match="whole number from 0"):
            guessing.inverting(steps)


def test_steps_may_be_a_whole_number_of_numpy(guessing):
    steps = guessing.inverting(np.int64(3)).inversion_steps
    assert (steps, type(steps)) == (3, int)


def test_a_decoder_alone_encodes_by_inversion(images):
    """A linear one, whose errors fall from the origin: that of an untrained network is a kink."""
    model = PCA((1, 32, 32), components=4).fit(images)
    space = LatentSpace.from_prior(DecoderOnly(LatentSpace.fit(model, images)))
    assert not space.encodes
    with pytest.raises(TypeError, match=r"cannot encode.*inverting\(100\)"):
        space.encode(images)
    inverting = space.inverting(STEPS)
    assert inverting.encodes
    at_origin = errors(space, torch.zeros(6, 4), images)
    assert (errors(space, inverting.encode(images), images) < at_origin).all()


def test_a_decoder_without_a_gradient_is_refused(guessing, images):
    model = DecoderOnly(guessing)
    model.decode = lambda code: guessing.model.decode(code).detach()
    with pytest.raises(TypeError, match="without a gradient"):
        LatentSpace.from_prior(model).inverting(1).encode(images)


# -- folders ---------------------------------------------------------------------------------------


def test_a_saved_space_keeps_its_steps(guessing, images, tmp_path):
    space = LatentSpace.load(guessing.inverting(2).save(tmp_path / "space"))
    assert space.inversion_steps == 2
    assert space.id == guessing.id
    assert torch.equal(space.encode(images), guessing.inverting(2).encode(images))


def test_steps_of_a_folder_that_are_none_are_refused(guessing, tmp_path):
    wrong = guessing.inverting(2)
    wrong.inversion_steps = -1
    with pytest.raises(ModelFileError, match="steps of inversion"):
        LatentSpace.load(wrong.save(tmp_path / "space"))


# -- reference -------------------------------------------------------------------------------------


def test_the_reference_of_a_guessing_encoder_are_inverted_points(guessing, images):
    assert guessing.reference_.shape == (6, 4)
    again = errors(guessing, guessing.reference_, images)
    guess = errors(guessing, guessing.project(guessing.encode(images)), images)
    assert (again <= guess).all()
    assert (again < guess).any()
    near = guessing.distance_from_data(guessing.inverting(50).encode(images))
    assert float(near.max()) < 1e-3


def test_the_radius_is_that_of_the_prior_whatever_the_encoder_says(images):
    model = GAN((1, 32, 32), widths=(4, 8), encoder={"widths": (4, 8)})
    seen = []
    space = LatentSpace.fit(model, images, progress=lambda *counts: seen.append(counts))
    assert space.radius == pytest.approx(9.147, abs=1e-3)
    assert seen == [(6, 6)]


def test_the_points_of_other_images_are_kept_where_these_are_given(images):
    flat = torch.from_numpy(gaussian_random_field(40, (8, 8), seed=0))
    model = PCA((1, 8, 8), components=3).fit(flat)
    space = LatentSpace.fit(model, flat, reference=flat[:5], inversion_steps=2)
    torch.testing.assert_close(space.reference_, space.inverting(0).encode(flat[:5]))
    assert space.inversion_steps == 2


# -- the card --------------------------------------------------------------------------------------


def test_the_card_tells_the_guess_from_what_inversion_finds(guessing):
    grey = guessing.decode(guessing.sample(4, seed=1)).numpy()
    told = []
    figures = guess_figures(guessing, grey, steps=10, progress=told.append)
    assert len(told) > 1
    assert told == sorted(told)
    assert told[-1] == rows_to_invert(len(grey))
    assert figures[10].mse < figures[0].mse
    assert figures[10].cycle_error < figures[0].cycle_error
    assert figures[0].voxels_wrong is None
    text = guess_section(figures)
    assert f"| encoder alone | {figures[0].mse:.4f} | - |" in text
    assert "| 10 steps of inversion |" in text


def test_the_images_of_the_card_are_taken_from_all_over(guessing):
    first, last = (np.full((n, 1, 32, 32), level, np.float32) for n, level in ((31, 0), (32, 0.5)))
    of_first, of_last, of_both = (
        guess_figures(guessing, x, steps=0)[0].mse
        for x in (first, last, np.concatenate([first, last]))
    )
    assert of_both == pytest.approx((of_first + of_last) / 2, rel=1e-4)
    assert abs(of_first - of_last) > 0.5 * of_first

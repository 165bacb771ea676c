"""Figures of a noise space, for maps that are known."""

import numpy as np
import pytest
import torch

from generative import GAN, LatentDiffusion
from generative.data.synthetic import gaussian_random_field
from latentopt import LatentSpace
from latentopt.fidelity import noise_space
from latentopt.fidelity.noise_space import noise_space_figures, noise_space_section
from latentopt.space import fitting

IMAGES = torch.from_numpy(gaussian_random_field(40, (32, 32), seed=0))


@pytest.fixture(scope="module")
def straight():
    """The map of an untrained prior: code = mean + spread times noise."""
    options = {
        "autoencoder": {"widths": (4, 8)},
        "prior": {"width": 4, "hidden": 4, "blocks": 1},
        "solver_steps": 1,  # takes any straight way
    }
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = LatentDiffusion((1, 32, 32), **options)
    model.prior.scale_to(model.autoencoder.encode(IMAGES).detach())
    return model


@pytest.fixture(scope="module")
def figures(straight):
    return noise_space_figures(straight, IMAGES, IMAGES)


def test_a_straight_map_has_gain_1_and_comes_back(figures):
    assert figures["round_trip_rms"] < 1e-6
    assert figures["gain_5"] == pytest.approx(1, abs=1e-4)
    assert figures["gain_95"] == pytest.approx(1, abs=1e-4)
    assert figures["condition"] == pytest.approx(1, abs=1e-4)
    assert figures["noise_std"] == pytest.approx(1, abs=1e-3)


def test_the_floor_is_that_of_the_training_images(figures):
    """Here they are the held-out images, in another order."""
    for name in ("frechet", "recall"):
        floor, own = figures[f"{name}_training"], figures[f"{name}_reconstructions"]
        assert floor == pytest.approx(own, rel=1e-6)


def test_of_many_images_some_from_all_over_are_encoded(straight, monkeypatch):
    monkeypatch.setattr(fitting, "REFERENCE_ROWS", 20)
    monkeypatch.setattr(noise_space, "KNOWN", 20)
    space, some = LatentSpace.fit(straight, IMAGES), LatentSpace.fit(straight, IMAGES[::2])
    assert space.radius == some.radius
    assert torch.equal(space.reference_, some.reference_)
    found = noise_space_figures(straight, IMAGES, IMAGES)
    expected = noise_space_figures(straight, IMAGES[::2], IMAGES)
    assert found["frechet_gaussian"] == expected["frechet_gaussian"]
    assert found["gain_5"] == expected["gain_5"]


def test_the_section_has_a_row_for_each_figure(figures, straight):
    section = noise_space_section(figures, straight)
    assert section.count("\n| ") == len(figures) + 1
    assert "Noise of 64 numbers has a norm of about 8." in section


def test_the_section_of_a_network_without_codes_speaks_of_styles(figures):
    model = GAN((1, 32, 32), widths=(4, 8), latent_dim=9, mapping_layers=1)
    section = noise_space_section(figures, model)
    assert "code" not in section
    assert "one step" not in section
    assert "style to noise and back" in section
    assert "Noise of 9 numbers has a norm of about 3." in section


def test_without_enough_held_out_images_there_are_no_distances(straight):
    assert "frechet_noise" not in noise_space_figures(straight, IMAGES, IMAGES[:10])


def test_held_out_images_that_are_all_alike_cost_the_distances_only(straight):
    figures = noise_space_figures(straight, IMAGES, IMAGES[:1].expand(30, -1, -1, -1))
    assert "round_trip_rms" in figures
    assert "frechet_noise" not in figures


def test_gains_of_a_gan_are_over_the_spread_of_its_draws_whatever_its_encoder_guesses():
    small = {"widths": (4, 8), "encoder": {"widths": (4, 8)}, "latent_dim": 6}
    model = GAN((1, 32, 32), mapping_layers=1, **small)  # one layer is a rotation
    images = torch.rand(4, 1, 32, 32, generator=torch.Generator().manual_seed(0))
    figures = noise_space_figures(model, images, images)
    assert figures["gain_5"] == pytest.approx(1, abs=0.02)
    assert figures["gain_95"] == pytest.approx(1, abs=0.02)
    assert np.isfinite(noise_space_figures(model, images, images[:1])["noise_std"])

"""A space of a gan, seen in its noise and in its style."""

import numpy as np
import pytest
import torch

from generative.data.synthetic import gaussian_random_field
from generative.gans import GAN
from latentopt.space.latent_space import LatentSpace

IMAGES = gaussian_random_field(8, (32, 32), seed=0)


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    model = GAN(
        (1, 32, 32), widths=(4, 8), encoder={"widths": (4, 8)}, latent_dim=6, mapping_layers=2
    )
    with torch.no_grad():
        model.parts.mapping.offset.normal_(0, 1)
    return model


@pytest.fixture(scope="module")
def style(model):
    return LatentSpace.fit(model.in_coordinates("style"), IMAGES)


def test_styles_of_a_gan_are_the_same_after_the_way_through_noise(style):
    again = style.in_coordinates("noise").in_coordinates("style")
    torch.testing.assert_close(again.whitening.spread, style.whitening.spread, rtol=0, atol=0)
    assert again.radius == style.radius
    torch.testing.assert_close(again.reference_, style.reference_, rtol=0, atol=1e-4)
    z = style.sample(3)
    torch.testing.assert_close(again.decode(z), style.decode(z), rtol=0, atol=1e-6)


def test_a_prior_of_styles_is_refused_because_they_are_not_standard_normal(model):
    with pytest.raises(ValueError, match=r"not standard normal.*LatentSpace\.fit"):
        LatentSpace.from_prior(model.in_coordinates("style"))


def test_other_coordinates_know_the_training_images_as_well(model):
    space = LatentSpace.from_prior(model)
    space.trained_on = np.arange(3)
    assert space.in_coordinates("style").trained_on is space.trained_on

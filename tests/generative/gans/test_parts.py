"""What the networks of an adversarial model say of themselves."""

import warnings

import pytest
import torch

from generative.data.synthetic import gaussian_random_field
from generative.gans import DCGAN, GAN
from generative.networks.layout import plan_layout
from generative.networks.residual import ResidualReader
from generative.stages.config import StageConfig
from generative.training.train import TrainConfig, train

IMAGES = gaussian_random_field(6, (32, 32), seed=0)
SMALL = {"widths": (4, 8), "encoder": {"widths": (4, 8), "joint": 0}, "latent_dim": 4}
MODELS = {
    "gan": lambda: GAN((1, 32, 32), **SMALL, sets=None),
    "style": lambda: GAN((1, 32, 32), **SMALL, mapping_layers=1, coordinates="style", sets=None),
    "dcgan": lambda: DCGAN((1, 32, 32), width=4, latent_dim=4),
}
ONE = TrainConfig(
    steps=1, batch_size=2, progress=False, precision="float32", stages={"encoder": StageConfig()}
)


@pytest.mark.parametrize("kind", MODELS)
def test_an_encoder_says_that_it_is_not_trained_until_it_is(kind):
    model = MODELS[kind]()
    with pytest.warns(UserWarning, match="encoder has not been trained"):
        model.encode(torch.from_numpy(IMAGES))
    train(model, IMAGES, config=ONE)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model.encode(torch.from_numpy(IMAGES))


def test_an_encoder_tells_apart_what_a_critic_only_sees_the_mean_of():
    """Neighbouring cells of the coarse grid: a code has a number for each of them."""
    layout, image = plan_layout((1, 32, 32), (4, 8)), torch.zeros(2, 1, 32, 32)
    image[0, ..., 10:12, 10:12] = image[1, ..., 12:14, 12:14] = 1  # in two cells of one square
    blind, seeing = (
        ResidualReader(layout, 5, "circular", code=code).features(image).detach()
        for code in (False, True)
    )
    torch.testing.assert_close(blind[0], blind[1])
    assert (seeing[0] - seeing[1]).abs().max() > 0.1


def test_a_condition_of_an_untrained_model_says_so_as_well():
    model = GAN((1, 32, 32), **SMALL, conditions={"classes": ("a", "b")})
    with pytest.warns(UserWarning, match="encoder has not been trained"):
        model.at(model.conditions.ask("a")).encode(torch.from_numpy(IMAGES))

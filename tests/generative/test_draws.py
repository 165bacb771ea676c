"""The stage that looks at what the prior draws: what it measures, changes and mends."""

import math

import pytest
import torch

from generative import LatentDiffusion
from generative.data.synthetic import gaussian_random_field
from generative.draws import DrawsConfig, DrawsStage, Statistics, energy_distance
from generative.train import TrainConfig, train
from generative.train_config import StageConfig

IMAGES = gaussian_random_field(12, (32, 32), seed=0)
TINY = TrainConfig(steps=6, batch_size=4, progress=False, precision="float32")
OPTIONS = {
    "autoencoder": {"widths": (4, 8)},
    "prior": {"width": 8, "hidden": 8, "blocks": 1},
    "detail": None,
}
DRAWS = {"detail": {"adversarial_weight": 0.5, "width": 4, "layers": 1}}


def network(shape=(1, 32, 32), **changes):
    return LatentDiffusion(shape, **(OPTIONS | changes))


def normal(n, seed, mean=0.0):
    return torch.randn(n, 1, generator=torch.Generator().manual_seed(seed)).double() + mean


@pytest.mark.parametrize("shift", [0.0, 0.5, 3.0])
def test_the_energy_distance_of_two_normal_distributions_is_the_one_in_closed_form(shift):
    """X - Y is normal with mean `shift` and variance 2, and so is X - X' with mean 0."""
    between = 2 / math.sqrt(math.pi) * math.exp(-(shift**2) / 4) + shift * math.erf(shift / 2)
    expected = 2 * between - 4 / math.sqrt(math.pi)
    found = torch.stack(
        [energy_distance(normal(30, 2 * i, shift), normal(30, 2 * i + 1)) for i in range(400)]
    )
    assert float(found.mean()) == pytest.approx(expected, abs=4 * float(found.std()) / 20)
    assert float(found.std()) / 20 < 0.03  # or this would show nothing


def test_two_points_are_twice_their_distance_apart():
    x, y = torch.zeros(3, 2), torch.tensor([[3.0, 4.0]]).expand(5, 2)
    assert float(energy_distance(x, y)) == pytest.approx(10)


def test_statistics_of_the_images_that_fixed_them_are_white():
    images = torch.from_numpy(gaussian_random_field(200, (32, 32), seed=1))
    found = Statistics(4, 3).fit(images)(images)
    torch.testing.assert_close(found.mean(0), torch.zeros(3).double(), atol=1e-5, rtol=0)
    covariance = found.T.cov(correction=0)
    torch.testing.assert_close(covariance, torch.eye(3).double(), atol=1e-4, rtol=0)


def test_statistics_see_amount_size_and_direction_and_not_the_place():
    images = torch.from_numpy(gaussian_random_field(200, (32, 32), seed=1))
    statistics = Statistics(4, 4).fit(images)
    x = statistics(images[:20])
    torch.testing.assert_close(statistics(images[:20].flip(2, 3)), x, atol=1e-4, rtol=1e-4)
    for other in (1 - images[:20], images[:20].mT, images[:20, :, :16, :16].repeat(1, 1, 2, 2)):
        assert float((statistics(other) - x).norm(dim=1).mean()) > 0.3


def test_images_that_are_all_alike_in_a_statistic_are_not_divided_by_nothing():
    x = torch.from_numpy(IMAGES[:1]).repeat(6, 1, 1, 1)
    x[3:] = x[3:].mT.clone()
    assert torch.isfinite(Statistics(3, 8).fit(x)(x)).all()


@pytest.mark.parametrize("shape", [(1, 32, 32), (1, 16, 16, 16)])
def test_only_decoder_and_discriminator_are_moved(shape):
    stage = DrawsStage(network(shape), DrawsConfig(**DRAWS))
    images = gaussian_random_field(8, shape[1:], seed=0)
    stage.prepare(images, TINY)
    before = {name: value.clone() for name, value in stage.train().state_dict().items()}
    noise = torch.randn(8, 64, generator=torch.Generator().manual_seed(0))
    stage.loss(torch.from_numpy(images), noise=noise, kl_weight=1.0).total.backward()
    for name, value in stage.named_parameters():
        of_decoder = name.startswith(("module.decoder", "discriminator"))
        assert (value.grad is not None) == of_decoder, name
    for name, value in stage.state_dict().items():
        if name.startswith(("module.encoder", "prior")):
            assert torch.equal(value, before[name]), name  # the means and variances of norms too


def test_it_changes_what_is_decoded_and_neither_codes_nor_prior():
    plain, mended = (train(network(draws=d), IMAGES, config=TINY) for d in (None, DRAWS))
    a, b = plain.state_dict(), mended.state_dict()
    same = {name for name in a if torch.equal(a[name], b[name])}
    assert same >= {name for name in a if not name.startswith("autoencoder.decoder")}
    assert same != set(a)
    x = torch.from_numpy(IMAGES)
    assert torch.equal(plain.encode(x), mended.encode(x))


def test_the_error_on_unseen_images_sees_draws_that_are_all_alike():
    stage = DrawsStage(network(), DrawsConfig(**DRAWS))
    images = gaussian_random_field(60, (32, 32), seed=3)
    stage.prepare(images, TINY)
    stage.eval()
    stage.prior.mean_.fill_(0.3)
    with torch.no_grad():  # a decoder whose fractions follow its code
        for value in stage.module.decoder.parameters():
            value.abs_()
    varied = stage.error(torch.from_numpy(images))
    assert stage.error(torch.from_numpy(images)) == varied
    stage.prior.spread_.fill_(0.0)
    assert stage.error(torch.from_numpy(images)) > varied + 0.01


@pytest.mark.slow
def test_sets_of_drawn_structures_become_as_sets_of_images_are():
    images = gaussian_random_field(300, (32, 32), seed=1)
    held_out = torch.from_numpy(gaussian_random_field(300, (32, 32), seed=2))
    own = {"draws": StageConfig(steps=80, learning_rate=2e-3)}
    config = TINY.model_copy(
        update={"steps": 150, "batch_size": 32, "ema_decay": 0.9, "stages": own}
    )
    statistics = Statistics(6, 4).fit(held_out)

    def far(draws):
        model = train(network(draws=draws), images, config=config)
        with torch.no_grad():
            made = model.decode(model.sample(300, seed=5)).round()
        return float(energy_distance(statistics(made), statistics(held_out)))

    alone = {"adversarial_weight": 0.0, "variogram_weight": 0.0, "fraction_weight": 0.0}
    assert far({"detail": alone}) < 0.5 * far(None)

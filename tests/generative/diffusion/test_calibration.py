"""The stage that calibrates a prior on its decoded draws: what it moves, and what it mends."""

import copy

import pytest
import torch

from generative import LatentDiffusion
from generative.conditions import Conditions
from generative.data.synthetic import gaussian_random_field
from generative.diffusion.calibration import CalibrationConfig, CalibrationStage
from generative.losses.set_distance import (
    SetStatistics,
    amount,
    amount_and_interface,
    interface,
    moment_kernel,
    set_distance,
    texture,
    two_point,
)
from generative.stages.config import StageConfig
from generative.stages.players import Batch
from generative.training.descent import descend
from generative.training.train import TrainConfig, train

IMAGES = gaussian_random_field(12, (32, 32), seed=0)
TINY = TrainConfig(steps=6, batch_size=4, progress=False, precision="float32")
OPTIONS = {
    "autoencoder": {"widths": (4, 8)},
    "prior": {"width": 8, "hidden": 8, "blocks": 1},
    "detail": None,
    "solver_steps": 3,
}
CALIBRATED = {"calibration": {"share": 1.0}}


def network(shape=(1, 32, 32), **changes):
    return LatentDiffusion(shape, **(OPTIONS | changes))


def stage_of(model, images, **changes):
    stage = CalibrationStage(model, CalibrationConfig(**changes))
    stage.prepare(images, TINY)
    return stage


def noise_of(stage, n):
    size = stage.latent_dim + stage.numbers
    return torch.randn(n, size, generator=torch.Generator().manual_seed(0))


def batch_of(stage, images):
    noise = noise_of(stage, len(images))
    return Batch(images, lambda size: noise[:, :size])


@pytest.mark.parametrize("shape", [(1, 32, 32), (2, 32, 32), (1, 16, 16, 16)])
def test_only_the_prior_is_moved(shape):
    images = gaussian_random_field(8, shape[1:], seed=0).repeat(shape[0], axis=1)
    stage = stage_of(network(shape), images)
    before = {name: value.clone() for name, value in stage.train().state_dict().items()}
    loss = stage.loss(batch_of(stage, torch.from_numpy(images)), "model")
    loss.total.backward()
    for name, value in stage.named_parameters():
        assert (value.grad is not None) == name.startswith("prior."), name
    for name, value in stage.state_dict().items():
        if not name.startswith("distances.recent"):  # what is remembered of the step
            assert torch.equal(value, before[name]), name  # the means and variances of norms too


def test_its_gradient_is_that_of_its_losses_together():
    """Second way: the energy distances from the noise to the end, by one backward."""
    images = torch.from_numpy(IMAGES)
    with torch.random.fork_rng(), torch.no_grad():
        torch.manual_seed(0)
        weights = {"moments_weight": 1e-3, "interface_weight": 2e-3, "fraction_weight": 20.0}
        weights |= {"weight": 3.0, "round_trip_weight": 3e4}  # none drowns the others
        stage = stage_of(network(), IMAGES, **weights)
        for value in stage.prior.parameters():  # a denoiser that does something
            value.add_(0.1 * torch.randn_like(value))
    noise = noise_of(stage, 12)
    loss = stage.loss(batch_of(stage, images), "model")
    loss.total.backward()
    found = {name: value.grad.clone() for name, value in stage.prior.named_parameters()}

    stage.zero_grad()
    codes = stage.autoencoder.encode(images).detach()
    velocity = stage.velocity_error(codes, noise[:, 64:], None)
    logits = stage.autoencoder.logits(
        stage.prior.to_code(torch.cat([noise[:6, :64], -noise[:6, :64]]), steps=3)
    )
    soft = (16.0 * logits).sigmoid()
    made = soft + (logits > 0).float() - soft.detach()
    measures = (
        (amount, 0, 1, True, 3.0, 20.0),
        (interface, 1, 3, True, 3.0, 0.0),
        (texture, 6, 4, True, 3.0, 0.0),
        (two_point, 8, 10, False, 3.0, 1e-3),
        (amount_and_interface, 1, 4, True, 0.0, 2e-3),
    )
    there_and_back = stage.prior.to_code(stage.prior.to_noise(codes[:6], steps=3), steps=3)
    off = (there_and_back - codes[:6]).square().mean() / stage.prior.spread_**2
    total = velocity + 3e4 * off
    for measure, reach, components, equal, energy, moments in measures:
        statistics = SetStatistics(measure, reach, components, equal=equal).fit(images)
        x, y = statistics(made), statistics(images)
        total = total + energy * set_distance(x, y, antithetic=True)
        total = total + moments * set_distance(x, y, moment_kernel, antithetic=True)
    total.backward()
    # As a whole: single numbers are off by rounding, which processors do differently.
    by_hand = {name: value.grad for name, value in stage.prior.named_parameters()}
    error = sum((found[name] - x).square().sum() for name, x in by_hand.items())
    assert error < 1e-6 * sum(x.square().sum() for x in by_hand.values())


def test_codes_and_what_they_decode_to_stay_and_points_of_the_noise_become_others():
    plain, calibrated = (train(network(**more), IMAGES, config=TINY) for more in ({}, CALIBRATED))
    a, b = plain.state_dict(), calibrated.state_dict()
    same = {name for name in a if torch.equal(a[name], b[name])}
    assert same >= {name for name in a if name.startswith("autoencoder")}
    assert same >= {"prior.mean_", "prior.spread_"}
    x = torch.from_numpy(IMAGES)
    assert not torch.equal(plain.encode(x), calibrated.encode(x))


def test_it_holds_to_conditions():
    names = Conditions(classes=("a", "b"))
    model = network(conditions=names, **CALIBRATED)
    conditions = torch.eye(2)[torch.arange(12) % 2].numpy()
    train(model, IMAGES, config=TINY, conditions=conditions)
    noise = model.sample(2, class_name="b", seed=1)
    assert torch.isfinite(noise).all()


def test_the_error_on_unseen_images_sees_draws_that_are_all_alike():
    images = gaussian_random_field(60, (32, 32), seed=3)
    stage = stage_of(network(), images, round_trip_weight=0.0).eval()
    stage.prior.mean_.fill_(0.3)
    with torch.no_grad():  # a decoder whose fractions follow its code
        for value in stage.autoencoder.decoder.parameters():
            value.abs_()
    x = torch.from_numpy(images)
    varied = stage.error(x)
    assert stage.error(x) == varied
    codes = stage.autoencoder.encode(x)
    velocity = super(CalibrationStage, stage).error(codes)
    stage.prior.spread_.fill_(1e-6)
    drawn_alike = stage.error(x) - super(CalibrationStage, stage).error(codes)
    assert drawn_alike > varied - velocity + 0.01


# Nothing is asked of the statistics of draws.
NOTHING = {
    "weight": 0.0,
    "moments_weight": 0.0,
    "interface_weight": 0.0,
    "fraction_weight": 0.0,
}


def calibrated(model, images, config, **settings):
    """A copy of a model, after fifteen steps of the stage."""
    model = copy.deepcopy(model)
    descend(CalibrationStage(model, CalibrationConfig(**settings)), images, config, None)
    return model


@pytest.mark.slow
def test_codes_come_back_nearer():
    """Of a flow that turns fast, in three steps; nearer than by the error of the velocity alone."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = network()
    with torch.no_grad():
        for value in model.prior.parameters():
            value.add_(0.2 * torch.randn(value.shape, generator=torch.Generator().manual_seed(1)))
    x = torch.from_numpy(IMAGES)

    def off(model):
        with torch.no_grad():
            codes = model.in_coordinates("code").encode(x)
            again = model.to_code(model.to_noise(codes))
            return float((again - codes).square().mean()) / float(model.prior.spread_) ** 2

    own = {"calibration": StageConfig(steps=15, learning_rate=4e-3)}
    config = TINY.model_copy(update={"ema_decay": 0.9, "stages": own})
    asked = off(calibrated(model, IMAGES, config, **NOTHING))
    control = off(calibrated(model, IMAGES, config, round_trip_weight=0.0, **NOTHING))
    assert asked < 0.2 * off(model)
    assert asked < 0.4 * control


@pytest.mark.slow
def test_draws_that_went_astray_come_back():
    images = gaussian_random_field(150, (32, 32), seed=1)
    held_out = torch.from_numpy(gaussian_random_field(150, (32, 32), seed=2))
    config = TINY.model_copy(update={"steps": 80, "batch_size": 16, "ema_decay": 0.9})
    model = train(network(), images, config=config)
    statistics = SetStatistics(two_point, 8, 10, equal=False).fit(held_out)

    def far(model):
        with torch.no_grad():
            noise = torch.randn(150, 64, generator=torch.Generator().manual_seed(5))
            made = model.decode(noise).round()
        return float(set_distance(statistics(made), statistics(held_out)))

    trained = far(model)
    model.prior.mean_.add_(0.8 * model.prior.spread_)
    astray = far(model)
    own = {"calibration": StageConfig(steps=15, learning_rate=8e-3)}
    config = config.model_copy(update={"stages": own})
    asked = far(calibrated(model, images, config, weight=10.0))
    control = far(calibrated(model, images, config, **NOTHING))  # the velocity mends some of it
    assert astray > 2 * trained
    assert asked < 0.6 * astray
    assert asked < 0.7 * control

"""The bound with a diffusion prior in it, against what is known of Gaussians."""

import math

import pytest
import torch

from generative import LSGM
from generative.data.synthetic import gaussian_random_field
from generative.diffusion.lsgm import SMALLEST_NOISE, JointStage
from generative.stages.players import Batch
from generative.training.train import TrainConfig, train

IMAGES = gaussian_random_field(12, (32, 32), seed=0)
OPTIONS = {
    "autoencoder": {"widths": (4, 8), "beta": 1.0},
    "prior": {"width": 8, "hidden": 8, "blocks": 1},
}
TINY = TrainConfig(steps=4, batch_size=4, progress=False, precision="float32")


@pytest.fixture
def stage():
    return JointStage(LSGM((1, 32, 32), **OPTIONS))


def test_other_options_leave_the_autoencoder_its_beta_of_1():
    for options, beta in (({}, 1.0), ({"widths": (4, 8)}, 1.0), ({"beta": 0.5}, 0.5)):
        model = LSGM((1, 32, 32), **(OPTIONS | {"autoencoder": options}))
        assert model.autoencoder.config.beta == beta
    assert LSGM((1, 32, 32)).autoencoder.config.beta == 1


def cross_entropy(stage, spread, n=6000):
    draws = torch.Generator().manual_seed(0)
    codes = spread * torch.randn(n, 64, generator=draws)
    noise = torch.randn(n, 64, generator=draws)
    with torch.no_grad():
        return float(stage._cross_entropy(codes, noise, torch.rand(n, generator=draws))) / 64


def test_with_an_untrained_prior_it_is_the_cross_entropy_with_the_standard_normal(stage):
    # The network answers 0, which is exact for the standard normal: codes of spread s then cost
    # s^2 / 2, up to a constant and what is left out below the smallest noise.
    left_out = 1 - SMALLEST_NOISE**2
    found = [cross_entropy(stage, s) for s in (0.5, 1.0, 2.0)]
    assert found[1] - found[0] == pytest.approx((1 - 0.25) / 2 * left_out, abs=0.04)
    assert found[2] - found[1] == pytest.approx((4 - 1) / 2 * left_out, abs=0.08)


def test_the_constant_is_that_of_the_paper(stage):
    # Cross entropy of N(0, I) with itself is log(2 pi e) / 2 a number; the bound leaves out
    # log(2 pi e var) / 2 of the smallest noise.
    missing = 0.5 * math.log(2 * math.pi * math.e * SMALLEST_NOISE**2)
    expected = 0.5 * math.log(2 * math.pi * math.e) - missing
    assert cross_entropy(stage, 1.0) == pytest.approx(expected, rel=0.01)


def test_the_bound_moves_the_autoencoder_and_the_fit_the_prior(stage):
    with torch.no_grad():
        for tensor in stage.prior.denoiser.parameters():
            tensor.normal_(0, 0.1)
    noise = torch.randn(4, 64, generator=torch.Generator().manual_seed(1))
    code = stage.autoencoder.encode(torch.from_numpy(IMAGES[:4]))
    crossing = stage._cross_entropy(code, noise[:, :64], torch.rand(4))
    prior = list(stage.prior.denoiser.parameters())
    assert all(
        g is None
        for g in torch.autograd.grad(crossing, prior, allow_unused=True, retain_graph=True)
    )
    encoder = list(stage.autoencoder.encoder.parameters())
    moved = torch.autograd.grad(crossing, encoder, allow_unused=True)
    assert max(float(g.abs().max()) for g in moved if g is not None) > 0
    batch = Batch(torch.from_numpy(IMAGES[:4]), lambda size: torch.randn(4, size))
    stage.loss(batch, "model").total.backward()
    assert max(float(p.grad.abs().max()) for p in prior if p.grad is not None) > 0


def test_it_is_trained_in_two_stages_and_goes_both_ways(tmp_path):
    model = train(LSGM((1, 32, 32), **OPTIONS), IMAGES, config=TINY, folder=tmp_path)
    assert (tmp_path / "training-joint.safetensors").exists()
    x = torch.from_numpy(IMAGES)
    noise = model.encode(x)
    code = model.in_coordinates("code").encode(x)
    torch.testing.assert_close(model.to_code(noise), code, atol=1e-2, rtol=1e-2)


def test_it_is_trained_in_half_precision():
    half = TINY.model_copy(update={"precision": "bfloat16"})
    model = train(LSGM((1, 32, 32), **OPTIONS), IMAGES, config=half)
    assert all(value.isfinite().all() for value in model.state_dict().values())


def test_it_samples_refines_and_is_seen_in_both_coordinates():
    model = LSGM((1, 32, 32), **OPTIONS)
    points = model.sample(3, seed=1)
    assert torch.equal(points, model.sample(3, seed=1))
    code = model.in_coordinates("code")
    assert type(code) is LSGM
    torch.testing.assert_close(code.decode(model.to_code(points)), model.decode(points))
    images = torch.from_numpy(IMAGES[:2])
    torch.testing.assert_close(model.refine(images, 0.0), code.decode(code.encode(images)))
    with pytest.raises(ValueError, match="volume_fraction"):
        model.sample(1, properties={"volume_fraction": 0.5})

"""The C-VAE: a vector code of any size, and a loss that equals its closed forms."""

import pytest
import torch
from torch.distributions import Normal, kl_divergence

from generative import ResNetVAE
from generative.data.augment import Augmentation
from generative.data.synthetic import gaussian_random_field
from generative.training.train import TrainConfig, train

IMAGES = gaussian_random_field(6, (32, 32), seed=0)
TWO_STEPS = TrainConfig(steps=2, batch_size=4, progress=False, precision="float32")
DTYPES = [torch.bfloat16, torch.float32]


def draw(*shape, seed=0):
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed))


def tiny(shape=(1, 32, 32), **options):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return ResNetVAE(shape, **{"width": 4, "latent_dim": 6, **options})


def loss_of(model, images, *, noise=None, kl_weight=1.0):
    noise = torch.zeros(len(images), model.latent_dim) if noise is None else noise
    return model.loss(images, noise=noise, kl_weight=kl_weight)


@pytest.mark.parametrize(
    "shape",
    [
        (1, 32, 32),
        (1, 50, 50),
        (3, 33, 47),
        (2, 64, 40),
        (1, 256, 32),
        (1, 16, 16, 16),
        (2, 21, 17, 30),
    ],
    ids=lambda shape: "x".join(map(str, shape)),
)
def test_images_of_every_size_become_a_vector_and_images_of_that_size(shape):
    model, images = tiny(shape), draw(2, *shape)
    with torch.no_grad():
        code = model.encode(images)
        assert code.shape == (2, 6)
        assert model.decode(code).shape == images.shape


@pytest.mark.parametrize("backbone", ["resnet18", "resnet50", "resnet152"])
def test_every_backbone_encodes(backbone):
    model = tiny(backbone=backbone)
    code = model.encode(draw(2, 1, 32, 32))
    assert code.shape == (2, 6)
    assert torch.isfinite(code).all()


@pytest.mark.parametrize("latent_dim", [1, 64, 256])
def test_the_code_has_the_numbers_asked_for(latent_dim):
    model = tiny(latent_dim=latent_dim)
    assert model.latent_dim == latent_dim
    assert model.encode(draw(2, 1, 32, 32)).shape == (2, latent_dim)


def test_every_voxel_and_every_number_of_the_code_matters():
    model, images = tiny((1, 50, 40), width=16), draw(4, 1, 50, 40).requires_grad_()
    model.encode(images).square().sum().backward()
    assert (images.grad != 0).any(0).all()  # max-pooling leaves out some of each image
    z = torch.zeros(1, 6, requires_grad=True)
    model.decode(z).square().sum().backward()
    assert (z.grad != 0).all()


def test_every_parameter_learns_from_the_loss():
    model = tiny().train()
    loss_of(model, draw(4, 1, 32, 32), noise=draw(4, 6)).total.backward()
    assert all(p.grad is not None for p in model.parameters())


def test_the_kl_term_is_the_divergence_from_a_standard_normal():
    model, images = tiny(), draw(3, 1, 32, 32)
    mean, log_variance = model.posterior(images)
    posterior = Normal(mean, (0.5 * log_variance).exp())
    expected = kl_divergence(posterior, Normal(0.0, 1.0)).sum(1).mean().detach()
    assert expected > 0
    assert loss_of(model, images).terms["kl"] == pytest.approx(float(expected), rel=1e-5)


def test_a_posterior_that_is_the_prior_has_no_kl():
    model = tiny()
    torch.nn.init.zeros_(model.head[-1].weight)
    torch.nn.init.zeros_(model.head[-1].bias)
    assert loss_of(model, draw(3, 1, 32, 32)).terms["kl"] == 0


def test_without_beta_the_total_is_the_reconstruction_of_a_voxel():
    terms = loss_of(tiny(beta=0), draw(3, 1, 32, 32)).terms
    assert terms["kl"] > 0
    assert terms["loss"] == pytest.approx(terms["reconstruction"] / 32**2, rel=1e-6)


def test_the_total_weighs_the_terms_and_divides_by_the_voxels():
    loss = loss_of(tiny((2, 32, 40), beta=0.7), draw(2, 2, 32, 40), kl_weight=0.3)
    terms = loss.terms
    expected = (terms["reconstruction"] + 0.7 * 0.3 * terms["kl"]) / (2 * 32 * 40)
    assert float(loss.total.detach()) == pytest.approx(expected, rel=1e-6)


def test_the_noise_moves_the_code_by_the_posterior_spread():
    model, images, noise = tiny(sigma=0.4), draw(2, 1, 32, 32), draw(2, 6, seed=3)
    mean, log_variance = model.posterior(images)
    answer = model.decode(mean + noise * (0.5 * log_variance).exp())
    expected = float(((answer - images) ** 2).sum().detach() / (2 * 0.4**2) / 2)
    terms = loss_of(model, images, noise=noise).terms
    assert terms["reconstruction"] == pytest.approx(expected, rel=1e-5)


def test_the_bce_term_is_the_cross_entropy_of_each_voxel():
    model, images = tiny(reconstruction="bce"), draw(3, 1, 32, 32)
    p = model.decode(model.encode(images))
    entropy = -(images * p.log() + (1 - images) * (1 - p).log())
    expected = float(entropy.flatten(1).sum(1).mean().detach())
    assert loss_of(model, images).terms["reconstruction"] == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("reconstruction", ["mse", "bce"])
def test_a_few_steps_reduce_the_loss(reconstruction):
    model = tiny(reconstruction=reconstruction).train()
    images = (draw(8, 1, 4, 4) > 0.5).float().repeat_interleave(8, 2).repeat_interleave(8, 3)
    optimizer = torch.optim.Adam(model.parameters(), 3e-3)
    losses = []
    for _ in range(12):
        loss = loss_of(model, images)
        optimizer.zero_grad()
        loss.total.backward()
        optimizer.step()
        losses.append(loss.terms["loss"])
    assert losses[-1] < 0.9 * losses[0]


def test_a_stopped_run_goes_on_to_the_weights_of_an_uninterrupted_one(tmp_path):
    class Stopped(Augmentation):
        def __call__(self, images, rng):
            if any(tmp_path.glob("training.safetensors")) and next(calls):
                raise KeyboardInterrupt
            return super().__call__(images, rng)

    calls = iter([False, True])
    changes = {"augmentation": Stopped(), "checkpoint_seconds": 1e-9}
    with pytest.raises(KeyboardInterrupt):
        train(tiny(), IMAGES, config=TWO_STEPS.model_copy(update=changes), folder=tmp_path)
    resumed = train(tiny(), IMAGES, config=TWO_STEPS, folder=tmp_path).state_dict()
    uninterrupted = train(tiny(), IMAGES, config=TWO_STEPS).state_dict()
    assert all(torch.equal(value, uninterrupted[key]) for key, value in resumed.items())


@pytest.mark.parametrize("shape", [(1, 32, 33), (1, 16, 16, 16), (1, 33, 32, 17)])
def test_gradients_in_bfloat16_are_nearly_those_in_float32(shape):
    model, images = tiny(shape, width=16), draw(3, *shape)

    def gradients(enabled):
        model.zero_grad()
        # Memory that held large numbers: what a faulty kernel forgets to write shows.
        used = [torch.full_like(p, 1e30, dtype=t) for p in model.parameters() for t in DTYPES * 2]
        del used
        with torch.autocast("cpu", torch.bfloat16, enabled=enabled):
            loss_of(model, images).total.backward()
        return {name: p.grad.clone() for name, p in model.named_parameters()}

    exact, rounded = gradients(False), gradients(True)
    for name, gradient in exact.items():
        error = float((rounded[name] - gradient).norm())
        assert error < 0.3 * float(gradient.norm()) + 1e-6, name


@pytest.mark.parametrize("shape", [(3, 32, 32), (2, 16, 16, 16)])
def test_colours_and_volumes_train_in_bfloat16_to_finite_weights(shape):
    config = TWO_STEPS.model_copy(update={"precision": "bfloat16"})
    model = train(tiny(shape), draw(4, *shape).numpy(), config=config)
    assert all(torch.isfinite(value).all() for value in model.state_dict().values())


@pytest.mark.parametrize(
    ("shape", "options", "named"),
    [
        ((1, 31, 32), {}, "31x32"),
        ((1, 15, 16, 16), {}, "15x16x16"),
        ((0, 32, 32), {}, r"\(0, 32, 32\)"),
        ((1, 32, 32), {"latent_dim": 0}, "latent_dim"),
        ((1, 32, 32), {"width": 0}, "width"),
        ((1, 32, 32), {"beta": -1}, "beta"),
        ((1, 32, 32), {"sigma": 0}, "sigma"),
        ((1, 32, 32), {"reconstruction": "mae"}, "mse"),
        ((1, 32, 32), {"backbone": "resnet34"}, "resnet50"),
        ((1, 32, 32), {"weights": "resnet18.safetensors"}, "weights"),
    ],
)
def test_shapes_and_options_out_of_range_are_refused_by_name(shape, options, named):
    with pytest.raises(ValueError, match=named):
        ResNetVAE(shape, **options)

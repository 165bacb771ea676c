"""The convolutional VAE: 64 numbers at every size, and a loss that equals its closed forms."""

import itertools

import pytest
import torch
from torch.distributions import Normal, kl_divergence

from generative import ConvVAE
from generative.losses.two_point import autocorrelation

SPACES = [
    (32, 32),
    (48, 48),
    (64, 64),
    (96, 64),
    (100, 100),
    (33, 47),
    (16, 16, 16),
    (21, 21, 21),
    (32, 32, 32),
    (16, 21, 32),
    (256, 256),
    (64, 64, 64),
]


def draw(*shape, seed=0):
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed))


def tiny(channels=1, **options):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return ConvVAE((channels, 32, 32), widths=(4, 8), **options)


def loss_of(model, images, *, noise=None, kl_weight=1.0):
    noise = torch.zeros(len(images), 64) if noise is None else noise
    return model.loss(images, noise=noise, kl_weight=kl_weight)


@pytest.mark.parametrize("space", SPACES, ids=lambda space: "x".join(map(str, space)))
def test_images_of_every_size_become_64_numbers_and_images_of_that_size(space):
    model = ConvVAE((1, *space))
    with torch.no_grad():
        code = model.encode(draw(1, 1, *space))
        images = model.decode(code)
    assert model.latent_dim == 64
    assert code.shape == (1, 64)
    assert images.shape == (1, 1, *space)


@pytest.mark.parametrize("channels", [2, 3])
def test_images_of_several_channels_come_back_with_them(channels):
    model = tiny(channels)
    images = draw(2, channels, 32, 32)
    assert model.decode(model.encode(images)).shape == images.shape


@pytest.mark.parametrize("padding", ["zeros", "circular"])
@pytest.mark.parametrize("shape", [(1, 33, 40), (1, 17, 20, 21)])
def test_sizes_that_do_not_divide_are_padded_and_cropped(shape, padding):
    model = ConvVAE(shape, padding=padding)
    images = draw(2, *shape)
    assert model.decode(model.encode(images)).shape == images.shape


def test_every_voxel_and_every_number_of_the_code_matters():
    model, images = tiny(), draw(1, 1, 32, 32).requires_grad_()
    code = model.encode(images)
    code.square().sum().backward()
    assert (images.grad != 0).all()
    z = torch.zeros(1, 64, requires_grad=True)
    model.decode(z).sum().backward()
    assert (z.grad != 0).all()


def test_a_circular_network_moves_with_the_image_by_whole_cells():
    model, images = tiny(padding="circular"), draw(2, 1, 32, 32)
    grid = model.encode(images).reshape(2, 8, 8)
    moved = model.encode(images.roll((8, -4), (2, 3))).reshape(2, 8, 8)
    torch.testing.assert_close(moved, grid.roll((2, -1), (1, 2)), rtol=1e-4, atol=1e-5)


def test_the_kl_term_is_the_divergence_from_a_standard_normal():
    model, images = tiny(), draw(3, 1, 32, 32)
    mean, log_variance = model.posterior(images)
    posterior = Normal(mean, (0.5 * log_variance).exp())
    expected = kl_divergence(posterior, Normal(0.0, 1.0)).sum(1).mean()
    assert loss_of(model, images).terms["kl"] == pytest.approx(float(expected), rel=1e-5)


def test_the_mse_term_is_the_log_likelihood_of_a_gaussian_up_to_its_constant():
    model, images = tiny(sigma=0.4), draw(3, 1, 32, 32)
    answer = Normal(model.decode(model.encode(images)), 0.4)
    constant = Normal(0.0, 0.4).log_prob(torch.tensor(0.0)) * 32 * 32
    expected = constant - answer.log_prob(images).flatten(1).sum(1).mean()
    terms = loss_of(model, images).terms
    assert terms["reconstruction"] == pytest.approx(float(expected), rel=1e-4)


def test_the_bce_term_is_the_cross_entropy_of_each_voxel():
    model, images = tiny(reconstruction="bce"), draw(3, 1, 32, 32)
    p = model.decode(model.encode(images))
    entropy = -(images * p.log() + (1 - images) * (1 - p).log())
    expected = entropy.flatten(1).sum(1).mean()
    terms = loss_of(model, images).terms
    assert terms["reconstruction"] == pytest.approx(float(expected), rel=1e-5)


def test_the_total_weighs_the_terms_and_divides_by_the_voxels():
    model, images = tiny(beta=0.7), draw(2, 1, 32, 32)
    loss = loss_of(model, images, kl_weight=0.3)
    terms = loss.terms
    expected = (terms["reconstruction"] + 0.7 * 0.3 * terms["kl"]) / 32**2
    assert float(loss.total.detach()) == pytest.approx(expected, rel=1e-6)
    assert terms["loss"] == pytest.approx(expected, rel=1e-6)


def test_the_two_point_term_is_the_rms_error_of_the_autocorrelation():
    images = draw(2, 1, 32, 32)
    plain, model = tiny(), tiny(two_point_weight=0.5)
    with torch.no_grad():
        answer = model.decode(model.encode(images))
        difference = autocorrelation(answer) - autocorrelation(images)
        expected = float(difference.pow(2).flatten(1).mean(1).sqrt().mean())
        loss, without = loss_of(model, images), loss_of(plain, images)
    assert loss.terms["two_point"] == pytest.approx(expected, rel=1e-3)
    assert "two_point" not in without.terms
    extra = float(loss.total - without.total)
    assert extra == pytest.approx(0.5 * loss.terms["two_point"], rel=1e-4)


def test_the_noise_moves_the_code_by_the_posterior_spread():
    model, images = tiny(), draw(1, 1, 32, 32)
    noise = torch.randn(1, 64, generator=torch.Generator().manual_seed(3))
    mean, log_variance = model.posterior(images)
    answer = model.decode(mean + noise * (0.5 * log_variance).exp())
    expected = float(((answer - images) ** 2).sum() / (2 * 0.25**2))
    terms = loss_of(model, images, noise=noise).terms
    assert terms["reconstruction"] == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("reconstruction", ["mse", "bce"])
def test_a_few_steps_reduce_the_loss(reconstruction):
    model = tiny(reconstruction=reconstruction).train()
    images = (draw(8, 1, 4, 4) > 0.5).float().repeat_interleave(8, 2).repeat_interleave(8, 3)
    optimizer = torch.optim.Adam(model.parameters(), 1e-2)
    losses = []
    for _ in range(15):
        loss = loss_of(model, images)
        optimizer.zero_grad()
        loss.total.backward()
        optimizer.step()
        losses.append(loss.terms["loss"])
    assert losses[-1] < 0.9 * losses[0]


@pytest.mark.parametrize("shape", [(4, 5), (3, 4, 2)])
def test_the_autocorrelation_is_the_sum_it_stands_for(shape):
    images = draw(2, 2, *shape).double()
    axes = tuple(range(2, images.ndim))
    answer = autocorrelation(images)
    for shift in itertools.product(*map(range, shape)):
        moved = images.roll([-s for s in shift], axes)
        expected = (images * moved).mean(axes).float()
        torch.testing.assert_close(answer[(..., *shift)], expected, rtol=1e-5, atol=1e-6)


def test_zero_shift_is_the_volume_fraction_of_two_phases():
    images = (draw(3, 1, 9, 8) > 0.6).float()
    torch.testing.assert_close(autocorrelation(images)[..., 0, 0], images.mean((2, 3)))


def test_the_autocorrelation_is_the_same_after_a_periodic_shift():
    images = draw(1, 1, 8, 9)
    moved = autocorrelation(images.roll((3, -2), (2, 3)))
    torch.testing.assert_close(moved, autocorrelation(images), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("shape", "options", "named"),
    [
        ((1, 31, 32), {}, "31x32"),
        ((1, 257, 64), {}, "257x64"),
        ((1, 15, 16, 16), {}, "15x16x16"),
        ((1, 64), {}, r"\(1, 64\)"),
        ((0, 32, 32), {}, r"\(0, 32, 32\)"),
        ((1, 32, 32), {"widths": (4, 8, 16)}, "2 widths"),
        ((1, 32, 32), {"widths": (0, 8)}, "widths.0"),
        ((1, 32, 32), {"beta": -1}, "beta"),
        ((1, 32, 32), {"sigma": 0}, "sigma"),
        ((1, 32, 32), {"reconstruction": "mae"}, "mse"),
        ((1, 32, 32), {"padding": "reflect"}, "zeros"),
        ((1, 32, 32), {"betta": 1}, "betta"),
    ],
)
def test_shapes_and_options_out_of_range_are_refused_by_name(shape, options, named):
    with pytest.raises(ValueError, match=named):
        ConvVAE(shape, **options)

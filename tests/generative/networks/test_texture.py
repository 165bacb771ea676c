"""Noise in a decoder: a fixed field that makes decoding a function, drawn anew in training."""

import pytest
import torch

from generative import LSGM, ConvVAE, LatentDiffusion
from generative.data.synthetic import gaussian_random_field
from generative.model_files import load_model, save_model
from generative.networks.texture import TextureNoise
from generative.training.train import TrainConfig, train

SHAPES = [(1, 32, 32), (2, 40, 32), (1, 16, 17, 16)]
TINY = TrainConfig(steps=3, batch_size=4, progress=False, precision="float32")
CODES = torch.randn(3, 64, generator=torch.Generator().manual_seed(0))


def textured(shape, strength=1.0):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = ConvVAE(shape, widths=(4, 8), texture_noise=True)
    for layer in model.modules():
        if isinstance(layer, TextureNoise):
            torch.nn.init.constant_(layer.strength, strength)
    return model.requires_grad_(False)


@pytest.mark.parametrize("shape", SHAPES)
def test_decoding_is_a_function_of_the_code_and_the_seed(shape):
    model = textured(shape)
    first = model.decode(CODES)
    assert torch.equal(model.decode(CODES), first)
    torch.testing.assert_close(model.decode(CODES[1:2]), first[1:2])  # whatever is beside it
    other = model.reseed_texture(1).decode(CODES)
    assert (other - first).abs().mean() > 1e-3
    assert torch.equal(model.reseed_texture(0).decode(CODES), first)


@pytest.mark.parametrize("shape", SHAPES)
def test_without_strength_it_is_the_decoder_without_noise(shape):
    model, plain = textured(shape, strength=0.0), ConvVAE(shape, widths=(4, 8))
    kept = [layer for layer in model.decoder if not isinstance(layer, TextureNoise)]
    for ours, other in zip(kept, plain.decoder, strict=True):
        other.load_state_dict(ours.state_dict())
    torch.testing.assert_close(model.decode(CODES), plain.decode(CODES))


@pytest.mark.parametrize("shape", SHAPES)
def test_the_field_itself_as_numbers_of_a_row_is_the_fixed_texture(shape):
    model = textured(shape)
    fields = [m.field.flatten() for m in model.modules() if isinstance(m, TextureNoise)]
    texture = torch.cat(fields).expand(3, -1)
    assert texture.shape[1] == model.noise_size - model.latent_dim > 0
    torch.testing.assert_close(model.logits(CODES, texture), model.logits(CODES))
    assert (model.logits(CODES, -texture) - model.logits(CODES)).abs().mean() > 1e-3


def test_gradients_reach_the_code_through_the_texture():
    code = CODES.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(textured((1, 32, 32)).decode(code).sum(), code)
    assert (gradient != 0).any(1).all()


def test_the_texture_is_saved_with_the_weights(tmp_path):
    model = textured((1, 32, 32)).reseed_texture(7)
    save_model(model, tmp_path)
    assert torch.equal(load_model(tmp_path).decode(CODES), model.decode(CODES))


def test_volumes_are_trained_on_with_it():
    model = ConvVAE((1, 16, 16, 16), widths=(4, 8), texture_noise=True)
    train(model, gaussian_random_field(4, (16, 16, 16), seed=0), config=TINY)
    assert model.decode(torch.zeros(1, 64)).isfinite().all()


@pytest.mark.parametrize("kind", [ConvVAE, LatentDiffusion, LSGM])
def test_each_model_trains_with_it_and_a_seed_fixes_the_weights(kind):
    options = {"widths": (4, 8), "texture_noise": True}
    if kind is not ConvVAE:
        prior = {"width": 8, "hidden": 8, "blocks": 1}
        options = {"autoencoder": options, "prior": prior}
        options |= {"detail": {"width": 4, "layers": 1}} if kind is LatentDiffusion else {}
    images = gaussian_random_field(8, (32, 32), seed=0)
    one, two = (train(kind((1, 32, 32), **options), images, config=TINY) for _ in "ab")
    for (name, a), b in zip(one.state_dict().items(), two.state_dict().values(), strict=True):
        assert torch.equal(a, b), name
    strengths = [value for name, value in one.named_parameters() if name.endswith("strength")]
    assert strengths
    assert all((value != 0.1).any() for value in strengths)


def test_it_trains_on_volumes():
    """Its strengths have four axes there, as a batch of pictures has."""
    model, config = textured((1, 16, 16, 16)), TINY.model_copy(update={"steps": 1})
    images = gaussian_random_field(2, (16, 16, 16), seed=0)
    trained = train(model.requires_grad_(True), images, config=config)
    assert trained.decode(CODES).isfinite().all()

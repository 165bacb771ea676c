"""Every model in the table keeps the promises of `Decoder` and `Encoder`, on disk as well."""

import inspect

import pytest
import torch

from generative import MODELS
from generative.model_files import load_model, save_model
from generative.stages.stage import is_fitted, stages_of
from latentopt.space.decoder import Decoder, Encoder
from objectives.convolutions import unsound

# Image shape and options in two and three dimensions; a new row needs its own.
LDM = {
    "autoencoder": {"widths": (4, 8)},
    "prior": {"width": 4, "hidden": 4, "blocks": 1},
    "solver_steps": 2,
}
LSGM = {name: LDM[name] for name in ("autoencoder", "prior", "solver_steps")}
SETTINGS = {
    "lsgm": (((1, 32, 32), LSGM), ((2, 16, 16, 16), LSGM)),
    "ldm": (((1, 32, 32), LDM), ((2, 16, 16, 16), LDM)),
    "pca": (((1, 8, 8), {"components": 4}), ((2, 4, 6, 5), {"components": 4})),
    "resnet_vae": (
        ((1, 32, 32), {"width": 8, "latent_dim": 4}),
        ((2, 16, 16, 16), {"width": 8, "latent_dim": 4}),
    ),
    "vae_gan": (
        ((1, 32, 32), {"options": {"widths": (4, 8)}}),
        ((2, 16, 16, 16), {"options": {"widths": (4, 8)}}),
    ),
    "vae": (((1, 32, 32), {"widths": (4, 8)}), ((2, 16, 16, 16), {"widths": (4, 8)})),
}
CASES = [(kind, dim) for kind in MODELS for dim in (2, 3)]


@pytest.fixture(scope="module", params=CASES, ids=[f"{kind}-{dim}d" for kind, dim in CASES])
def model(request):
    """A model whose every weight is a random number, as after a training."""
    kind, dim = request.param
    shape, options = SETTINGS[kind][dim - 2]
    model = MODELS[kind](shape, **options)
    generator = torch.Generator().manual_seed(0)
    for name, tensor in model.state_dict().items():
        if tensor.is_floating_point():
            draws = 0.2 * torch.randn(tensor.shape, generator=generator)
            tensor.copy_(1 + draws.abs() if name.endswith("var") else draws)
    return model


@pytest.fixture(scope="module")
def images(model):
    return torch.rand(5, *model.image_shape, generator=torch.Generator().manual_seed(1))


@pytest.fixture(scope="module")
def code(model):
    return torch.randn(5, model.latent_dim, generator=torch.Generator().manual_seed(2))


def unchecked(method):
    """The method as users run it, without the check of annotations that tests add."""
    return inspect.unwrap(method.__func__).__get__(method.__self__)


def test_every_row_has_settings_here():
    assert SETTINGS.keys() == MODELS.keys()


def test_the_kind_is_the_name_in_the_table():
    assert all(model.kind == kind for kind, model in MODELS.items())


def test_it_matches_the_protocols(model):
    assert isinstance(model, Decoder)
    assert isinstance(model, Encoder)


def test_a_code_has_one_row_an_image(model, images):
    code = model.encode(images)
    assert code.shape == (5, model.latent_dim)
    assert code.dtype == torch.float32
    assert torch.isfinite(code).all()


def test_images_have_the_shape_of_the_model_and_stay_in_range(model, code):
    for size in (0.0, 1.0, 100.0):
        images = model.decode(size * code)
        assert images.shape == (5, *model.image_shape)
        assert images.dtype == torch.float32
        assert 0 <= images.min() <= images.max() <= 1


def test_no_rows_give_no_rows(model, images, code):
    assert model.encode(images[:0]).shape == (0, model.latent_dim)
    assert model.decode(code[:0]).shape == (0, *model.image_shape)


def test_a_row_does_not_depend_on_the_rest_of_the_batch_or_its_order(model, images, code):
    order = torch.tensor([3, 0, 4, 1, 2])
    for function, rows in ((model.encode, images), (model.decode, code)):
        whole = function(rows)
        torch.testing.assert_close(function(rows[order]), whole[order], rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(function(rows[2:3]), whole[2:3], rtol=1e-4, atol=1e-5)


def test_asked_twice_it_answers_the_same_and_draws_no_random_numbers(model, images, code):
    state = torch.get_rng_state()
    assert torch.equal(model.encode(images), model.encode(images))
    assert torch.equal(model.decode(code), model.decode(code))
    assert torch.equal(torch.get_rng_state(), state)


def test_neither_images_nor_codes_are_changed(model, images, code):
    before = images.clone(), code.clone()
    model.decode(code)
    model.encode(images)
    assert torch.equal(images, before[0])
    assert torch.equal(code, before[1])


def test_decode_passes_gradients_to_its_own_row_alone(model, code):
    z = code.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(model.decode(z)[2].sum(), z)
    assert gradient[2].abs().max() > 0
    assert gradient[[0, 1, 3, 4]].abs().max() == 0


def test_no_layer_breaks_the_heap_where_there_is_no_avx512(model):
    parts = [model] if is_fitted(model) else [model, *stages_of(model)]
    assert [unsound(part) for part in parts] == [{}] * len(parts)


def test_options_build_the_same_network_again(model, images):
    again = type(model)(**model.options())
    again.load_state_dict(model.state_dict())
    assert again.options() == model.options()
    assert torch.equal(again.eval().encode(images), model.encode(images))


def test_a_saved_model_answers_bit_for_bit_the_same(model, images, code, tmp_path):
    loaded = load_model(save_model(model, tmp_path / "model"))
    assert type(loaded) is type(model)
    assert loaded.options() == model.options()
    assert torch.equal(loaded.encode(images), model.encode(images))
    assert torch.equal(loaded.decode(code), model.decode(code))


def test_other_shapes_are_refused_in_one_line_that_gives_both(model, images):
    size = ", ".join(map(str, model.image_shape))
    for wrong in (images[0], images[..., 1:], images[:, :, None], torch.cat([images] * 2, 1)):
        with pytest.raises(ValueError, match="images should have shape") as refusal:
            unchecked(model.encode)(wrong)
        assert f"(n, {size}), got {tuple(wrong.shape)}" in str(refusal.value)
        assert "\n" not in str(refusal.value)


def test_codes_of_another_width_are_refused_in_one_line_that_gives_both(model, code):
    for wrong in (code[:, 1:], code[0], code[None]):
        with pytest.raises(ValueError, match="code should have shape") as refusal:
            unchecked(model.decode)(wrong)
        assert f"(n, {model.latent_dim}), got {tuple(wrong.shape)}" in str(refusal.value)
        assert "\n" not in str(refusal.value)

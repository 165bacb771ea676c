"""Every model in the table, and one without an encoder, keeps the promises of `Model`."""

import inspect
import json

import pytest
import torch

from generative import MODELS
from generative.errors import ModelFileError
from generative.files.folder import json_bytes
from generative.model import (
    Conditional,
    ConditionalSampler,
    Controlled,
    Coordinates,
    Encoding,
    Model,
    StandardNormal,
    Structured,
    has_two_coordinates,
    is_standard_normal,
)
from generative.model_files import load_model, save_model
from generative.stages.stage import SolvingStage, Stage
from latentopt.onnx_models import DECODER, ENCODER, onnx_model
from latentopt.space.decoder import Decoder, Encoder
from latentopt.space.latent_space import LatentSpace
from latentopt.space.whitening import Whitening
from objectives.convolutions import unsound
from objectives.settings import Settings

# Image shape and options in two and three dimensions; a new row needs its own.
LDM = {
    "autoencoder": {"widths": (4, 8)},
    "prior": {"width": 4, "hidden": 4, "blocks": 1},
    "solver_steps": 2,
}
CONDITIONED = {"conditions": {"classes": ["a", "b"]}, "one_step": {"decoder": True}}
LSGM = {name: LDM[name] for name in ("autoencoder", "prior", "solver_steps")}
SETTINGS = {
    "lsgm": (((1, 32, 32), LSGM), ((2, 16, 16, 16), LSGM)),
    "ldm": (((1, 32, 32), LDM), ((2, 16, 16, 16), LDM | CONDITIONED)),
    "dcgan": (((1, 32, 32), {"width": 4}), ((2, 16, 16, 20), {"width": 4, "latent_dim": 5})),
    "gan": (
        ((1, 32, 32), {"widths": (4, 8), "encoder": {"widths": (4, 8)}}),
        (
            (2, 16, 16, 20),
            {
                "widths": (4, 8),
                "encoder": {"widths": (4, 8)},
                "latent_dim": 5,
                "mapping_layers": 2,
                "conditions": {"classes": ["a", "b"]},
            },
        ),
    ),
    "stylegan": (
        ((1, 32, 32), {"widths": (4, 8), "encoder": {"widths": (4, 8)}}),
        (
            (2, 16, 16, 20),
            {
                "widths": (4, 8),
                "encoder": {"widths": (4, 8)},
                "latent_dim": 5,
                "first": "constant",
                "coordinates": "style",
            },
        ),
    ),
    "infogan": (
        (
            (1, 32, 32),
            {
                "widths": (4, 8),
                "encoder": {"widths": (4, 8)},
                "controls": {"temperature": 0.3},
            },
        ),
        (
            (2, 16, 16, 20),
            {
                "widths": (4, 8),
                "encoder": {"widths": (4, 8)},
                "latent_dim": 5,
                "controls": {"categories": (2,), "continuous": 3, "temperature": 0.3},
            },
        ),
    ),
    "rvae": (
        ((1, 16, 16), {"width": 4, "hidden": 16}),
        ((2, 12, 12, 12), {"width": 4, "hidden": 16, "latent_dim": 3}),
    ),
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
WITHOUT_ENCODER = {"tiny_generator": (((1, 8, 8), {}), ((2, 4, 6, 5), {}))}
CASES = [(kind, dim) for kind in (*MODELS, *WITHOUT_ENCODER) for dim in (2, 3)]


@pytest.fixture(scope="module", params=CASES, ids=[f"{kind}-{dim}d" for kind, dim in CASES])
def model(request):
    """A model whose every weight is a random number, as after a training."""
    kind, dim = request.param
    shape, options = (SETTINGS | WITHOUT_ENCODER)[kind][dim - 2]
    made = MODELS[kind] if kind in MODELS else request.getfixturevalue(kind)
    model = made(shape, **options)
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


@pytest.fixture(scope="module")
def ways(model, images, code):
    """Each way through the model with what it is asked: decoding, and encoding if it can."""
    encoding = [(model.encode, images)] if isinstance(model, Encoding) else []
    return [(model.decode, code), *encoding]


def unchecked(method):
    """The method as users run it, without the check of annotations that tests add."""
    return inspect.unwrap(method.__func__).__get__(method.__self__)


def test_every_row_has_settings_here():
    assert SETTINGS.keys() == MODELS.keys()


def test_the_kind_is_the_name_in_the_table():
    assert all(model.kind == kind for kind, model in MODELS.items())


def test_it_is_a_model_and_what_it_offers_is_seen_by_its_shape(model):
    assert isinstance(model, Model)
    assert isinstance(model, Decoder)
    assert isinstance(model, Encoder) == isinstance(model, Encoding)
    assert isinstance(model, StandardNormal) or not is_standard_normal(model)


def test_a_space_can_be_made_of_it(model):
    assert isinstance(model, Encoding) or is_standard_normal(model)


def test_what_conditional_and_other_models_offer_works(model, images, code, tmp_path):
    if isinstance(model, Conditional):
        nothing = model.at(model.conditions.ask())
        assert nothing.image_shape == model.image_shape
        noise = model.in_coordinates("noise") if has_two_coordinates(model) else model
        torch.testing.assert_close(nothing.decode(code), noise.decode(code))
        with pytest.raises(ModelFileError, match="save the model it was made of"):
            save_model(nothing, tmp_path / "view")
        alone = model.unconditional()
        assert not isinstance(alone, Conditional) or alone.conditions.size == 0
        torch.testing.assert_close(alone.decode(code), model.decode(code))
        assert all(parameter.requires_grad for parameter in alone.parameters())
        assert not {id(p) for p in alone.parameters()} & {id(p) for p in model.parameters()}
    if isinstance(model, ConditionalSampler):
        assert model.sample(3, seed=1).shape == (3, model.latent_dim)
        for name in model.conditions.classes:
            assert torch.isfinite(model.sample(3, class_name=name)).all()
    if isinstance(model, Coordinates):
        assert model.coordinate_names[0] == "noise"
    if has_two_coordinates(model):
        names = model.coordinate_names
        noise, behind = (model.in_coordinates(name) for name in names)
        assert is_standard_normal(noise)
        assert not is_standard_normal(behind)
        assert model.to_noise(code).shape == model.to_code(code).shape == code.shape
        torch.testing.assert_close(behind.decode(noise.to_code(code)), noise.decode(code))
    if isinstance(model, Controlled):
        numbers = [number for control in model.controls for number in control.numbers]
        assert len(set(numbers)) == len(numbers) <= model.latent_dim
        assert all(0 <= number < model.latent_dim for number in numbers)
        assert all(len(c.numbers) == max(1, c.categories) for c in model.controls)
        assert len({control.name for control in model.controls}) == len(model.controls)
    if isinstance(model, Structured):
        pose = model.pose(images)
        assert pose.angle.shape == ((5,) if images.ndim == 4 else (5, 3))
        assert pose.shift.shape == (5, images.ndim - 2)
        said, same = model.code_and_pose(images)
        assert torch.equal(said, model.encode(images))
        assert torch.equal(same.angle, pose.angle)
        placed = model.decode_at(code, pose)
        assert placed.shape == images.shape
        assert 0 <= placed.min() <= placed.max() <= 1


def test_its_options_are_checked_by_its_class_and_fit_into_json(model):
    assert issubclass(model.options_class, Settings)
    read = json.loads(json_bytes(model.options()))
    assert model.options_class(**read) == model.options_class(**model.options())
    with pytest.raises(ValueError, match="latent_dimm"):
        type(model)(model.image_shape, latent_dimm=4)


def test_its_stages_have_names_of_their_own(model):
    stages = model.stages()
    assert all(isinstance(stage, Stage | SolvingStage) for stage in stages)
    names = [stage.name for stage in stages]
    assert len(set(names)) == len(names) > 0
    assert {name for stage in stages for name in stage.covers} < set(names)
    assert all(stage.optimizes and stage.__doc__ for stage in stages)


def test_first_weights_that_it_cannot_take_are_refused(model, tiny_generator):
    with pytest.raises(ValueError, match=r"(model|expected) .*"):
        model.begin(tiny_generator((1, 4, 4)))


def test_a_code_has_one_row_an_image(model, images, code):
    if isinstance(model, Encoding):
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


def test_no_rows_give_no_rows(model, ways):
    for function, rows in ways:
        assert function(rows[:0]).shape == (0, *function(rows).shape[1:])


def test_a_row_does_not_depend_on_the_rest_of_the_batch_or_its_order(ways):
    order = torch.tensor([3, 0, 4, 1, 2])
    for function, rows in ways:
        whole = function(rows)
        torch.testing.assert_close(function(rows[order]), whole[order], rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(function(rows[2:3]), whole[2:3], rtol=1e-4, atol=1e-5)


def test_asked_twice_it_answers_the_same_and_draws_no_random_numbers(ways):
    state = torch.get_rng_state()
    for function, rows in ways:
        assert torch.equal(function(rows), function(rows))
    assert torch.equal(torch.get_rng_state(), state)


def test_neither_images_nor_codes_are_changed(ways):
    for function, rows in ways:
        before = rows.clone()
        function(rows)
        assert torch.equal(rows, before)


def test_decode_passes_gradients_to_its_own_row_alone(model, code):
    z = code.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(model.decode(z)[2].sum(), z)
    assert gradient[2].abs().max() > 0
    assert gradient[[0, 1, 3, 4]].abs().max() == 0


def test_no_layer_breaks_the_heap_where_there_is_no_avx512(model):
    parts = [model, *(stage for stage in model.stages() if isinstance(stage, Stage))]
    assert [unsound(part) for part in parts] == [{}] * len(parts)


def test_options_build_the_same_network_again(model, ways):
    again = type(model)(**model.options())
    again.load_state_dict(model.state_dict())
    assert again.options() == model.options()
    again.eval()
    for function, rows in ways:
        assert torch.equal(getattr(again, function.__name__)(rows), function(rows))


def test_a_saved_model_answers_bit_for_bit_the_same(model, ways, tmp_path, monkeypatch):
    monkeypatch.setitem(MODELS, model.kind, type(model))
    loaded = load_model(save_model(model, tmp_path / "model"))
    assert type(loaded) is type(model)
    assert loaded.options() == model.options()
    for function, rows in ways:
        assert torch.equal(getattr(loaded, function.__name__)(rows), function(rows))


def test_other_shapes_are_refused_in_one_line_that_gives_both(model, images):
    if not isinstance(model, Encoding):
        pytest.skip("has no encoder")
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


@pytest.mark.slow
def test_a_space_of_it_is_written_as_onnx_whole(model):
    generator, d = torch.Generator().manual_seed(2), model.latent_dim
    normal = torch.randn(d + 1, d, generator=generator, dtype=torch.float64)
    whitening = Whitening(normal[0], torch.linalg.qr(normal[1:])[0], torch.linspace(2, 0.5, d))
    space = LatentSpace(model, whitening, reference=normal, radius=4.0)
    before = space.decode(space.sample(2))
    made = onnx_model(space)
    encodes = [ENCODER] if isinstance(model, Encoding) else []
    assert list(made.files) == [DECODER, *encodes]
    assert all(difference <= 1e-4 for difference in made.differences.values())
    torch.testing.assert_close(space.decode(space.sample(2)), before, rtol=0, atol=0)

"""Every surrogate in the table keeps one contract: fit, predict with uncertainty, save, load."""

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from objectives.convolutions import unsound
from objectives.errors import EvaluationError, SurrogateFileError
from objectives.pymks_import import pymks_installed
from objectives.surrogates import SURROGATES, load_surrogate


def encode(images):
    """Fraction and edge density stand for a latent space."""
    edges = (images - images.roll(1, -1)).abs()
    return torch.stack([images.flatten(1).mean(1), edges.flatten(1).mean(1)], 1).double()


# Settings of a tiny surrogate; a new row needs its own.
SETTINGS = {
    "pymks_pipeline": {"components": 2, "degree": 2},
    "pymks_localization": {"conductivity": (1.0, 2.0)},
    "two_point_gp": {"components": 3},
    "cnn": {"members": 2, "steps": 60},
    "latent_gp": {"encode": encode},
}
NEEDS_PYMKS = {"pymks_pipeline", "pymks_localization"}
GIVEN = {"latent_gp": {"encode": encode}}
SPACES = {2: (9, 8), 3: (6, 5, 4)}
CASES = [(kind, dim) for kind in SURROGATES for dim in (2, 3)]
N = 40


def structures(n, space, seed=0):
    """Two phases of fractions from .2 to .8, and 1 + 4 f^2 as a property of fraction f."""
    generator = torch.Generator().manual_seed(seed)
    noise = torch.rand(n, 1, *space, generator=generator)
    noise = (noise + noise.roll(1, -1)) / 2
    fractions = 0.2 + 0.6 * torch.rand(n, generator=generator).reshape(n, *[1] * (noise.ndim - 1))
    images = (noise < fractions).float()
    return images, 1 + 4 * images.double().flatten(1).mean(1) ** 2


def build(kind, **changes):
    return SURROGATES[kind](**{**SETTINGS[kind], **changes})


def quick(kind, **changes):
    """A surrogate that need not have learned much."""
    return build(kind, **{**({"steps": 10} if kind == "cnn" else {}), **changes})


@pytest.fixture(autouse=True)
def _skip_without_pymks(request):
    kind = request.node.callspec.params.get("kind") if hasattr(request.node, "callspec") else None
    if kind in NEEDS_PYMKS and not pymks_installed():
        pytest.skip("PyMKS is not installed")


every_kind = pytest.mark.parametrize("kind", SURROGATES)


@pytest.fixture(scope="module", params=CASES, ids=[f"{kind}-{dim}d" for kind, dim in CASES])
def case(request):
    """A fitted surrogate, and images and property it has not seen."""
    kind, dim = request.param
    if kind in NEEDS_PYMKS and not pymks_installed():
        pytest.skip("PyMKS is not installed")
    surrogate = build(kind).fit(*structures(N, SPACES[dim]))
    return surrogate, *structures(12, SPACES[dim], seed=1)


def test_every_row_has_settings_here():
    assert SETTINGS.keys() == SURROGATES.keys()


def test_the_kind_is_the_name_in_the_table():
    for kind, surrogate in SURROGATES.items():
        assert surrogate.model_fields["kind"].default == kind


def test_every_field_is_described():
    for surrogate in SURROGATES.values():
        for name, field in surrogate.model_fields.items():
            assert name == "kind" or field.description


def test_it_predicts_unseen_structures_better_than_their_mean(case):
    surrogate, images, y = case
    mean, std = surrogate.predict(images)
    assert (mean - y).square().mean() < 0.5 * y.var(correction=0)
    assert ((mean - y) / std).square().mean() < 3


def test_mean_and_std_are_float64_one_a_row_finite_and_std_above_zero(case):
    surrogate, images, _ = case
    for answer in surrogate.predict(images):
        assert answer.shape == (12,)
        assert answer.dtype == torch.float64
        assert torch.isfinite(answer).all()
    assert (surrogate.predict(images).std > 0).all()


def test_rows_do_not_depend_on_each_other(case):
    surrogate, images, _ = case
    order = torch.tensor([3, 1, 0, 7])
    for whole, part in zip(
        surrogate.predict(images), surrogate.predict(images[order]), strict=True
    ):
        torch.testing.assert_close(whole[order], part, rtol=1e-5, atol=1e-7)


def test_no_layer_breaks_the_heap_where_there_is_no_avx512(case):
    ready = case[0]._ready
    parts = ready[0] if isinstance(ready, tuple) else ready
    for part in parts if isinstance(parts, list) else [parts]:
        if isinstance(part, torch.nn.Module):
            assert unsound(part) == {}


def test_numpy_is_answered_in_numpy_with_the_same_numbers(case):
    surrogate, images, _ = case
    for ours, theirs in zip(
        surrogate.predict(images.numpy()), surrogate.predict(images), strict=True
    ):
        assert isinstance(ours, np.ndarray)
        np.testing.assert_array_equal(ours, theirs.numpy())


def test_no_images_have_no_properties(case):
    surrogate, images, _ = case
    assert all(answer.shape == (0,) for answer in surrogate.predict(images[:0]))


def test_images_of_one_phase_are_answered(case):
    surrogate, images, _ = case
    uniform = torch.stack([torch.zeros_like(images[0]), torch.ones_like(images[0])])
    mean, std = surrogate.predict(uniform)
    assert torch.isfinite(mean).all()
    assert torch.isfinite(std).all()
    assert (std > 0).all()


def test_a_saved_surrogate_answers_bit_for_bit_the_same(case, tmp_path):
    surrogate, images, _ = case
    folder = surrogate.save(tmp_path / "s", card="# Card\n")
    loaded = load_surrogate(folder, **GIVEN.get(surrogate.kind, {}))
    assert type(loaded) is type(surrogate)
    assert loaded.outputs == surrogate.outputs
    assert loaded.model_dump() == surrogate.model_dump()
    assert (folder / "README.md").read_text() == "# Card\n"
    for ours, theirs in zip(loaded.predict(images), surrogate.predict(images), strict=True):
        assert torch.equal(ours, theirs)


def test_a_changed_or_missing_file_is_refused_by_name(case, tmp_path):
    surrogate, _, _ = case
    for name in ("weights.safetensors", "config.json", "README.md", "manifest.json"):
        folder = surrogate.save(tmp_path / name)
        data = bytearray((folder / name).read_bytes())
        data[len(data) // 2] ^= 1
        (folder / name).write_bytes(bytes(data))
        with pytest.raises(SurrogateFileError, match=r"\.") as refusal:
            load_surrogate(folder, **GIVEN.get(surrogate.kind, {}))
        assert "\n" not in str(refusal.value)
        (folder / name).unlink()
        with pytest.raises(SurrogateFileError, match=name):
            load_surrogate(folder, **GIVEN.get(surrogate.kind, {}))


def test_images_of_another_size_or_that_are_none_are_refused(case):
    surrogate, images, _ = case
    with pytest.raises(ValueError, match="images should have shape"):
        surrogate.predict(images[..., 1:])
    bad = images.clone()
    bad[2, 0, 1, 1] = torch.nan
    with pytest.raises(EvaluationError, match="row 2"):
        surrogate.predict(bad)


@every_kind
def test_the_same_seed_gives_the_same_surrogate_and_leaves_the_global_generator_alone(kind):
    images, y = structures(N, SPACES[2])
    state = torch.get_rng_state()
    first, second = (quick(kind, seed=3).fit(images, y).predict(images) for _ in range(2))
    assert torch.equal(first.mean, second.mean)
    assert torch.equal(first.std, second.std)
    assert torch.equal(torch.get_rng_state(), state)


@every_kind
def test_several_outputs_are_columns_with_the_names_an_objective_gave(kind):
    images, y = structures(N, SPACES[2])
    surrogate = build(kind).fit(images, {"k_xx": y, "porosity": 100 - 10 * y})
    mean, std = surrogate.predict(images)
    assert surrogate.outputs == ("k_xx", "porosity")
    assert mean.shape == std.shape == (N, 2)
    torch.testing.assert_close(mean[:, 1].mean(), 100 - 10 * y.mean(), rtol=0.02, atol=0)
    assert quick(kind).fit(images, torch.stack([y, y], 1)).outputs == ("y0", "y1")


@every_kind
def test_units_of_the_property_scale_mean_and_std(kind):
    images, y = structures(N, SPACES[2])
    small, large = (quick(kind).fit(images, unit * y).predict(images) for unit in (1.0, 2.0**40))
    torch.testing.assert_close(large.mean, 2.0**40 * small.mean, rtol=1e-3, atol=0)
    torch.testing.assert_close(large.std, 2.0**40 * small.std, rtol=1e-2, atol=0)


@every_kind
def test_the_logarithm_keeps_a_property_above_zero_and_refuses_others(kind):
    images, y = structures(N, SPACES[2])
    mean, std = quick(kind, log_target=True).fit(images, 10.0**y).predict(images)
    assert (mean > 0).all()
    assert (std > 0).all()
    with pytest.raises(ValueError, match="above 0 with log_target"):
        quick(kind, log_target=True).fit(images, y - 2)


@every_kind
@pytest.mark.parametrize("value", [7.0, 0.0, -7e-9, 7e12])
def test_equal_targets_are_learned_whatever_their_unit(kind, value):
    images, y = structures(N, SPACES[2])
    mean, std = quick(kind).fit(images, torch.full_like(y, value)).predict(images)
    torch.testing.assert_close(mean, torch.full_like(y, value), rtol=1e-9, atol=1e-9 * (value == 0))
    assert (std > 0).all()
    assert (std <= 1e-9 * (abs(value) or 1)).all()


@every_kind
def test_values_that_cannot_be_squared_are_refused_and_their_logarithms_taken(kind):
    images, y = structures(N, SPACES[2])
    with pytest.raises(ValueError, match="larger unit, or set log_target"):
        quick(kind).fit(images, y * 1e200)
    mean, std = quick(kind, log_target=True).fit(images, y * 1e200).predict(images)
    assert torch.isfinite(mean).all()
    assert torch.isfinite(std).all()


@every_kind
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_targets_that_are_not_finite_are_refused_by_row(kind, bad):
    images, y = structures(N, SPACES[2])
    y[5] = bad
    with pytest.raises(ValueError, match="row 5") as refusal:
        quick(kind).fit(images, y)
    assert "\n" not in str(refusal.value)


@every_kind
def test_targets_of_another_length_are_refused(kind):
    images, y = structures(N, SPACES[2])
    for wrong in (y[1:], y[:, None, None], y.new_zeros(N, 0), {"k": y[1:]}, {}):
        with pytest.raises(ValueError, match="y should"):
            quick(kind).fit(images, wrong)


@every_kind
def test_too_few_images_for_the_settings_are_refused(kind):
    images, y = structures(1, SPACES[2])
    with pytest.raises(ValueError, match="or more") as refusal:
        quick(kind).fit(images, y)
    assert "got 1" in str(refusal.value)


@every_kind
def test_it_must_be_fitted_first_and_refuses_unknown_settings(kind, tmp_path):
    images, _ = structures(1, SPACES[2])
    for question in (lambda s: s.predict(images), lambda s: s.save(tmp_path), lambda s: s.outputs):
        with pytest.raises(ValueError, match="is not fitted"):
            question(quick(kind))
    with pytest.raises(ValidationError, match="Extra inputs"):
        quick(kind, componets=3)

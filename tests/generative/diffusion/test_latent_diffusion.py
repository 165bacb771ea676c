"""Latent diffusion: coordinates, samples, stages that go on after a kill."""

import shutil

import numpy as np
import pytest
import torch

from generative import LatentDiffusion
from generative.conditions import Conditions
from generative.data.augment import Augmentation
from generative.data.synthetic import gaussian_random_field
from generative.errors import ModelFileError
from generative.model import is_standard_normal
from generative.model_files import load_model
from generative.stages.config import StageConfig
from generative.training import descent
from generative.training.state import state_path
from generative.training.train import TrainConfig, finetune, train

IMAGES = gaussian_random_field(12, (32, 32), seed=0)
X = torch.from_numpy(IMAGES)
TINY = TrainConfig(steps=6, batch_size=4, progress=False, precision="float32")
OPTIONS = {
    "autoencoder": {"widths": (4, 8)},
    "prior": {"width": 8, "hidden": 8, "blocks": 1},
    "detail": {"adversarial_weight": 0.5, "width": 4, "layers": 1},
    "draws": {"detail": {"width": 4, "layers": 1}, "share": 0.5},
    "calibration": {"share": 0.5},
}
STAGES = ("autoencoder", "detail", "prior", "draws", "calibration")


def network(**changes):
    return LatentDiffusion((1, 32, 32), **(OPTIONS | changes))


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A model, and the folder that it was trained in."""
    folder = tmp_path_factory.mktemp("finished")
    return train(network(), IMAGES, config=TINY, folder=folder), folder


@pytest.fixture(scope="module")
def model(finished):
    return finished[0]


@pytest.fixture
def folder(finished, tmp_path):
    """A copy of that folder, to be changed."""
    return shutil.copytree(finished[1], tmp_path / "model")


def test_noise_and_code_are_two_views_of_one_model(model):
    code = model.in_coordinates("code")
    noise = model.encode(X)
    torch.testing.assert_close(model.to_code(noise), code.encode(X), atol=1e-3, rtol=1e-3)
    torch.testing.assert_close(model.decode(noise), code.decode(model.to_code(noise)))
    assert code.in_coordinates("noise").options() == model.options()


def test_only_noise_calls_itself_standard_normal(model):
    assert model.standard_normal
    assert not model.in_coordinates("code").standard_normal


def test_samples_are_fixed_by_their_seed(model):
    assert torch.equal(model.sample(3, seed=1), model.sample(3, seed=1))
    assert not torch.equal(model.sample(3, seed=1), model.sample(3, seed=2))


def test_a_sample_in_noise_is_the_noise_it_was_drawn_from(model):
    drawn = torch.randn(5, 64, generator=torch.Generator().manual_seed(4))
    torch.testing.assert_close(model.sample(5, seed=4), drawn, atol=1e-2, rtol=1e-2)


def test_no_refinement_is_a_reconstruction_and_full_refinement_forgets(model):
    rebuilt = model.in_coordinates("code")
    expected = rebuilt.decode(rebuilt.encode(X[:2]))
    torch.testing.assert_close(model.refine(X[:2], 0.0), expected)
    one, other = model.refine(X[:1], 1.0), model.refine(X[1:2], 1.0)  # the same noise
    start = (model.refine(X[:1], 0.0) - model.refine(X[1:2], 0.0)).abs().mean()
    assert (one - other).abs().mean() < 0.2 * start
    with pytest.raises(ValueError, match=r"between 0 and 1, got 1\.5"):
        model.refine(X[:1], 1.5)


def test_asking_an_unconditional_model_for_something_is_refused(model):
    with pytest.raises(ValueError, match="trained without classes"):
        model.sample(1, class_name="steel")
    with pytest.raises(ValueError, match="guidance should be at least 0"):
        model.sample(1, guidance=-1.0)


def test_stages_leave_what_is_not_theirs_alone():
    model = train(network(draws=None, calibration=None), IMAGES, config=TINY)
    shorter = TINY.model_copy(update={"stages": {"prior": StageConfig(steps=2)}})
    again = train(network(draws=None, calibration=None), IMAGES, config=shorter)
    a, b = model.state_dict(), again.state_dict()
    assert all(torch.equal(a[n], b[n]) for n in a if n.startswith("autoencoder"))
    assert any(not torch.equal(a[n], b[n]) for n in a if n.startswith("prior"))


@pytest.mark.slow
def test_a_run_killed_in_each_stage_goes_on_in_it(model, tmp_path, monkeypatch):
    class Killed(Exception):
        pass

    whole, ran, step = model.state_dict(), [], descent._step

    def killed(running, optimizer, batches, config, number):
        if number == 1 and ran[-1:] == [(running.name, 0)]:
            raise Killed
        ran.append((running.name, number))
        return step(running, optimizer, batches, config, number)

    every_step = TINY.model_copy(update={"checkpoint_seconds": 1e-9})
    monkeypatch.setattr(descent, "_step", killed)
    for stage in STAGES:  # the run of one goes on with what the run before has left
        with pytest.raises(Killed):
            train(network(), IMAGES, config=every_step, folder=tmp_path)
        assert ran[-1] == (stage, 0)
        ran.append("killed")
    again = train(network(), IMAGES, config=every_step, folder=tmp_path).state_dict()
    assert all(ran[ran.index((stage, 0)) :][1:3] == ["killed", (stage, 1)] for stage in STAGES)
    assert len(set(ran)) == len(ran) - len(STAGES) + 1  # no step twice
    assert all(torch.equal(again[name], whole[name]) for name in whole)


def test_other_settings_of_an_earlier_stage_are_refused_in_its_folder(folder):
    other = network(autoencoder={"widths": (4, 8), "beta": 0.5})
    with pytest.raises(ModelFileError, match=r"training-autoencoder.*other images or settings"):
        train(other, IMAGES, config=TINY, folder=folder)


@pytest.mark.parametrize(
    ("change", "again"),
    [
        ({"calibration": {"share": 0.5, "weight": 1.0}}, "calibration"),
        ({"draws": {"detail": {"width": 4, "layers": 1}, "share": 0.5, "weight": 1.0}}, "draws"),
    ],
)
def test_a_stage_asked_for_otherwise_leaves_those_before_it_as_they_are(
    change, again, folder, monkeypatch
):
    with pytest.raises(ModelFileError, match=rf"training-{again}.*delete the file"):
        train(network(**change), IMAGES, config=TINY, folder=folder)
    ran, step = [], descent._step
    monkeypatch.setattr(
        descent, "_step", lambda stage, *rest: ran.append(stage.name) or step(stage, *rest)
    )
    for stage in STAGES[STAGES.index(again) :]:
        state_path(folder, stage).unlink()
    model = train(network(**change), IMAGES, config=TINY, folder=folder)
    assert tuple(dict.fromkeys(ran)) == STAGES[STAGES.index(again) :]
    fresh = train(network(**change), IMAGES, config=TINY).state_dict()
    assert all(torch.equal(value, fresh[name]) for name, value in model.state_dict().items())


def test_conditions_and_augmented_copies_stay_with_their_image(monkeypatch):
    from generative.conditions import Conditions
    from generative.diffusion.prior_stage import PriorStage

    known = Conditions.of_data((), {"fraction": IMAGES.mean((1, 2, 3)).astype(float)})
    model = network(conditions=known.model_dump())
    config = TINY.model_copy(update={"augmentation": Augmentation(shifts=True)})
    codes, source = PriorStage(model).prepare(IMAGES, config)
    assert len(codes) == len(source) > len(IMAGES)
    own = model.autoencoder.encode(X)
    assert torch.equal(torch.from_numpy(codes[: len(IMAGES)]), own)
    assert (source[: len(IMAGES)] == range(len(IMAGES))).all()


def test_a_conditional_model_is_saved_with_what_it_knows(tmp_path):
    fraction = IMAGES.mean((1, 2, 3)).astype(float)
    known = Conditions.of_data(("a", "b"), {"fraction": fraction})
    rows = known.rows(np.arange(len(IMAGES)) % 2, {"fraction": fraction})
    model = network(conditions=known.model_dump())
    train(model, IMAGES, conditions=rows, config=TINY, folder=tmp_path)
    loaded = load_model(tmp_path)
    wish = {"class_name": "b", "properties": {"fraction": float(fraction.mean())}, "guidance": 2.0}
    assert torch.equal(loaded.sample(2, **wish), model.sample(2, **wish))
    assert not torch.equal(model.sample(2, **wish), model.sample(2))


def test_guidance_however_strong_decodes_to_images():
    known = Conditions.of_data((), {"fraction": IMAGES.mean((1, 2, 3)).astype(float)})
    asked = network(conditions=known.model_dump())
    for tensor in asked.prior.denoiser.parameters():
        tensor.data.normal_(0, 0.3, generator=torch.Generator().manual_seed(0))
    z = asked.sample(4, properties={"fraction": float(IMAGES.mean())}, guidance=50.0)
    images = asked.decode(z)
    assert torch.isfinite(images).all()
    assert 0 <= images.min() <= images.max() <= 1


def test_a_copy_is_trained_on_in_all_its_stages(model):
    weights = np.full(len(IMAGES), 1 / len(IMAGES))
    before = {name: value.clone() for name, value in model.state_dict().items()}
    tuned = finetune(model, IMAGES, weights, config=TINY)
    assert all(torch.equal(model.state_dict()[name], before[name]) for name in before)
    after = tuned.state_dict()
    moved = {name.split(".")[0] for name in after if not torch.equal(after[name], before[name])}
    assert moved == {"autoencoder", "prior"}


def test_a_view_under_a_condition_decodes_what_is_sampled_under_it():
    names = Conditions(classes=("a", "b"))
    model = network(conditions=names, coordinates="code")
    with torch.no_grad():  # a denoiser that listens
        for value in model.prior.parameters():
            value.add_(0.2 * torch.randn(value.shape, generator=torch.Generator().manual_seed(1)))
    row = names.ask("b")
    view = model.at(row)
    noise = torch.randn(3, 64, generator=torch.Generator().manual_seed(5))
    sampled = model.decode(model.sample(3, seed=5, class_name="b"))
    assert torch.equal(view.decode(noise), sampled)
    assert not torch.allclose(model.at(names.ask("a")).decode(noise), sampled)
    again = view.decode(view.encode(X))
    torch.testing.assert_close(again, model.decode(model.encode(X)), atol=0.05, rtol=0)
    assert is_standard_normal(view)
    assert view.stages() == ()
    with pytest.raises(ValueError, match=r"shape \(2,\), got \(3,\)"):
        model.at(torch.zeros(3))

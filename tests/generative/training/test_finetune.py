"""Training on from the weights a network has, on images drawn by weight."""

import json

import numpy as np
import pytest
import torch

from generative import LSGM, VAEGAN, ConvVAE, LatentDiffusion
from generative.data.augment import Augmentation
from generative.data.synthetic import gaussian_random_field
from generative.errors import DataError, ModelFileError
from generative.files.tensors import note_of
from generative.model import reconstruct
from generative.training.train import TrainConfig, finetune, train

IMAGES = gaussian_random_field(12, (32, 32), seed=0)
EVENLY = np.full(12, 1 / 12)
FEW = TrainConfig(
    steps=3,
    batch_size=4,
    progress=False,
    precision="float32",
    kl_warmup=0,
    augmentation=Augmentation(flips=False, rotations=False),
)


@pytest.fixture(scope="module")
def trained():
    return train(ConvVAE((1, 32, 32), widths=(4, 8)), IMAGES, config=FEW)


def state(model):
    return {name: value.clone() for name, value in model.state_dict().items()}


def equal(a, b):
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


def test_it_begins_with_the_weights_the_network_has(trained):
    still = finetune(trained, IMAGES, EVENLY, config=FEW.model_copy(update={"learning_rate": 1e-9}))
    for name, value in trained.named_parameters():
        torch.testing.assert_close(dict(still.named_parameters())[name], value, atol=1e-6, rtol=0)


def test_the_network_given_is_left_as_it_is(trained):
    before = state(trained)
    tuned = finetune(trained, IMAGES, EVENLY, config=FEW)
    assert equal(before, state(trained))
    assert not equal(before, state(tuned))
    assert not tuned.training


def test_what_weighs_more_is_kept_better(trained):
    config = FEW.model_copy(update={"steps": 25})
    images = torch.from_numpy(IMAGES)

    def error(row):
        weights = np.full(12, 1e-3)
        weights[row] = 1 - 11e-3
        tuned = finetune(trained, IMAGES, weights, config=config)
        return (reconstruct(tuned, images) - images).square().mean((1, 2, 3))

    first, second = error(0), error(1)
    assert first[0] < second[0]
    assert second[1] < first[1]


def test_a_stopped_run_goes_on_to_the_same_weights(trained, tmp_path):
    whole = finetune(trained, IMAGES, EVENLY, config=FEW)
    calls = 0

    class Stopped(Augmentation):
        def __call__(self, images, rng):
            nonlocal calls
            calls += 1
            if calls == 3:
                raise KeyboardInterrupt
            return images

    every_step = FEW.model_copy(update={"checkpoint_seconds": 1e-9})
    stopped = every_step.model_copy(update={"augmentation": Stopped(flips=False, rotations=False)})
    with pytest.raises(KeyboardInterrupt):
        finetune(trained, IMAGES, EVENLY, config=stopped, folder=tmp_path)
    again = finetune(trained, IMAGES, EVENLY, config=every_step, folder=tmp_path)
    assert equal(state(whole), state(again))


def test_a_run_with_other_weights_is_not_gone_on_with(trained, tmp_path):
    finetune(trained, IMAGES, EVENLY, config=FEW, folder=tmp_path)
    with pytest.raises(ModelFileError, match="other images or settings"):
        finetune(trained, IMAGES, np.eye(12)[0], config=FEW, folder=tmp_path)


@pytest.mark.parametrize("weights", [np.full(12, 1.0), np.linspace(-1, 1 + 1 / 6, 12)])
def test_weights_that_are_none_are_refused(trained, weights):
    with pytest.raises(DataError, match="weights should be 12 numbers of sum 1"):
        finetune(trained, IMAGES, weights, config=FEW)


def test_images_of_another_shape_are_refused(trained):
    with pytest.raises(DataError, match="training needs images of shape"):
        finetune(trained, IMAGES[:, :, :16], EVENLY, config=FEW)


SMALL = {"width": 4, "layers": 1}
LDM = {
    "autoencoder": {"widths": (4, 8)},
    "prior": {"width": 8, "hidden": 16, "blocks": 1},
    "solver_steps": 2,
}
ALL_STAGES = LDM | {"detail": SMALL, "draws": {"detail": SMALL}, "calibration": {}}
LSGM_OPTIONS = {name: LDM[name] for name in ("autoencoder", "prior", "solver_steps")}
STAGED = {
    "vae_gan": (VAEGAN, {"options": {"widths": (4, 8)}, "detail": SMALL}, ["detail"]),
    "ldm": (LatentDiffusion, ALL_STAGES, ["detail", "prior", "draws", "calibration"]),
    "ldm, plain": (LatentDiffusion, LDM | {"detail": None}, ["autoencoder", "prior"]),
    "ldm, pretrained": (
        LatentDiffusion,
        LDM | {"detail": None, "pretrained": True},
        ["prior"],
    ),
    "lsgm": (LSGM, LSGM_OPTIONS, ["joint"]),
}


def untrained(kind):
    model, options, _ = STAGED[kind]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return model((1, 32, 32), **options)


@pytest.fixture(scope="module", params=STAGED)
def tuned_in_a_folder(request, tmp_path_factory):
    """Kind, the model before, the one trained on, and the folder where its states are kept."""
    folder, model = tmp_path_factory.mktemp("tuned"), untrained(request.param)
    tuned = finetune(model, IMAGES, EVENLY, config=FEW, folder=folder)
    return request.param, model, tuned, folder


def test_a_model_of_stages_is_trained_on_by_those_that_no_later_one_covers(tuned_in_a_folder):
    kind, model, tuned, folder = tuned_in_a_folder
    kept = {path.stem.removeprefix("training-") for path in folder.glob("*.safetensors")}
    assert kept == set(STAGED[kind][2])
    assert type(tuned) is type(model)
    assert tuned.options() == model.options()
    assert not equal(state(model), state(tuned))
    assert all(torch.isfinite(value).all() for value in tuned.state_dict().values())


def test_a_stage_that_refines_has_its_share_of_the_steps_and_the_others_all(tuned_in_a_folder):
    kind, _, _, folder = tuned_in_a_folder
    for stage in STAGED[kind][2]:
        note = note_of((folder / f"training-{stage}.safetensors").read_bytes())
        settings = json.loads(note["fingerprint"])["training"]
        refines = stage in ("draws", "calibration")
        assert settings["steps"] == (1 if refines else FEW.steps)
        rate = settings["learning_rate"] / FEW.learning_rate
        assert (rate < 0.5) if refines else (rate == 1)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["vae_gan", "ldm, plain", "lsgm"])
def test_what_weighs_more_is_kept_better_by_a_model_of_stages(kind):
    model, images = untrained(kind), torch.from_numpy(IMAGES)
    config = FEW.model_copy(update={"steps": 25, "ema_decay": 0.9})

    def error(row):
        weights = np.full(12, 1e-3)
        weights[row] = 1 - 11e-3
        tuned = finetune(model, IMAGES, weights, config=config)
        return (reconstruct(tuned.autoencoder, images) - images).square().mean((1, 2, 3))

    first, second = error(0), error(1)
    assert first[0] < second[0]
    assert second[1] < first[1]


def test_a_prior_is_trained_on_towards_the_codes_that_weigh_most():
    model, images = untrained("ldm, pretrained"), torch.from_numpy(IMAGES)
    config = FEW.model_copy(update={"steps": 60, "ema_decay": 0.9})
    noise = torch.randn(200, 64, generator=torch.Generator().manual_seed(0))
    time = torch.linspace(0.1, 1.4, 200)
    codes = model.autoencoder.encode(images).detach()

    def error(row):
        weights = np.full(12, 1e-3)
        weights[row] = 1 - 11e-3
        prior = finetune(model, IMAGES, weights, config=config).prior
        with torch.no_grad():
            each = [prior.loss(c.expand(200, -1), noise=noise, time=time) for c in codes]
        return torch.stack(each)

    first, second = error(0), error(1)
    assert first[0] < second[0]
    assert second[1] < first[1]


def test_a_conditional_model_goes_on_as_the_model_of_all_images():
    conditions = {"classes": ("fine", "coarse")}
    model = LatentDiffusion((1, 32, 32), **LDM | {"detail": None, "conditions": conditions})
    still = FEW.model_copy(update={"learning_rate": 1e-12})
    tuned = finetune(model, IMAGES, EVENLY, config=still)
    assert tuned.conditions.size == 0
    with pytest.raises(ValueError, match="trained without classes"):
        tuned.sample(1, class_name="fine")
    x, time = torch.randn(3, 64), torch.tensor([0.7])
    ours, theirs = (m.prior.denoiser(x, time) for m in (tuned, model))
    torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-5)


def test_weights_that_are_not_finite_after_the_last_step_are_no_result():
    config = FEW.model_copy(update={"steps": 2, "learning_rate": 1e38})
    model = ConvVAE((1, 32, 32), widths=(4, 8))
    with pytest.raises(FloatingPointError, match=r"Lower learning_rate"):
        finetune(model, IMAGES, EVENLY, config=config)
    with torch.no_grad():
        model.decoder[-1].bias.fill_(torch.inf)
    with pytest.raises(FloatingPointError, match=r"Lower learning_rate"):
        finetune(model, IMAGES, EVENLY, config=config)

"""Training: one seed gives one set of weights, whether or not the run was killed on its way."""

import json
import random
import shutil
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from generative import PCA, ConvVAE, LatentDiffusion
from generative.data.augment import Augmentation
from generative.data.synthetic import gaussian_random_field
from generative.errors import DataError, ModelFileError
from generative.files.tensors import note_of
from generative.model import reconstruct
from generative.model_files import load_model
from generative.training.lock import only_training
from generative.training.model_card import CardContent
from generative.training.state import STATE, TrainingState, digest, state_path
from generative.training.train import TrainConfig, train

IMAGES = gaussian_random_field(12, (32, 32), seed=0)
TINY = TrainConfig(steps=3, batch_size=4, progress=False, precision="float32")
EVERY_STEP = TINY.model_copy(update={"checkpoint_seconds": 1e-9})


def network(shape=(1, 32, 32), **options):
    return ConvVAE(shape, widths=(4, 8), **options)


def conditional():
    small = {"autoencoder": {"widths": (4, 8)}, "prior": {"width": 4, "hidden": 4, "blocks": 1}}
    return LatentDiffusion((1, 32, 32), conditions={"classes": ("a", "b")}, **small)


def weights(**changes):
    return train(network(), IMAGES, config=TINY.model_copy(update=changes)).state_dict()


def equal(a, b):
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


def steps_done(folder):
    data = state_path(folder, STATE).read_bytes()
    header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
    return int(header["__metadata__"]["step"])


def stop_after(folder, steps, *, config=TINY, validation=None):
    """Leave a folder as a run that was killed after some of its steps does."""

    class Stopped(Augmentation):
        def __call__(self, images, rng):
            if steps_done(folder) >= steps:
                raise KeyboardInterrupt
            return super().__call__(images, rng)

    changes = {"augmentation": Stopped(), "checkpoint_seconds": 1e-9}
    config = config.model_copy(update=changes)
    with pytest.raises(KeyboardInterrupt):
        train(network(), IMAGES, validation=validation, config=config, folder=folder)
    assert steps_done(folder) == steps


@pytest.fixture(scope="module")
def uninterrupted():
    return weights()


def test_the_same_seed_gives_the_same_weights_whatever_the_network_held(uninterrupted):
    torch.rand(7)
    assert equal(weights(), uninterrupted)


def test_another_seed_gives_other_weights(uninterrupted):
    assert not equal(weights(seed=1), uninterrupted)


def test_global_random_state_is_left_alone():
    model = network()
    torch_state, numpy_state = torch.get_rng_state(), np.random.get_state()[1].copy()  # noqa: NPY002
    train(model, IMAGES, config=TINY)
    assert torch.equal(torch.get_rng_state(), torch_state)
    np.testing.assert_array_equal(np.random.get_state()[1], numpy_state)  # noqa: NPY002


def test_the_images_given_are_not_changed():
    before = IMAGES.copy()
    weights(augmentation=Augmentation(shifts=True, blur_px=1.0))
    np.testing.assert_array_equal(IMAGES, before)


def test_the_model_comes_back_in_evaluation_mode_and_moved():
    model = network()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    assert train(model, IMAGES, config=TINY) is model
    assert not model.training
    assert not equal(model.state_dict(), before)


def test_the_result_is_the_average_of_the_weights():
    last, average = weights(ema_decay=0.0), weights(ema_decay=0.9)
    name = "decoder.0.weight"
    first = weights(learning_rate=1e-30, ema_decay=0.0)[name]
    assert 0 < (average[name] - first).norm() < (last[name] - first).norm()


@pytest.mark.parametrize("shape", [(2, 32, 32), (1, 17, 16, 16)])
def test_volumes_and_channels_train_too(shape):
    images = np.random.default_rng(0).random((4, *shape)).astype(np.float32)
    model = train(network(shape), images, config=TINY)
    assert all(torch.isfinite(value).all() for value in model.state_dict().values())


def test_bfloat16_trains_to_finite_float32_weights():
    assert all(
        torch.isfinite(value).all() and value.dtype in (torch.float32, torch.int64)
        for value in weights(precision="bfloat16").values()
    )


@pytest.mark.slow
def test_training_improves_the_reconstruction():
    config = TINY.model_copy(
        update={"steps": 60, "batch_size": 8, "ema_decay": 0.9, "learning_rate": 0.01}
    )
    images = gaussian_random_field(16, (32, 32), seed=1, correlation_length_px=(8.0, 8.0))
    x = torch.from_numpy(images)

    def error(model):
        with torch.no_grad():
            return float((model.decode(model.encode(x)) - x).square().mean())

    short = train(network(), images, config=config.model_copy(update={"steps": 1}))
    assert error(train(network(), images, config=config)) < 0.6 * error(short)


# -- a folder ------------------------------------------------------------------------------------


def test_the_folder_becomes_a_model_folder_with_a_card(tmp_path, uninterrupted):
    held_out = gaussian_random_field(3, (32, 32), seed=9)
    card = CardContent(held_out, {"Data": "x"})
    train(network(), IMAGES, config=TINY, folder=tmp_path, card=card)
    assert equal(load_model(tmp_path).state_dict(), uninterrupted)
    card = (tmp_path / "README.md").read_text()
    assert "- **Data**: x" in card
    assert "3 held-out images" in card
    assert "learning_rate 0.003" in card


@pytest.mark.parametrize("steps", [0, 2])
def test_a_stopped_run_goes_on_to_the_weights_of_an_uninterrupted_one(
    tmp_path, uninterrupted, steps
):
    stop_after(tmp_path, steps)
    model = train(network(), IMAGES, config=EVERY_STEP, folder=tmp_path)
    assert equal(model.state_dict(), uninterrupted)


def test_a_finished_run_is_not_trained_further(tmp_path, uninterrupted):
    for _ in range(2):
        model = train(network(), IMAGES, config=TINY, folder=tmp_path)
    assert equal(model.state_dict(), uninterrupted)


RUN = """
import sys, torch
torch.set_num_threads(1)
from generative import ConvVAE
from generative.data.synthetic import gaussian_random_field
from generative.training.train import TrainConfig, train
config = TrainConfig.model_validate_json(sys.argv[1])
images = gaussian_random_field(12, (32, 32), seed=0)
train(ConvVAE((1, 32, 32), widths=(4, 8)), images, config=config, folder=sys.argv[2])
"""


@pytest.mark.slow
def test_a_killed_process_is_gone_on_with_to_the_weights_of_an_uninterrupted_one(tmp_path):
    config = EVERY_STEP.model_copy(update={"steps": 60})
    run = subprocess.Popen([sys.executable, "-c", RUN, config.model_dump_json(), tmp_path])
    deadline = time.monotonic() + 60
    while not state_path(tmp_path, STATE).exists() or steps_done(tmp_path) < 5:
        assert run.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.002)
    run.send_signal(signal.SIGKILL)
    assert run.wait() == -signal.SIGKILL
    assert 5 <= steps_done(tmp_path) < 60
    quietly = TINY.model_copy(update={"steps": 60})
    resumed = train(network(), IMAGES, config=quietly, folder=tmp_path)
    assert equal(resumed.state_dict(), weights(steps=60))


def test_a_second_training_in_one_folder_is_refused_and_the_first_is_left_alone(tmp_path):
    with only_training(tmp_path):
        with pytest.raises(ModelFileError, match="another training is running here; wait for it"):
            train(network(), IMAGES, config=TINY, folder=tmp_path)
        assert not list(tmp_path.iterdir())
    train(network(), IMAGES, config=TINY, folder=tmp_path)
    assert load_model(tmp_path).kind == "vae"


@pytest.fixture(scope="module")
def stopped(tmp_path_factory):
    """The file of a run that was killed after its first step."""
    folder = tmp_path_factory.mktemp("stopped")
    stop_after(folder, 1)
    return state_path(folder, STATE)


@pytest.mark.parametrize(
    ("model", "images", "changes"),
    [
        (network(), IMAGES, {"seed": 1}),
        (network(), IMAGES, {"steps": 4}),
        (network(), IMAGES, {"augmentation": Augmentation(shifts=True)}),
        (network(), 1 - IMAGES, {}),
        (network(), IMAGES[:-1], {}),
        (network(), np.roll(IMAGES, 1, axis=3), {}),  # of the same sums
        (network(), np.concatenate([IMAGES[:1], IMAGES[:0:-1]]), {}),
        (network(beta=0.5), IMAGES, {}),
    ],
    ids=["seed", "steps", "augmentation", "images", "fewer", "shifted", "order", "model"],
)
def test_the_state_of_another_run_is_refused_and_kept(tmp_path, stopped, model, images, changes):
    shutil.copy(stopped, tmp_path)
    before = state_path(tmp_path, STATE).read_bytes()
    with pytest.raises(ModelFileError, match="other images or settings") as refusal:
        train(model, images, config=EVERY_STEP.model_copy(update=changes), folder=tmp_path)
    assert str(state_path(tmp_path, STATE)) in str(refusal.value)
    assert "Choose another folder" in str(refusal.value)
    assert state_path(tmp_path, STATE).read_bytes() == before


def test_other_conditions_of_the_same_sums_are_another_run(tmp_path):
    conditions = np.tile(np.eye(2, dtype=np.float32), (6, 1))
    config = EVERY_STEP.model_copy(update={"steps": 1})
    train(conditional(), IMAGES, conditions=conditions, config=config, folder=tmp_path)
    with pytest.raises(ModelFileError, match="other images or settings"):
        train(conditional(), IMAGES, conditions=conditions[::-1], config=config, folder=tmp_path)


@pytest.mark.parametrize("shape", [(2, 1, 40, 40), (2, 2, 32, 32), (2, 32, 32)])
def test_validation_images_of_another_shape_are_refused_before_the_work(tmp_path, shape):
    with pytest.raises(DataError, match="validation images should have shape"):
        train.__wrapped__(network(), IMAGES, validation=np.zeros(shape), folder=tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_state_from_another_device_or_rhythm_is_gone_on_with(tmp_path, stopped, uninterrupted):
    shutil.copy(stopped, tmp_path)
    config = TINY.model_copy(update={"device": "cpu", "checkpoint_seconds": 99.0})
    model = train(network(), IMAGES, config=config, folder=tmp_path)
    assert equal(model.state_dict(), uninterrupted)


def test_a_damaged_state_is_refused_wherever_it_is_damaged(tmp_path):
    """And is called damaged, not one of other settings or of another version."""
    stop_after(tmp_path, 2)
    path = state_path(tmp_path, STATE)
    whole = path.read_bytes()
    state = TrainingState(network().stages()[0], {}, tmp_path, {})
    with pytest.raises(ModelFileError, match="other images"):
        state.resume()
    header = int.from_bytes(whole[:8], "little")
    names = [b"__metadata__", b"format", b"step", b"fingerprint", b"best", b"sha256"]
    starts = [(whole.index(b'"' + name + b'":'), len(name)) for name in names]
    places = [i for start, length in starts for i in range(start, start + length + 5)]
    rng = random.Random(0)
    places += [0, 7, 8, 40, len(whole) - 1, *(rng.randrange(len(whole)) for _ in range(20))]
    places += [rng.randrange(header) for _ in range(20)]
    flipped = [whole[:i] + bytes([whole[i] ^ 4]) + whole[i + 1 :] for i in places]
    truncated = [whole[:i] for i in (0, 5, 100, len(whole) // 2, len(whole) - 1)]
    older, newer = (whole.replace(b'"format":"3"', b'"format":"%d"' % n) for n in (2, 4))
    for data in [*flipped, *truncated, older, newer]:
        assert data != whole
        path.write_bytes(data)
        with pytest.raises(ModelFileError, match=r"damaged\. Delete") as refusal:
            state.resume()
        assert str(path) in str(refusal.value)
        assert "\n" not in str(refusal.value)
    with pytest.raises(ModelFileError, match=r"damaged\. Delete"):
        train(network(), IMAGES, config=EVERY_STEP, folder=tmp_path)


def note_changed(path, **changes):
    """Keep a state as another version would, with other strings in its header."""
    tensors = load_file(path)
    note = note_of(path.read_bytes()) | changes
    del note["sha256"]
    covered = None if note["format"] == "2" else note
    save_file(tensors, path, {**note, "sha256": digest(tensors, covered)})


def test_a_state_of_the_version_before_is_gone_on_with(tmp_path, stopped, uninterrupted):
    shutil.copy(stopped, tmp_path)
    note_changed(state_path(tmp_path, STATE), format="2")
    model = train(network(), IMAGES, config=TINY, folder=tmp_path)
    assert equal(model.state_dict(), uninterrupted)


def test_a_state_of_a_newer_version_is_refused_and_kept(tmp_path, stopped):
    shutil.copy(stopped, tmp_path)
    note_changed(state_path(tmp_path, STATE), format="4")
    before = state_path(tmp_path, STATE).read_bytes()
    with pytest.raises(ModelFileError, match="newer version of latentopt"):
        train(network(), IMAGES, config=TINY, folder=tmp_path)
    assert state_path(tmp_path, STATE).read_bytes() == before


def test_a_loss_that_is_not_finite_stops_the_run_and_keeps_its_state(tmp_path):
    config = EVERY_STEP.model_copy(update={"learning_rate": 1e30})
    with pytest.raises(FloatingPointError, match=r"at step \d+\. Lower learning_rate \(now 1e\+30"):
        train(network(), IMAGES, config=config, folder=tmp_path)
    assert 1 <= steps_done(tmp_path) < 3
    assert not (tmp_path / "manifest.json").exists()


# -- bad input -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("images", "named"),
    [
        (IMAGES[:1], "at least 2 images"),
        (IMAGES[:, :, :16], r"shape \(1, 32, 32\), got an array of shape \(12, 1, 16, 32\)"),
        (255 * IMAGES, r"in \[0, 1\], got 0 to 255"),
        (np.where(np.arange(12).reshape(-1, 1, 1, 1) == 5, np.nan, IMAGES), "image 5.*nan"),
    ],
    ids=["one", "shape", "range", "nan"],
)
def test_images_that_cannot_be_used_are_refused(images, named):
    with pytest.raises(DataError, match=named):
        train(network(), images, config=TINY)


def test_a_model_says_how_many_images_it_needs():
    with pytest.raises(DataError, match=r"at least 13 images of shape \(1, 32, 32\)"):
        train(PCA((1, 32, 32), components=13), IMAGES, config=TINY)


@pytest.mark.parametrize(
    ("model", "conditions", "named"),
    [
        (network(), np.zeros((12, 2), np.float32), "vae should be None, got shape .12, 2."),
        (conditional(), None, r"ldm should be an array of shape \(12, 2\).* got None"),
        (conditional(), np.zeros((12, 3), np.float32), r"\(12, 2\), one row an image, got"),
    ],
    ids=["none asked for", "left out", "too wide"],
)
def test_conditions_are_those_of_the_model(model, conditions, named):
    with pytest.raises(DataError, match=named):
        train(model, IMAGES, conditions=conditions, config=TINY)


def test_what_it_cannot_begin_from_is_named_by_its_argument(tmp_path):
    with pytest.raises(ValueError, match="begin: is not for model vae"):
        train(network(), IMAGES, begin=str(tmp_path / "weights"), config=TINY)


def test_a_model_that_could_not_be_loaded_is_refused_before_the_first_step(tmp_path):
    class Own(ConvVAE):
        pass

    with pytest.raises(ModelFileError, match=r"an? Own is not one of generative\.MODELS"):
        train(Own((1, 32, 32), widths=(4, 8)), IMAGES, config=TINY, folder=tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_written_is_named_before_the_first_step(tmp_path, capsys):
    (tmp_path / "file").write_text("in the way")
    config = TINY.model_copy(update={"progress": True})
    with pytest.raises(OSError, match=r"cannot be written .*choose another folder") as caught:
        train(network(), IMAGES, config=config, folder=tmp_path / "file" / "model")
    assert str(tmp_path / "file") in str(caught.value)
    assert "step" not in capsys.readouterr().err


def test_a_disk_that_fills_up_is_named_and_the_last_state_is_kept(tmp_path, files_of_at_most):
    stop_after(tmp_path, 2)
    before = state_path(tmp_path, STATE).read_bytes()
    match = r"cannot be written .*free space there"
    with files_of_at_most(1000), pytest.raises(OSError, match=match) as caught:
        train(network(), IMAGES, config=EVERY_STEP, folder=tmp_path)
    assert caught.value.filename == str(state_path(tmp_path, STATE))
    assert state_path(tmp_path, STATE).read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == [state_path(tmp_path, STATE).name]


# -- progress ------------------------------------------------------------------------------------


def test_without_a_terminal_the_losses_are_printed_as_lines(capsys, tmp_path):
    config = TINY.model_copy(update={"progress": True})
    train(network(two_point_weight=0.1), IMAGES, config=config)
    out, err = capsys.readouterr()
    assert out == ""
    (line,) = err.splitlines()
    assert line.startswith("step 3/3  loss ")
    assert all(name in line for name in ("reconstruction", "kl", "two_point", "0 s left"))


def test_a_resumed_run_says_where_it_goes_on(capsys, tmp_path):
    stop_after(tmp_path, 2)
    config = EVERY_STEP.model_copy(update={"progress": True})
    train(network(), IMAGES, config=config, folder=tmp_path)
    assert "going on from step 2 of 3" in capsys.readouterr().err


def test_progress_false_prints_nothing(capsys):
    weights()
    assert capsys.readouterr() == ("", "")


def test_validation_keeps_the_moment_that_reconstructs_best():
    unseen = gaussian_random_field(8, (32, 32), seed=99)
    config = TINY.model_copy(update={"steps": 40, "ema_decay": 0.0})
    moments = []

    class Recorded(TrainingState):
        def keep_if_best(self, error, step):
            moments.append(
                (error, step, self.averaged.state_dict()["autoencoder.decoder.0.weight"].clone())
            )
            super().keep_if_best(error, step)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("generative.training.descent.TrainingState", Recorded)
        model = train(network(), IMAGES, validation=unseen, config=config)
    error, _, weight = min(moments, key=lambda moment: moment[0])
    assert len(moments) == 20
    assert torch.equal(model.state_dict()["decoder.0.weight"], weight)
    x = torch.from_numpy(unseen)
    assert float(((reconstruct(model, x) - x) ** 2).mean()) == pytest.approx(error, rel=1e-4)


def test_a_resumed_run_remembers_the_best_moment_so_far(tmp_path):
    unseen = gaussian_random_field(8, (32, 32), seed=99)
    # Steps so large that an early moment is the best.
    config = TINY.model_copy(update={"steps": 6, "ema_decay": 0.0, "learning_rate": 10.0})
    whole = train(network(), IMAGES, validation=unseen, config=config).state_dict()
    assert not equal(whole, train(network(), IMAGES, config=config).state_dict())
    for steps in (1, 5):
        folder = tmp_path / str(steps)
        stop_after(folder, steps, config=config, validation=unseen)
        again = train(network(), IMAGES, validation=unseen, config=config, folder=folder)
        assert equal(again.state_dict(), whole)


def test_the_card_says_which_moment_was_the_best(tmp_path):
    card = CardContent(IMAGES[:2], {})
    n = len(IMAGES)
    with pytest.warns(UserWarning, match=rf"{n} of the {n} validation images also occur among"):
        train(network(), IMAGES, validation=IMAGES, config=TINY, folder=tmp_path, card=card)
    said = (tmp_path / "README.md").read_text()
    assert "- **Weights**: of step" in said


def test_validation_images_that_cannot_be_used_are_refused():
    for unseen in (IMAGES[:0], 2 * IMAGES):
        with pytest.raises(DataError):
            train(network(), IMAGES, validation=unseen, config=TINY)


def test_validation_images_that_are_trained_on_are_counted_unless_they_have_one_value(recwarn):
    plain = np.ones_like(IMAGES[:1])
    images, own = np.concatenate([IMAGES, plain]), gaussian_random_field(1, (32, 32), seed=9)
    train(network(), images, validation=np.concatenate([own, plain]), config=TINY)
    assert not recwarn.list
    with pytest.warns(UserWarning, match="1 of the 2 validation images also occur"):
        train(network(), images, validation=np.concatenate([own, IMAGES[:1]]), config=TINY)

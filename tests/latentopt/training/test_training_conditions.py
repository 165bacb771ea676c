"""A conditional space from start to end: properties computed, trained, sampled, used to start."""

import json
import subprocess
import sys
from contextlib import nullcontext
from dataclasses import replace

import numpy as np
import pytest
import torch
import yaml

from generative.data.dataset import Dataset
from generative.data.synthetic import gaussian_random_field
from generative.stages.config import TrainConfig
from latentopt import Campaign, LatentSpace
from latentopt.errors import ConfigError, DataError
from latentopt.space.point_files import read_points, write_points
from latentopt.training.conditions import ConditionSettings, compute_conditions
from latentopt.training.sampling import obtained, sample_points
from latentopt.training.train_space import TrainingSettings, train_space

FIELDS = {"kind": "gaussian_random_field", "n": 12, "held_out": 3, "shape": [32, 32]}
LDM = {
    "model": "ldm",
    "options": {
        "autoencoder": {"widths": [4, 8]},
        "prior": {"width": 8, "hidden": 8, "blocks": 1},
        "detail": {"adversarial_weight": 0.5, "width": 4, "layers": 1},
        "solver_steps": 1,
    },
    "training": {"steps": 2, "batch_size": 4, "progress": False, "precision": "float32"},
}
FRACTION = {"conditions": {"properties": ["volume_fraction"]}}
CONDUCTIVITY = {"kind": "effective_conductivity", "conductivity": [1.0, 10.0]}


def trained(folder, **changes):
    settings = TrainingSettings.checked({"data": FIELDS, **LDM, **FRACTION, **changes})
    return train_space(settings, folder)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("conditional") / "space"
    trained(folder)
    return folder


@pytest.fixture(scope="module")
def gan_folder(tmp_path_factory, few_points):
    folder = tmp_path_factory.mktemp("conditional_gan") / "space"
    small = {"widths": [4, 8], "encoder": {"widths": [4, 8]}}
    trained(folder, model="gan", options=small)
    return folder


def test_the_range_of_a_property_is_that_of_the_training_images(folder):
    about = LatentSpace.load(folder).model.config.conditions.properties["volume_fraction"]
    fractions = gaussian_random_field(12, (32, 32), seed=0).mean((1, 2, 3))
    assert about.low == pytest.approx(fractions.min(), abs=1e-6)
    assert about.high == pytest.approx(fractions.max(), abs=1e-6)


def test_nothing_of_the_training_is_left_but_the_space(folder):
    assert {path.name for path in folder.glob("training*")} == {"training.json"}


def test_noise_coordinates_are_not_whitened_again(folder):
    space = LatentSpace.load(folder)
    assert torch.equal(space.whitening.axes, torch.eye(64, dtype=torch.float64))
    z = space.sample(2)
    torch.testing.assert_close(space.decode(z), space.model.decode(z.float()))


def test_what_is_obtained_is_computed_as_for_the_training_images(folder):
    space = LatentSpace.load(folder)
    images = gaussian_random_field(4, (32, 32), seed=5)
    found = obtained(space, images, {"volume_fraction": 0.3})
    np.testing.assert_allclose(found["volume_fraction"], images.mean((1, 2, 3)), rtol=1e-6)


def test_properties_computed_before_a_kill_are_not_computed_again(tmp_path, monkeypatch):
    from latentopt.training import conditions as training_conditions

    calls, values = [], training_conditions._values

    def counted(objectives, images):
        calls.append(len(images))
        return values(objectives, images)

    def killed(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(training_conditions, "_values", counted)
    with monkeypatch.context() as patch:
        patch.setattr(sys.modules["latentopt.training.train_space"], "train", killed)
        with pytest.raises(KeyboardInterrupt):
            trained(tmp_path / "space")
    before = len(calls)
    trained(tmp_path / "space")
    assert len(calls) - before == before - 1  # the check of augmentation only


def test_kept_properties_of_which_a_bit_has_changed_are_computed_again(tmp_path):
    images = gaussian_random_field(12, (32, 32), seed=0)
    dataset = Dataset.from_images(images, name="field")
    settings = ConditionSettings(properties=("volume_fraction",))
    asked = settings, dataset, TrainConfig(progress=False), tmp_path
    conditions, rows = compute_conditions(*asked)
    (path,) = tmp_path.iterdir()
    data = bytearray(path.read_bytes())
    data[-2] ^= 1 << 4  # of the last value, which stays finite
    path.write_bytes(data)
    again, rows_again = compute_conditions(*asked)
    assert again == conditions
    np.testing.assert_array_equal(rows_again, rows)


def test_a_property_that_turning_changes_is_refused_and_without_turning_taken(tmp_path):
    properties = {"conditions": {"properties": [CONDUCTIVITY]}}
    with pytest.raises(ConfigError, match=r"k_.. changes when an image is augmented"):
        trained(tmp_path / "a", **properties)
    still = {"flips": False, "rotations": False}
    kept = LDM["training"] | {"augmentation": still}
    space = trained(tmp_path / "b", **properties, training=kept)
    assert set(space.model.config.conditions.properties) == {"k_xx", "k_yy", "k_xy"}


def test_one_class_and_no_properties_are_nothing_to_ask_for(tmp_path):
    with pytest.raises(ConfigError, match="nothing to ask for"):
        trained(tmp_path, conditions={})


def test_a_model_without_conditions_refuses_them_and_says_which_take_them(tmp_path):
    with pytest.raises(ConfigError, match=r"conditions: model vae is told.* model: ldm or gan"):
        trained(tmp_path, model="vae", options={"widths": [4, 8]})


def test_a_property_equal_for_all_is_named(tmp_path, monkeypatch):
    from objectives.volume_fraction import VolumeFraction

    monkeypatch.setattr(
        VolumeFraction,
        "__call__",
        lambda self, images: {"volume_fraction": torch.full((len(images),), 0.5)},
    )
    with pytest.raises(DataError, match=r"train\.conditions.*volume_fraction should be finite"):
        trained(tmp_path)


def test_sampling_from_the_command_line_answers_points_images_and_what_was_obtained(
    run, folder, tmp_path
):
    wish = ("--property", "volume_fraction=0.4", "--guidance", "2")
    code, out, _ = run("sample", str(folder), "--n", "3", *wish, "--out", str(tmp_path / "s"))
    assert code == 0
    assert "volume_fraction: asked for 0.4, obtained" in out
    z = read_points(tmp_path / "s" / "z.csv")
    images = np.load(tmp_path / "s" / "images.npy", allow_pickle=False)
    space = LatentSpace.load(folder)
    np.testing.assert_array_equal(images, space.decode(z))
    expected = sample_points(space, 3, properties={"volume_fraction": 0.4}, guidance=2.0)
    np.testing.assert_allclose(z, expected.numpy())


def test_truncated_samples_are_nearer_to_the_mean_of_what_is_asked_for(run, folder, tmp_path):
    space = LatentSpace.load(folder)
    for wish in ({}, {"properties": {"volume_fraction": 0.4}}):
        whole = sample_points(space, 200, seed=1, **wish)
        half = sample_points(space, 200, seed=1, truncation=0.5, **wish)
        torch.testing.assert_close(half.std(0), whole.std(0) / 2)
        far = (half.mean(0) - whole.mean(0)).norm()
        assert far < 0.2 * whole.std(0).norm()
    torch.testing.assert_close(
        sample_points(space, 3, truncation=0.5), space.sample(3, truncation=0.5)
    )
    code, *_ = run("sample", str(folder), "--truncation", "0.5", "--n", "3", "--out", str(tmp_path))
    assert code == 0
    expected = sample_points(space, 3, truncation=0.5).numpy()
    np.testing.assert_allclose(read_points(tmp_path / "z.csv"), expected)


@pytest.mark.parametrize(
    ("wish", "said"),
    [
        (("--truncation", "0"), "truncation should be above 0 and at most 1, got 0"),
        (("--truncation", "nan"), "truncation should be above 0 and at most 1, got nan"),
        (("--property", "k=3"), "property 'k' was not trained"),
        (("--guidance", "2"), "guidance holds to a class or property that is asked for; name one"),
        (("--class", "steel"), "trained without classes"),
        (("--property", "volume_fraction"), "should be NAME=NUMBER"),
        (("--property", "volume_fraction=nan"), "should be a finite number"),
    ],
)
def test_a_wish_that_cannot_be_met_is_refused_in_one_line(run, folder, tmp_path, wish, said):
    code, _, err = run("sample", str(folder), *wish, "--out", str(tmp_path / "s"))
    assert code == 2
    assert said in err
    assert len(err.splitlines()) == 1


@pytest.mark.slow
def test_a_wish_outside_the_training_images_is_met_with_a_warning_of_one_line(folder, tmp_path):
    command = [sys.executable, "-m", "latentopt", "sample", str(folder), "--n", "2"]
    wish = ["--property", "volume_fraction=0.97", "--out", str(tmp_path / "s")]
    ended = subprocess.run([*command, *wish], capture_output=True, text=True, timeout=200)
    assert ended.returncode == 0
    (line,) = ended.stderr.splitlines()
    assert line.startswith("latentopt: volume_fraction = 0.97 is outside 0.")
    assert "the range of the training images" in line


def test_a_space_that_draws_no_properties_says_which_does(run, tmp_path):
    code, _, err = run("sample", "default", "--property", "k=3", "--out", str(tmp_path / "s"))
    assert code == 2
    assert "train one with model: ldm" in err


def test_the_card_says_what_can_be_asked_for(folder, gan_folder):
    about = LatentSpace.load(folder).model.conditions.describe()
    for each in (folder, gan_folder):
        assert f"- **Can be asked for**: {about}\n" in (each / "README.md").read_text()


def test_conditions_among_the_options_are_refused_with_their_place():
    with pytest.raises(ConfigError, match="options: conditions stand beside options"):
        TrainingSettings.checked({"data": FIELDS, "options": {"conditions": {"classes": True}}})


def test_guidance_of_a_gan_is_refused(run, gan_folder, tmp_path):
    wish = ("--property", "volume_fraction=0.5", "--guidance", "2", "--out", str(tmp_path / "s"))
    code, _, err = run("sample", str(gan_folder), *wish)
    assert code == 2
    assert "a gan has no guidance, got 2" in err
    assert len(err.splitlines()) == 1


def test_a_gan_is_asked_for_properties_as_a_latent_diffusion_is(run, gan_folder, tmp_path):
    space = LatentSpace.load(gan_folder)
    assert space.model.config.coordinates == "style"
    wish = ("--property", "volume_fraction=0.5", "--out", str(tmp_path / "s"))
    code, out, _ = run("sample", str(gan_folder), "--n", "3", *wish)
    assert code == 0
    assert "volume_fraction: asked for 0.5, obtained" in out
    images = np.load(tmp_path / "s" / "images.npy", allow_pickle=False)
    np.testing.assert_array_equal(images, space.decode(read_points(tmp_path / "s" / "z.csv")))


def labelled(images, labels, names):
    return replace(
        Dataset.from_images(images, name="images"),
        labels=np.asarray(labels, np.int64),
        class_names=names,
    )


def test_a_class_without_training_images_is_named(tmp_path):
    images = labelled(gaussian_random_field(3, (32, 32), seed=0), [0, 2, 2], ("a", "b", "c", "d"))
    with pytest.raises(DataError, match=r"2 of 4 classes have no image .*\(b, d\)"):
        compute_conditions(ConditionSettings(), images, TrainConfig(), tmp_path)


def test_a_property_with_a_direction_is_found_behind_images_that_have_none(tmp_path):
    plain = np.ones((33, 1, 16, 16), np.float32)
    plain[:, :, :4, :4] = 0  # the same along both axes
    plain[::2] = 1 - plain[::2]
    layers = np.zeros((31, 1, 16, 16), np.float32)
    layers[:, :, ::2] = 1
    images = labelled(np.concatenate([plain, layers]), [0] * 33 + [1] * 31, ("plain", "layers"))
    asked = ConditionSettings(properties=[CONDUCTIVITY])
    still = {"flips": False, "shifts": True}
    for rotations in (True, False):
        config = TrainConfig(augmentation=still | {"rotations": rotations}, progress=False)
        refused = pytest.raises(ConfigError, match="changes when an image is augmented")
        with refused if rotations else nullcontext():
            compute_conditions(asked, images, config, tmp_path)


def test_samples_start_a_campaign_before_its_strategy_does(tiny_space, tmp_path):
    z = tiny_space.sample(3, seed=9).numpy()
    write_points(z, tmp_path / "z.csv")
    config = {
        "objective": "volume_fraction",
        "evaluate": ["volume_fraction"],
        "strategy": {"kind": "prior"},
        "engine": "serial",
        "trials": 5,
        "batch": 2,
        "start": "z.csv",
        "folder": str(tmp_path / "run"),
    }
    (tmp_path / "campaign.yaml").write_text(yaml.safe_dump(config))
    from latentopt.campaign.load import load_config

    done = Campaign(load_config(tmp_path / "campaign.yaml"), space=tiny_space).run()
    points = np.stack([np.asarray(trial.point) for trial in done.trials])
    np.testing.assert_array_equal(points[:3], z)
    assert [t.strategy for t in done.trials] == ["start"] * 3 + ["prior"] * 2


def test_start_points_of_another_space_are_refused(tiny_space, tmp_path):
    write_points(np.zeros((2, 3)), tmp_path / "z.csv")
    with pytest.raises(ConfigError, match=r"start: .*z\.csv: z should have shape"):
        Campaign(
            objective="volume_fraction",
            evaluate=["volume_fraction"],
            start=str(tmp_path / "z.csv"),
            space=tiny_space,
            folder=tmp_path / "run",
        )


def test_the_settings_of_the_space_say_how_properties_are_computed(folder):
    settings = json.loads((folder / "training.json").read_text())
    assert settings["conditions"]["properties"] == [{"kind": "volume_fraction"}]


def test_images_without_a_class_ask_for_none_and_count_for_none(tmp_path):
    def training(labels):
        images = np.random.default_rng(0).random((3, 1, 8, 8)).astype(np.float32)
        data = Dataset.from_images(images)
        return replace(data, labels=np.array(labels), class_names=("a", "b"))

    settings, config = ConditionSettings(), TrainConfig()
    conditions, rows = compute_conditions(settings, training([0, -1, 1]), config, tmp_path)
    assert conditions.classes == ("a", "b")
    assert rows.tolist() == [[1, 0], [0, 0], [0, 1]]
    with pytest.raises(DataError, match=r"1 of 2 classes have no image among .* \(b\)"):
        compute_conditions(settings, training([0, -1, -1]), config, tmp_path)

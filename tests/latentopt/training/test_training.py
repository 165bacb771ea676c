"""From a folder of pictures, an array or a recipe to a latent space on disk."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from generative.data.synthetic import gaussian_random_field
from generative.files.folder import MANIFEST, json_bytes
from latentopt import LatentSpace
from latentopt.errors import ConfigError, DataError, ModelFileError
from latentopt.space.files import SETTINGS, SPACE
from latentopt.training.train_space import (
    FieldData,
    FileData,
    TrainingSettings,
    read_split,
    train_space,
)

QUICK = {"steps": 2, "batch_size": 4, "progress": False, "precision": "float32"}
FIELDS = {"kind": "gaussian_random_field", "n": 12, "held_out": 3, "shape": [32, 32]}
PCA = {"model": "pca", "options": {"components": 4}}
VAE = {"model": "vae", "options": {"widths": [4, 8]}, "training": QUICK}


@pytest.fixture(scope="module")
def trained_vae(tmp_path_factory):
    """A finished folder, to be copied: `finished` gives each test its own."""
    folder = tmp_path_factory.mktemp("trained") / "vae"
    train_space(settings(**VAE), folder)
    return folder


@pytest.fixture
def finished(trained_vae, tmp_path):
    return Path(shutil.copytree(trained_vae, tmp_path / "finished"))


def settings(data=FIELDS, **rest):
    return TrainingSettings.checked({"data": data, **rest})


@pytest.fixture
def micrographs(tmp_path):
    """Twelve grey pictures in two class folders."""
    images = gaussian_random_field(12, (32, 32), seed=0)[:, 0]
    for i, image in enumerate(images):
        folder = tmp_path / "micrographs" / ("fine" if i % 2 else "coarse")
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray((40 + 150 * image).astype(np.uint8)).save(folder / f"{i}.png")
    return tmp_path / "micrographs"


@pytest.fixture
def volumes(tmp_path):
    path = tmp_path / "volumes.npy"
    np.save(path, gaussian_random_field(12, (16, 17, 16), seed=0)[:, 0])
    return path


# -- data to space -------------------------------------------------------------------------------


@pytest.mark.parametrize("model", [PCA, VAE], ids=["pca", "vae"])
def test_pictures_in_class_folders_become_a_space(micrographs, tmp_path, model):
    chosen = settings({"kind": "files", "path": str(micrographs)}, **model)
    space = train_space(chosen, tmp_path / "space")
    assert space.image_shape == (1, 32, 32)
    assert space.latent_dim == (4 if model is PCA else 64)
    loaded = LatentSpace.load(tmp_path / "space")
    z = loaded.sample(2)
    assert torch.equal(loaded.decode(z), space.decode(z))
    card = (tmp_path / "space" / "README.md").read_text()
    assert "- **Data**: micrographs: coarse, fine" in card
    assert "10 training, 1 validation and 1 held-out images, by parent image" in card
    assert str(tmp_path) not in card


@pytest.mark.parametrize("model", [PCA, VAE], ids=["pca", "vae"])
def test_an_array_of_volumes_becomes_a_space(volumes, tmp_path, model):
    chosen = settings({"kind": "files", "path": str(volumes)}, **model)
    space = train_space(chosen, tmp_path / "space")
    assert space.image_shape == (1, 16, 17, 16)
    assert space.decode(space.sample(2)).shape == (2, 1, 16, 17, 16)
    assert "- **Data**: volumes.npy" in (tmp_path / "space" / "README.md").read_text()


@pytest.mark.parametrize("model", [PCA, VAE], ids=["pca", "vae"])
def test_a_synthetic_family_becomes_a_space(tmp_path, model):
    space = train_space(settings(**model), tmp_path)
    z = space.encode(gaussian_random_field(12, (32, 32), seed=0))
    np.testing.assert_allclose(z.mean(0), 0, atol=1e-8)
    assert {path.name for path in tmp_path.iterdir()} == {
        "weights.safetensors",
        "config.json",
        "README.md",
        "samples.png",
        MANIFEST,
        SPACE,
        "whitening.safetensors",
        SETTINGS,
    }
    card = (tmp_path / "README.md").read_text()
    assert "drawn independently (seeds 0 and 1; validation 2)" in card


def test_a_space_is_asked_to_invert_and_keeps_it(tmp_path):
    space = train_space(settings(space={"inversion_steps": 2}, **PCA), tmp_path)
    loaded = LatentSpace.load(tmp_path)
    assert space.inversion_steps == loaded.inversion_steps == 2
    assert "Points of images" not in (tmp_path / "README.md").read_text()
    with pytest.raises(ConfigError, match=r"train\.space\.inversion_steps"):
        settings(space={"inversion_steps": -1})


def test_a_gan_becomes_a_space_around_inverted_points_and_its_card_says_how_good_they_are(
    tmp_path, capsys
):
    options = {"widths": [4, 8], "encoder": {"widths": [4, 8]}, "sets": None}
    quick = {"model": "gan", "options": options, "training": QUICK | {"progress": True}}
    space = train_space(settings(**quick), tmp_path)
    assert space.reference_.shape == (12, 64)
    told = capsys.readouterr().err
    assert "points of training images: step 12/12" in told
    assert "inversion for the model card: step " in told
    card = (tmp_path / "README.md").read_text()
    assert "| encoder alone |" in card
    assert "| 100 steps of inversion |" in card
    assert "kl_warmup" not in card  # no stage of a gan heeds it
    assert "learning_rate 0.003" in card


def test_the_same_settings_give_the_same_space_byte_for_byte(finished, tmp_path):
    train_space(settings(**VAE), tmp_path / "b")
    assert (finished / MANIFEST).read_bytes() == (tmp_path / "b" / MANIFEST).read_bytes()


def test_the_settings_kept_rebuild_the_space(finished, tmp_path):
    kept = json.loads((finished / SETTINGS).read_text())
    kept["training"]["progress"] = False
    again = train_space(TrainingSettings.checked(kept), tmp_path / "b")
    assert again.id == LatentSpace.load(finished).id


def test_few_large_pictures_are_cut_into_regions_and_patches(tmp_path):
    np.save(tmp_path / "two.npy", gaussian_random_field(2, (160, 64), seed=0)[:, 0])
    data = {"kind": "files", "path": str(tmp_path / "two.npy"), "patch": 32}
    shares = {"fractions": [0.6, 0.2, 0.2]}
    training, _, held_out = read_split(FileData(**data, **shares))
    assert training.image_shape == held_out.image_shape == (1, 32, 32)
    assert (len(training), len(held_out)) == (2 * 3 * 2, 2 * 1 * 2)
    space = train_space(settings({**data, **shares}, **PCA), tmp_path / "space")
    assert space.image_shape == (1, 32, 32)
    card = (tmp_path / "space" / "README.md").read_text()
    assert "12 training, 4 validation and 4 held-out images, by region of each parent image" in card


def test_patches_of_many_pictures_are_split_by_picture(volumes):
    data = FileData(path=str(volumes), patch=16, stride=1)
    training, _, held_out = read_split(data)
    assert (len(training), len(held_out)) == (20, 2)
    assert not set(training.parents.tolist()) & set(held_out.parents.tolist())


def test_synthetic_training_and_held_out_structures_differ():
    training, _, held_out = read_split(FieldData(**{**FIELDS, "held_out": 12}))
    assert not (training.images == held_out.images).all(axis=(1, 2, 3)).any()


# -- the same folder again -----------------------------------------------------------------------


def test_a_finished_folder_is_loaded_and_not_trained_again(finished):
    first = LatentSpace.load(finished)
    before = {path.name: path.stat().st_mtime_ns for path in finished.iterdir()}
    shown = {**VAE, "training": {**QUICK, "progress": True}}
    assert train_space(settings(**shown), finished).id == first.id
    assert {path.name: path.stat().st_mtime_ns for path in finished.iterdir()} == before


@pytest.mark.parametrize(
    "changes",
    [
        {"training": {**QUICK, "steps": 3}},
        {"options": {"widths": [4, 8], "beta": 0.5}},
        {"data": {**FIELDS, "seed": 5}},
        PCA,
    ],
    ids=["training", "options", "data", "model"],
)
def test_a_finished_folder_refuses_other_settings(finished, changes):
    with pytest.raises(ConfigError, match=r"another training\. Choose another --out") as refusal:
        train_space(settings(**{**VAE, **changes}), finished)
    assert str(finished) in str(refusal.value)


@pytest.mark.parametrize(
    "changes",
    [{"device": "cpu"}, {"checkpoint_seconds": 1.0}],
    ids=lambda changes: "".join(changes),
)
def test_a_finished_folder_does_not_ask_how_the_training_runs(finished, changes):
    again = settings(**{**VAE, "training": {**QUICK, **changes}})
    assert train_space(again, finished).id == LatentSpace.load(finished).id


def test_a_finished_folder_may_still_say_how_its_training_ran(tmp_path):
    """As the settings of the embedded space do."""
    space = train_space(settings(**PCA), tmp_path)
    kept = json.loads(space.documents[SETTINGS])
    kept["training"] |= {"device": "cuda", "checkpoint_seconds": 9.0}
    space.documents[SETTINGS] = json_bytes(kept)
    space.save(tmp_path)
    assert train_space(settings(**PCA), tmp_path).id == space.id


def test_a_damaged_finished_folder_is_refused(tmp_path):
    train_space(settings(**PCA), tmp_path)
    (tmp_path / SPACE).write_bytes(b"{}")
    with pytest.raises(ModelFileError, match=r"space\.json: is not the file that was saved"):
        train_space(settings(**PCA), tmp_path)


@pytest.mark.parametrize("model", [PCA, VAE], ids=["pca", "vae"])
def test_a_run_killed_between_the_files_of_its_space_is_finished(tmp_path, model):
    space = train_space(settings(**model), tmp_path)
    manifest = json.loads((tmp_path / MANIFEST).read_text())
    # The manifest is written last: it is still that of the model.
    unfinished = {k: v for k, v in manifest.items() if "space" not in k and "whit" not in k}
    (tmp_path / MANIFEST).write_bytes(json_bytes(unfinished))
    assert train_space(settings(**model), tmp_path).id == space.id
    assert LatentSpace.load(tmp_path).id == space.id


# -- settings ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "path", "hint"),
    [
        ({"modell": "pca"}, "train.modell", "did you mean model?"),
        ({"training": {"stepz": 3}}, "train.training.stepz", "did you mean steps?"),
        (
            {"training": {"augmentation": {"flip": True}}},
            "train.training.augmentation.flip",
            "did you mean flips?",
        ),
        ({"data": {**FIELDS, "shap": [8, 8]}}, "train.data", "did you mean shape?"),
        ({"data": {"kind": "files"}}, "train.data", "path: required, and missing"),
        ({"data": {"kind": "fields"}}, "train.data", "'fields'"),
        (
            {"data": {**FIELDS, "ranges": {"volume_fractoin": [0.1, 0.2]}}},
            "ranges: volume_fractoin: unknown key",
            "did you mean volume_fraction?",
        ),
        ({"data": {**FIELDS, "ranges": {"anisotropy": [3, 1]}}}, "train.data", "low <= high"),
        ({"data": {**FIELDS, "ranges": {"anisotropy": 2}}}, "train.data", "two numbers"),
        ({"data": {**FIELDS, "ranges": {"anisotropy": [1, "a"]}}}, "train.data", "'a'"),
        ({"data": {**FIELDS, "ranges": {"anisotropy": [1]}}}, "train.data", "two numbers"),
        ({"data": {**FIELDS, "shape": [64]}}, "train.data", "at least 2"),
        (
            {"data": {"kind": "files", "path": "x", "fractions": [0.5, 0.5, 0.5]}},
            "fractions",
            "sum 1",
        ),
        ({"training": {"steps": 0}}, "train.training.steps", "greater than or equal to 1"),
        ({"training": {"learning_rate": "fast"}}, "train.training.learning_rate", "'fast'"),
        ({"model": "gnn"}, "train.model", "'gnn' is unknown"),
        ({"model": "vea"}, "train.model", "did you mean vae?"),
        ({"model": "cvae"}, "train.model", "'cvae' is now called resnet_vae."),
    ],
)
def test_wrong_settings_are_answered_with_their_path_and_a_hint(changes, path, hint):
    with pytest.raises(ConfigError) as refusal:
        settings(**{"data": FIELDS, **changes})
    assert path in str(refusal.value)
    assert hint in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_everything_wrong_is_reported_at_once():
    with pytest.raises(ConfigError) as refusal:
        settings(modell="pca", training={"steps": 0, "seed": -1})
    assert len(str(refusal.value).splitlines()) == 3


@pytest.mark.parametrize(
    ("options", "path", "hint"),
    [
        ({"betta": 1}, "train.options.betta", "did you mean beta?"),
        ({"beta": -1}, "train.options.beta", "greater than or equal to 0"),
        ({"reconstruction": "mae"}, "train.options.reconstruction", "'mse' or 'bce'"),
    ],
)
def test_wrong_options_of_the_network_are_answered_with_their_path(tmp_path, options, path, hint):
    with pytest.raises(ConfigError) as refusal:
        train_space(settings(options=options), tmp_path / "space")
    assert str(refusal.value).startswith(f"{path}: ")
    assert hint in str(refusal.value)
    assert not (tmp_path / "space").exists()


def test_an_unknown_option_of_pca_is_answered_with_the_nearest(tmp_path):
    with pytest.raises(ConfigError, match=r"options\.component: .*did you mean components\?"):
        train_space(settings(model="pca", options={"component": 4}), tmp_path)


@pytest.mark.parametrize(
    ("model", "name", "hint"),
    [
        ({"model": "ldm"}, "prio", "did you mean prior?"),
        ({"model": "vae"}, "prior", "known: training."),
        ({"model": "pca"}, "prior", "known: none."),
        ({"model": "ldm", "options": {"detail": None}}, "detail", "known: autoencoder, prior."),
    ],
)
def test_a_stage_that_a_model_has_not_is_refused_before_anything_is_trained(
    tmp_path, model, name, hint
):
    chosen = settings(**model, training={**QUICK, "stages": {name: {"steps": 1}}})
    with pytest.raises(ConfigError, match=rf"training\.stages\.{name}: unknown stage; ") as error:
        train_space(chosen, tmp_path / "space")
    assert str(error.value).endswith(hint)
    assert not (tmp_path / "space").exists()


@pytest.mark.parametrize(
    ("model", "training"),
    [
        ({"model": "gan"}, {"kl_warmup": 0.5}),
        ({"model": "dcgan"}, {"kl_warmup": 0.0}),
        (PCA, {"steps": 7}),
        (PCA, {"augmentation": {"flips": False}}),
    ],
)
def test_a_setting_of_the_training_without_effect_is_refused(tmp_path, model, training):
    (name,) = training
    said = rf"^train\.training\.{name}: has no effect on a {model['model']}; leave it out\.$"
    with pytest.raises(ConfigError, match=said):
        train_space(settings(**model, training=training), tmp_path / "space")
    assert not (tmp_path / "space").exists()


@pytest.mark.parametrize("model", ["gan", "dcgan"])
def test_a_gan_of_images_or_batches_that_are_too_small_is_refused(tmp_path, model):
    small = {**FIELDS, "shape": [31, 32]}
    refused(small, tmp_path / "out", "sides of 32 to 256 voxels, got 31x32. Cut", model=model)
    volumes = {**FIELDS, "shape": [15, 16, 16]}
    refused(volumes, tmp_path / "out", "sides of 16 to 64 voxels, got 15x16x16", model=model)
    for training in ({"batch_size": 1}, {"stages": {"adversarial": {"batch_size": 1}}}):
        with pytest.raises(ConfigError, match=r"batch_size: .*greater than or equal to 2, got 1"):
            settings(model=model, training=training)


def test_settings_are_read_from_yaml(tmp_path):
    path = tmp_path / "train.yaml"
    path.write_text("data: {kind: gaussian_random_field, n: 12}\nmodel: pca\n")
    chosen = TrainingSettings.read(path)
    assert (chosen.model, chosen.data.n, chosen.training.steps) == ("pca", 12, 4000)


def test_changes_replace_single_keys_of_a_file(tmp_path):
    path = tmp_path / "train.yaml"
    path.write_text("data: {kind: files, path: a, patch: 32}\ntraining: {steps: 7, seed: 1}\n")
    changes = {"data": {"kind": "files", "path": "b"}, "training": {"seed": 2}, "model": "pca"}
    chosen = TrainingSettings.read(path, changes)
    assert (chosen.data.path, chosen.data.patch) == ("b", 32)
    assert (chosen.training.steps, chosen.training.seed, chosen.model) == (7, 2, "pca")


def test_data_of_another_kind_replace_those_of_a_file(tmp_path):
    path = tmp_path / "train.yaml"
    path.write_text("data: {kind: gaussian_random_field, n: 12}\n")
    chosen = TrainingSettings.read(path, {"data": {"kind": "files", "path": "b"}})
    assert chosen.data == FileData(path="b")


def test_data_that_a_file_names_are_looked_for_beside_it(micrographs, tmp_path):
    path = tmp_path / "train.yaml"
    path.write_text("data: {kind: files, path: micrographs}\n")
    training, _, _ = read_split(TrainingSettings.read(path).data)
    assert training.image_shape == (1, 32, 32)


def test_a_mistake_in_a_file_is_named_with_the_file(tmp_path):
    path = tmp_path / "train.yaml"
    path.write_text("data: {kind: gaussian_random_field, shap: 3}\n")
    with pytest.raises(ConfigError, match=r"train\.yaml: train\.data\.shap: unknown key; did you"):
        TrainingSettings.read(path)


def test_a_device_that_is_not_there_is_answered_first(tmp_path):
    chosen = settings({"kind": "files", "path": "nowhere"}, training={"device": "abacus"})
    with pytest.raises(
        ConfigError, match=r"training\.device: 'abacus' cannot be used here"
    ) as told:
        train_space(chosen, tmp_path)
    assert "\n" not in str(told.value)


@pytest.mark.parametrize(
    ("text", "said"),
    [(b"data: [", "not YAML"), (b"- 1", "keys such as data"), (b"\xff\xfe\x00", "not YAML")],
)
def test_a_file_that_is_no_settings_is_named_in_one_line(tmp_path, text, said):
    path = tmp_path / "train.yaml"
    path.write_bytes(text)
    with pytest.raises(ConfigError, match=said) as refusal:
        TrainingSettings.read(path)
    assert str(path) in str(refusal.value)
    assert "\n" not in str(refusal.value)
    with pytest.raises(ConfigError, match="cannot be read"):
        TrainingSettings.read(tmp_path / "missing.yaml")


# -- data that cannot be used --------------------------------------------------------------------


def refused(data, folder, said, **model):
    with pytest.raises(DataError, match=said) as refusal:
        train_space(settings(data, **(model or PCA)), folder)
    assert "\n" not in str(refusal.value)
    assert not (folder / MANIFEST).exists()


def test_too_few_images_to_hold_some_out_are_refused_with_the_remedy(tmp_path):
    np.save(tmp_path / "nine.npy", gaussian_random_field(9, (32, 32), seed=0)[:, 0])
    data = {"kind": "files", "path": str(tmp_path / "nine.npy")}
    refused(data, tmp_path / "out", r"nine\.npy: 9 images are too few.*--patch")


def test_fewer_images_than_components_are_refused_by_the_name_of_the_data(tmp_path):
    refused(FIELDS, tmp_path / "out", r"pca of 64 numbers needs at least 64 .*\(12, ", model="pca")


def test_images_that_are_all_the_same_are_refused(tmp_path):
    same = {**FIELDS, "ranges": {"volume_fraction": [0.0, 1e-9]}}
    refused(same, tmp_path / "out", r"all 12 training images are the same\. Check")


def test_images_the_network_cannot_take_are_refused(tmp_path):
    refused({**FIELDS, "shape": [16, 16]}, tmp_path / "out", "32 to 256 voxels", **VAE)


def test_a_missing_folder_is_refused_by_its_name(tmp_path):
    refused({"kind": "files", "path": str(tmp_path / "nowhere")}, tmp_path / "out", "nowhere")

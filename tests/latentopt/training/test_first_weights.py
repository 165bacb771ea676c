"""A prior on top of an autoencoder that was trained before."""

import json

import pytest
import torch

from generative.files.folder import json_bytes
from latentopt import LatentSpace
from latentopt.errors import ConfigError, ModelFileError
from latentopt.training.train_space import TrainingSettings, train_space

QUICK = {"steps": 2, "batch_size": 4, "progress": False, "precision": "float32"}
FIELDS = {"kind": "gaussian_random_field", "n": 12, "held_out": 3, "shape": [32, 32]}
VAE = {"model": "vae", "options": {"widths": [4, 8]}, "training": QUICK}
PRIOR = {
    "prior": {"width": 4, "hidden": 4, "blocks": 1},
    "detail": None,
    "solver_steps": 1,
}


def trained(folder, **changes):
    settings = {"data": FIELDS, "training": QUICK, "model": "ldm", "options": PRIOR} | changes
    return train_space(TrainingSettings.checked(settings), folder)


@pytest.fixture(scope="module")
def vae(tmp_path_factory):
    folder = tmp_path_factory.mktemp("vae")
    train_space(TrainingSettings.checked({"data": FIELDS, **VAE}), folder)
    return folder


def test_an_autoencoder_that_is_given_is_left_as_it_is(vae, tmp_path):
    space = trained(tmp_path / "ldm", begin_from=str(vae))
    given = LatentSpace.load(vae).model.state_dict()
    taken = LatentSpace.load(tmp_path / "ldm").model.autoencoder.state_dict()
    assert all(torch.equal(given[name], taken[name]) for name in given)
    assert space.model.config.pretrained
    card = (tmp_path / "ldm" / "README.md").read_text()
    assert "## Noise space" in card


def test_with_a_discriminator_its_decoder_is_trained_on(vae, tmp_path):
    sharpened = PRIOR | {"detail": {"adversarial_weight": 0.5, "width": 4, "layers": 1}}
    trained(tmp_path / "ldm", begin_from=str(vae), options=sharpened)
    given = LatentSpace.load(vae).model.state_dict()
    taken = LatentSpace.load(tmp_path / "ldm").model.autoencoder.state_dict()
    assert not all(torch.equal(given[name], taken[name]) for name in given)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (
            {"model": "vae", "options": {}},
            "begin_from: is not for model vae",
        ),
        ({"data": FIELDS | {"shape": [48, 48]}}, r"expected the space of a vae .* \(1, 48, 48\)"),
    ],
)
def test_what_does_not_fit_is_refused(vae, tmp_path, changes, said):
    with pytest.raises(ConfigError, match=said):
        trained(tmp_path / "ldm", begin_from=str(vae), **changes)


def test_a_backbone_is_for_a_resnet_vae(tmp_path):
    (tmp_path / "resnet.safetensors").write_bytes(b"")
    with pytest.raises(ConfigError, match=r"begin_from: expected the space of a vae .*file"):
        trained(tmp_path / "ldm", begin_from=str(tmp_path / "resnet.safetensors"))


@pytest.mark.parametrize("former", ["autoencoder_from", "backbone_weights"])
def test_the_former_settings_are_refused_by_the_name_of_the_present_one(former):
    with pytest.raises(ConfigError, match=f"{former} is now called begin_from"):
        TrainingSettings.checked({"data": FIELDS, "model": "ldm", former: "default"})


def test_a_training_that_was_finished_with_former_settings_is_recognised(vae, tmp_path):
    space = trained(tmp_path / "ldm", begin_from=str(vae))
    document = json.loads(space.documents["training.json"])
    document |= {"autoencoder_from": document.pop("begin_from"), "backbone_weights": None}
    space.documents["training.json"] = json_bytes(document)
    space.save(tmp_path / "ldm")
    assert trained(tmp_path / "ldm", begin_from=str(vae)).id == space.id
    with pytest.raises(ConfigError, match="already holds the space of another training"):
        trained(tmp_path / "ldm")


def test_a_backbone_file_that_is_missing_is_named(tmp_path):
    options = {"width": 8, "latent_dim": 4}
    with pytest.raises(ModelFileError, match=r"resnet\.safetensors"):
        trained(tmp_path, model="resnet_vae", options=options, begin_from="resnet.safetensors")


def test_paths_in_a_file_start_at_its_folder(tmp_path):
    (tmp_path / "train.yaml").write_text(
        "data: {kind: gaussian_random_field}\nmodel: ldm\nbegin_from: space\n"
    )
    read = TrainingSettings.read(tmp_path / "train.yaml")
    assert read.begin_from == str(tmp_path / "space")

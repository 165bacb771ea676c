"""Model folders: written whole, checked on reading, and never run as code."""

import hashlib
import json
import pickle
import random
import shutil
from pathlib import Path

import pytest
import torch

from generative import PCA, VAEGAN, ConvVAE
from generative.errors import ModelFileError
from generative.files.folder import (
    CONFIG,
    FORMAT_VERSION,
    MANIFEST,
    WEIGHTS,
    json_bytes,
    read_folder,
    write_folder,
)
from generative.model_files import load_model, save_model


@pytest.fixture
def folder(tmp_path):
    images = torch.rand(9, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    model = PCA((1, 8, 8), components=3).fit(images)
    return save_model(model, tmp_path / "model", files={"README.md": b"# a model\n"})


def refusal(folder):
    with pytest.raises(ModelFileError) as caught:
        load_model(folder)
    message = str(caught.value)
    assert "\n" not in message
    assert str(folder) in message
    return message


def rewrite(folder, name, data):
    """Change a file and its line in the manifest: what a sha256 cannot notice."""
    (folder / name).write_bytes(data)
    manifest = json.loads((folder / MANIFEST).read_text())
    manifest[name] = hashlib.sha256(data).hexdigest()
    (folder / MANIFEST).write_bytes(json_bytes(manifest))


def set_config(folder, **changes):
    config = json.loads((folder / CONFIG).read_text())
    rewrite(folder, CONFIG, json_bytes({**config, **changes}))


def test_the_manifest_holds_the_sha256_of_every_other_file(folder):
    manifest = json.loads((folder / MANIFEST).read_text())
    assert set(manifest) == {path.name for path in folder.iterdir()} - {MANIFEST}
    for name, expected in manifest.items():
        assert hashlib.sha256((folder / name).read_bytes()).hexdigest() == expected


def test_the_settings_can_be_read_without_our_classes(folder):
    config = json.loads((folder / CONFIG).read_text())
    assert config == {
        "format_version": FORMAT_VERSION,
        "kind": "pca",
        "options": {"image_shape": [1, 8, 8], "components": 3},
    }


def test_saving_again_replaces_the_model_and_leaves_no_other_file(folder):
    before = {path.name for path in folder.iterdir()}
    other = PCA((1, 8, 8), components=5)
    save_model(other, folder, files={"README.md": b"another\n"})
    assert {path.name for path in folder.iterdir()} == before
    assert load_model(folder).latent_dim == 5


def test_two_savings_of_one_model_are_equal_byte_for_byte(folder, tmp_path):
    again = save_model(load_model(folder), tmp_path / "again", files={"README.md": b"# a model\n"})
    assert read_folder(again) == read_folder(folder)
    assert (again / MANIFEST).read_bytes() == (folder / MANIFEST).read_bytes()


@pytest.mark.parametrize("name", [WEIGHTS, CONFIG, "README.md"])
def test_a_changed_or_truncated_file_is_named(folder, name):
    data = (folder / name).read_bytes()
    for changed in (data[:-1], data + b" ", bytes([data[0] ^ 1]) + data[1:], b""):
        (folder / name).write_bytes(changed)
        message = refusal(folder)
        assert f"{folder / name}: is not the file that was saved" in message
        assert "Restore the folder from a copy" in message


@pytest.mark.parametrize("name", [WEIGHTS, CONFIG, "README.md"])
def test_a_missing_file_is_named(folder, name):
    (folder / name).unlink()
    message = refusal(folder)
    assert f"{folder / name}: cannot be read (No such file or directory). Restore" in message


def test_a_folder_without_a_manifest_is_not_a_model(folder, tmp_path):
    (folder / MANIFEST).unlink()
    assert "no manifest.json here" in refusal(folder)
    assert "latentopt train --out" in refusal(tmp_path / "nowhere")


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b"3", b"\xff\xfe", b"[" * 100000])
@pytest.mark.parametrize("name", [MANIFEST, CONFIG])
def test_settings_that_are_not_json_are_named(folder, name, data):
    if name == MANIFEST:
        (folder / name).write_bytes(data)
    else:
        rewrite(folder, name, data)
    assert f"its {name} is missing or damaged. Restore" in refusal(folder)


@pytest.mark.parametrize("name", ["../secret", "/etc/hostname", "a/b", "..", "", "a\0b"])
def test_a_manifest_that_names_a_path_outside_is_refused(folder, name):
    secret = folder.parent / "secret"
    secret.write_bytes(b"secret")
    manifest = json.loads((folder / MANIFEST).read_text())
    manifest[name] = hashlib.sha256(b"secret").hexdigest()
    (folder / MANIFEST).write_bytes(json_bytes(manifest))
    assert "Restore" in refusal(folder)


@pytest.mark.parametrize("version", [FORMAT_VERSION + 1, 99, "1", None, 1.5])
def test_a_newer_format_is_refused_with_both_versions_and_the_remedy(folder, version):
    set_config(folder, format_version=version)
    message = refusal(folder)
    assert f"{CONFIG} has format_version {version}" in message
    assert f"up to {FORMAT_VERSION}" in message
    assert "pip install -U latentopt" in message


@pytest.mark.parametrize("kind", ["gnn", None, 3, ["pca"], {}])
def test_an_unknown_kind_is_refused_with_those_there_are(folder, kind):
    set_config(folder, kind=kind)
    assert f"unknown model {kind!r}; this version knows pca, vae" in refusal(folder)


@pytest.mark.parametrize(
    "options",
    [
        {"image_shape": [1, 8, 8], "components": 4},
        {"image_shape": [1, 8, 9], "components": 3},
        {"image_shape": [1, 8, 8], "component": 3},
        {"image_shape": [1, 8, 8], "components": 0},
        {},
        [],
        None,
    ],
)
def test_weights_that_do_not_fit_the_settings_are_refused(folder, options):
    set_config(folder, options=options)
    assert "its weights do not fit its settings" in refusal(folder)


def test_weights_of_another_model_are_refused(folder, tmp_path):
    other = save_model(ConvVAE((1, 32, 32), widths=(4, 8)), tmp_path / "other")
    rewrite(folder, WEIGHTS, (other / WEIGHTS).read_bytes())
    assert "its weights do not fit its settings" in refusal(folder)


def test_a_manifest_without_the_weights_is_refused(folder):
    manifest = json.loads((folder / MANIFEST).read_text())
    (folder / MANIFEST).write_bytes(json_bytes({CONFIG: manifest[CONFIG]}))
    assert WEIGHTS in refusal(folder)


def test_no_mutation_of_any_file_is_loaded(folder, tmp_path):
    rng = random.Random(0)
    names = sorted(path.name for path in folder.iterdir())
    for i in range(200):
        copy = tmp_path / f"copy{i}"
        shutil.copytree(folder, copy)
        target = copy / rng.choice(names)
        data = bytearray(target.read_bytes())
        match rng.randrange(4):
            case 0:
                data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
            case 1:
                del data[rng.randrange(len(data)) :]
            case 2:
                start = rng.randrange(len(data))
                data[start : start + 8] = rng.randbytes(9)
            case 3:
                data += rng.randbytes(5)
        target.write_bytes(data)
        refusal(copy)
        shutil.rmtree(copy)


class Bomb:
    """Touches a file when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


@pytest.mark.parametrize("name", [WEIGHTS, CONFIG])
def test_nothing_is_ever_unpickled(folder, tmp_path, name):
    rewrite(folder, name, pickle.dumps(Bomb(tmp_path / "exploded")))
    refusal(folder)
    assert not (tmp_path / "exploded").exists()


def test_a_disk_that_is_full_is_named_and_the_saved_model_survives(folder, files_of_at_most):
    before = read_folder(folder)
    match = r"cannot be written .*; free space"
    with files_of_at_most(500), pytest.raises(OSError, match=match) as caught:
        save_model(PCA((1, 8, 8), components=5), folder)
    assert caught.value.filename == str(folder)
    assert "\n" not in str(caught.value)
    assert read_folder(folder) == before
    assert not list(folder.glob(".*"))


def test_a_place_that_cannot_be_a_folder_is_named(folder):
    with pytest.raises(OSError, match="cannot be written") as caught:
        write_folder(folder / CONFIG / "model", {"a": b"b"})
    assert isinstance(caught.value, NotADirectoryError)
    assert str(folder / CONFIG) in str(caught.value)


def test_loading_draws_no_random_numbers(tmp_path):
    folder = save_model(ConvVAE((1, 32, 32), widths=(4, 8)), tmp_path)
    state = torch.get_rng_state()
    load_model(folder)
    assert torch.equal(torch.get_rng_state(), state)


def test_numbers_that_are_not_finite_are_never_written_as_json():
    with pytest.raises(ValueError, match="not JSON compliant"):
        json_bytes({"radius": float("nan")})


def test_former_names_of_kinds_are_read(tmp_path):
    model = VAEGAN((1, 32, 32), autoencoder="resnet_vae", options={"width": 2, "latent_dim": 3})
    folder = save_model(model, tmp_path / "model")
    former = {**model.options(), "autoencoder": "cvae"}
    set_config(folder, options=former)
    assert load_model(folder).options() == model.options()
    folder = save_model(model.autoencoder, tmp_path / "inner")
    set_config(folder, kind="cvae")
    assert type(load_model(folder)) is type(model.autoencoder)

"""A space on disk: the same after as before, or refused by the file that is wrong."""

import hashlib
import json
import shutil

import numpy as np
import pytest
import torch

from generative import PCA, ConvVAE
from generative.data.synthetic import gaussian_random_field
from generative.files.folder import MANIFEST, json_bytes
from generative.model_files import load_model, save_model
from latentopt import LatentSpace
from latentopt.errors import ModelFileError
from latentopt.space.files import SPACE, WHITENING, is_space

IMAGES = gaussian_random_field(80, (32, 32), seed=0)
CODES = torch.randn(60, 3, generator=torch.Generator().manual_seed(0))


class Waves:
    """A decoder such as a user writes: no torch module, three numbers."""

    latent_dim = 3
    image_shape = (1, 4, 5)
    weights = torch.randn(3, 20, generator=torch.Generator().manual_seed(1))

    def decode(self, code):
        return (code @ self.weights).sigmoid().reshape(-1, *self.image_shape)


class InvertibleWaves(Waves):
    def encode(self, images):
        return images.flatten(1).clamp(1e-6, 1 - 1e-6).logit() @ torch.linalg.pinv(self.weights)


def pca_space():
    x = torch.from_numpy(IMAGES)
    return LatentSpace.fit(PCA((1, 32, 32), components=5).fit(x), x)


def vae_space():
    return LatentSpace.fit(ConvVAE((1, 32, 32), widths=(4, 8)), IMAGES)


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    space = pca_space()
    space.documents = {"README.md": b"# my space\n", "notes.txt": b"mine"}
    return space, space.save(tmp_path_factory.mktemp("space") / "deeper" / "space")


@pytest.fixture
def folder(saved, tmp_path):
    return shutil.copytree(saved[1], tmp_path / "space")


def refusal(folder, **arguments):
    with pytest.raises(ModelFileError) as caught:
        LatentSpace.load(folder, **arguments)
    message = str(caught.value)
    assert "\n" not in message
    assert str(folder) in message
    return message


def rewrite(folder, name, **changes):
    """Change settings and their line in the manifest: what a sha256 cannot notice."""
    settings = {**json.loads((folder / name).read_text()), **changes}
    data = json_bytes({key: value for key, value in settings.items() if value is not ...})
    (folder / name).write_bytes(data)
    manifest = json.loads((folder / MANIFEST).read_text())
    manifest[name] = hashlib.sha256(data).hexdigest()
    (folder / MANIFEST).write_bytes(json_bytes(manifest))


def forget(folder, name):
    manifest = json.loads((folder / MANIFEST).read_text())
    del manifest[name]
    (folder / MANIFEST).write_bytes(json_bytes(manifest))


# -- there and back ------------------------------------------------------------------------------


@pytest.mark.parametrize("make", [pca_space, vae_space])
def test_a_space_is_the_same_after_it_is_saved(make, tmp_path):
    space = make()
    loaded = LatentSpace.load(space.save(tmp_path))
    assert loaded.id == space.id
    assert loaded.radius == space.radius
    assert (loaded.latent_dim, loaded.image_shape) == (space.latent_dim, space.image_shape)
    z = space.sample(3)
    assert torch.equal(loaded.sample(3), z)
    assert torch.equal(loaded.decode(z), space.decode(z))
    np.testing.assert_array_equal(loaded.encode(IMAGES[:9]), space.encode(IMAGES[:9]))
    assert torch.equal(loaded.distance_from_data(z), space.distance_from_data(z))
    assert torch.equal(loaded.bounds, space.bounds)


def test_documents_are_kept(saved, tmp_path):
    space, folder = saved
    loaded = LatentSpace.load(folder)
    assert loaded.documents == space.documents
    again = loaded.save(tmp_path)
    assert (again / MANIFEST).read_bytes() == (folder / MANIFEST).read_bytes()


def test_its_folder_is_a_model_folder_too(saved):
    space, folder = saved
    model = load_model(folder)
    x = torch.from_numpy(IMAGES[:4])
    assert torch.equal(model.encode(x), space.model.encode(x))


def test_its_settings_can_be_read_without_our_classes(saved):
    space, folder = saved
    settings = json.loads((folder / SPACE).read_text())
    assert settings == {
        "format_version": 1,
        "id": space.id,
        "latent_dim": 5,
        "image_shape": [1, 32, 32],
        "radius": space.radius,
        "inversion_steps": 0,
    }


def test_the_model_of_a_loaded_space_is_fixed_and_still_differentiable_in_z(saved):
    loaded = LatentSpace.load(saved[1])
    assert not any(p.requires_grad for p in loaded.model.parameters())
    z = loaded.sample(1).requires_grad_()
    loaded.decode(z).sum().backward()
    assert z.grad.abs().max() > 0


def test_loading_draws_no_random_numbers(tmp_path):
    folder = vae_space().save(tmp_path)
    state = torch.get_rng_state()
    LatentSpace.load(folder)
    assert torch.equal(torch.get_rng_state(), state)


# -- a model of the user's own -------------------------------------------------------------------


@pytest.mark.parametrize(
    "space",
    [
        LatentSpace.from_prior(Waves()),
        LatentSpace.fit(InvertibleWaves(), InvertibleWaves().decode(CODES)),
    ],
    ids=["decoder", "autoencoder"],
)
def test_a_space_around_a_users_own_model_is_loaded_with_that_model(space, tmp_path):
    folder = space.save(tmp_path)
    loaded = LatentSpace.load(folder, model=type(space.model)())
    z = space.sample(4)
    assert loaded.id == space.id
    assert torch.equal(loaded.decode(z), space.decode(z))
    assert torch.equal(loaded.distance_from_data(z), space.distance_from_data(z))
    message = refusal(folder)
    assert "saved around a model of your own" in message
    assert "LatentSpace.load(folder, model=...)" in message


def test_a_users_own_kind_of_our_model_is_theirs_to_give(tmp_path):
    class Inverted(PCA):
        def decode(self, code):
            return 1 - super().decode(code)

    x = torch.from_numpy(IMAGES)
    space = LatentSpace.fit(Inverted((1, 32, 32), components=5).fit(x), x)
    folder = space.save(tmp_path)
    assert "a model of your own" in refusal(folder)
    z = space.sample(2)
    assert torch.equal(LatentSpace.load(folder, model=space.model).decode(z), space.decode(z))


def test_a_model_of_another_size_is_refused_with_both(tmp_path):
    folder = LatentSpace.from_prior(Waves()).save(tmp_path)

    class Wider(Waves):
        latent_dim = 4

    class Larger(Waves):
        image_shape = (1, 5, 4)

    assert "codes of 3 numbers, the model given has 4" in refusal(folder, model=Wider())
    message = refusal(folder, model=Larger())
    assert "images [1, 4, 5], the model given makes [1, 5, 4]" in message


# -- refused -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name", ["weights.safetensors", "config.json", SPACE, WHITENING, "README.md"]
)
def test_a_changed_truncated_or_missing_file_is_named(folder, name):
    data = (folder / name).read_bytes()
    for changed in (data[:-1], data[: len(data) // 2], data[:-9] + b"#" + data[-8:]):
        (folder / name).write_bytes(changed)
        assert f"{folder / name}: is not the file that was saved" in refusal(folder)
    (folder / name).unlink()
    assert f"{folder / name}: cannot be read" in refusal(folder)


@pytest.mark.parametrize("name", [SPACE, "config.json"])
def test_a_newer_format_is_refused_with_the_remedy(folder, name):
    rewrite(folder, name, format_version=2)
    message = refusal(folder)
    assert f"{name} has format_version 2" in message
    assert "pip install -U latentopt" in message


@pytest.mark.parametrize("name", [SPACE, WHITENING])
def test_a_folder_that_holds_only_a_model_says_how_to_make_a_space(folder, name):
    forget(folder, name)
    assert "LatentSpace.fit(load_model(folder), images)" in refusal(folder)


@pytest.mark.parametrize(
    "changes", [{"radius": ...}, {"radius": "wide"}, {"radius": None}, {"image_shape": ...}]
)
def test_settings_that_lack_something_are_refused(folder, changes):
    rewrite(folder, SPACE, **changes)
    refusal(folder)


def test_a_whitening_that_lacks_something_is_refused(folder):
    (folder / WHITENING).write_bytes((folder / "weights.safetensors").read_bytes())
    manifest = json.loads((folder / MANIFEST).read_text())
    manifest[WHITENING] = manifest["weights.safetensors"]
    (folder / MANIFEST).write_bytes(json_bytes(manifest))
    assert "its whitening is incomplete" in refusal(folder)


def test_a_folder_that_is_not_there_or_a_file_is_refused(folder, tmp_path):
    assert "no manifest.json here" in refusal(tmp_path / "nowhere")
    assert "no manifest.json here" in refusal(folder / SPACE)


# -- finished or not -----------------------------------------------------------------------------


def test_a_folder_is_a_space_once_its_manifest_names_one(folder, tmp_path):
    assert is_space(folder)
    assert not is_space(tmp_path / "nowhere")
    # The space's files without its manifest: a save that was killed just before its end.
    model = save_model(PCA((1, 8, 8), components=2), tmp_path / "model")
    shutil.copy(folder / SPACE, model / SPACE)
    assert not is_space(model)


def test_a_damaged_manifest_is_refused_rather_than_written_over(folder):
    (folder / MANIFEST).write_bytes(b"{")
    with pytest.raises(ModelFileError, match=r"manifest\.json is missing or damaged"):
        is_space(folder)


def test_the_folder_may_be_given_as_a_string(saved):
    assert LatentSpace.load(str(saved[1])).id == saved[0].id

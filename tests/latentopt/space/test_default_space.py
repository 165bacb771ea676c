"""The space that comes with the package: whole, small, anonymous, and better than PCA by far."""

import json
import re
from pathlib import Path

import pytest
import torch

import latentopt
from generative import PCA
from generative.data.synthetic import gaussian_random_field
from generative.files.folder import read_folder
from generative.model import reconstruct
from generative.stages.reconstruction import reconstruction_errors
from latentopt import LatentSpace
from latentopt.space.files import SETTINGS

FOLDER = Path(latentopt.__file__).parent / "assets" / "default_space"
UNSEEN = 987_654_321  # a seed that no training uses


@pytest.fixture(scope="module")
def space():
    return LatentSpace.default()


def test_it_has_64_numbers_for_images_of_64_by_64(space):
    assert space.latent_dim == 64
    assert space.image_shape == (1, 64, 64)
    assert 7 < space.radius < 11


def test_it_is_at_most_8_megabytes():
    assert sum(path.stat().st_size for path in FOLDER.rglob("*")) <= 8e6


def test_its_manifest_names_every_file_and_each_is_as_it_was_saved(space):
    files = read_folder(FOLDER)
    assert {path.name for path in FOLDER.iterdir()} == {*files, "manifest.json"}
    assert json.loads(files["space.json"])["id"] == space.id


def test_its_model_card_gives_its_figures_beside_those_of_pca():
    card = (FOLDER / "README.md").read_text()
    rows = dict(re.findall(r"^\| (vae|PCA-64) \|(.*)\|$", card, re.MULTILINE))
    vae, pca = ([float(cell) for cell in rows[name].split("|")] for name in ("vae", "PCA-64"))
    assert vae[0] <= 0.6 * pca[0]
    assert vae[1] > pca[1]
    assert vae[2] <= 0.45 * pca[2]
    assert "gaussian_random_field" in card
    assert "held-out" in card


def test_it_names_no_folder_of_the_machine_it_was_made_on():
    for path in FOLDER.iterdir():
        if path.suffix in (".md", ".json"):
            text = path.read_text()
            assert not re.search(r"(/home|/root|/work|/tmp|/Users|[A-Z]:\\)", text), path.name


def test_its_settings_were_of_the_synthetic_family_and_of_another_seed():
    data = json.loads((FOLDER / SETTINGS).read_text())["data"]
    assert data["kind"] == "gaussian_random_field"
    assert UNSEEN not in (data["seed"], data["seed"] + 1)


def test_its_samples_are_two_phase_structures_of_every_fraction(space):
    images = space.decode(space.sample(200, seed=0))
    assert ((images < 0.2) | (images > 0.8)).double().mean() > 0.7
    fractions = images.mean((1, 2, 3))
    assert fractions.min() < 0.35
    assert fractions.max() > 0.65


def test_unseen_structures_are_as_near_as_the_training_set_to_itself(space):
    z = space.encode(gaussian_random_field(100, (64, 64), seed=UNSEEN))
    assert 0.8 < float(space.distance_from_data(torch.from_numpy(z)).median()) < 1.2
    inside = (torch.from_numpy(z).norm(dim=1) <= space.radius).double().mean()
    assert inside > 0.8


@pytest.mark.slow
def test_unseen_structures_come_back_far_better_than_from_64_principal_components(space):
    images = torch.from_numpy(gaussian_random_field(100, (64, 64), seed=UNSEEN))
    training = torch.from_numpy(gaussian_random_field(1000, (64, 64), seed=UNSEEN + 1))
    pca = reconstruction_errors(images, reconstruct(PCA((1, 64, 64)).fit(training), images))
    ours = reconstruction_errors(images, space.decode(space.encode(images)))
    assert ours.mse <= 0.6 * pca.mse
    assert ours.two_point_mae <= 0.45 * pca.two_point_mae
    assert ours.ssim > pca.ssim
    assert ours.interface_ratio > pca.interface_ratio

"""A model without an encoder goes the whole way: trained, saved, judged, searched, reported."""

import json
import shutil

import numpy as np
import pytest
import torch
import yaml

from generative import MODELS
from generative.data.synthetic import gaussian_random_field
from latentopt import LatentSpace
from latentopt.errors import ConfigError
from latentopt.fidelity.interpolation import interpolation_figures
from latentopt.runs.run import Run
from latentopt.space.inversion import InversionConfig, invert

SETTINGS = {
    "data": {"kind": "gaussian_random_field", "n": 40, "held_out": 12, "shape": [8, 8]},
    "model": "tiny_generator",
    "training": {"steps": 60, "batch_size": 16, "progress": False, "learning_rate": 0.01},
}
CAMPAIGN = {
    "space": "space",
    "objective": "volume_fraction",
    "evaluate": [{"kind": "volume_fraction"}],
    "strategy": {"kind": "gp", "initial": 4},
    "trials": 6,
    "engine": "serial",
}


@pytest.fixture
def command(run, tiny_generator, monkeypatch, tmp_path):
    """A command of the program, which knows the model; it has to succeed."""
    monkeypatch.setitem(MODELS, tiny_generator.kind, tiny_generator)
    monkeypatch.chdir(tmp_path)

    def call(*arguments):
        code, out, error = run(*arguments)
        assert code == 0, out + error
        return out + error

    return call


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """Where the space is kept that is trained once."""
    return tmp_path_factory.mktemp("trained")


@pytest.fixture
def space(command, trained, tmp_path):
    """A copy of the trained space in the folder of the test."""
    if not (trained / "space").exists():
        (trained / "train.yaml").write_text(yaml.safe_dump(SETTINGS))
        command("train", "--config", trained / "train.yaml", "--out", trained / "space")
    shutil.copytree(trained / "space", tmp_path / "space")
    return LatentSpace.load(tmp_path / "space")


def test_it_is_trained_to_a_space_of_its_prior_with_a_card(space, tmp_path, tiny_generator):
    assert type(space.model) is tiny_generator
    assert not space.encodes
    assert torch.equal(space.whitening.axes, torch.eye(4, dtype=torch.float64))
    assert 2.5 < space.radius < 3.5  # 3.08 holds 95 % of a standard normal in four dimensions
    card = (tmp_path / "space" / "README.md").read_text()
    assert "This model has no encoder and reconstructs nothing" in card
    assert "draws from the standard normal distribution" in card
    assert (tmp_path / "space" / "samples.png").stat().st_size > 1000


def test_its_draws_have_come_nearer_to_the_images(space, tiny_generator):
    images = torch.from_numpy(gaussian_random_field(200, (8, 8), seed=3))
    torch.manual_seed(0)
    before = LatentSpace.from_prior(tiny_generator((1, 8, 8)))
    spreads = [
        made.decode(made.sample(200, seed=1)).mean((1, 2, 3)).std() for made in (before, space)
    ]
    real = images.mean((1, 2, 3)).std()
    assert (spreads[1] - real).abs() < (spreads[0] - real).abs()


def test_a_saved_space_is_the_same_space(space, tmp_path):
    again = LatentSpace.load(space.save(tmp_path / "again"))
    z = space.sample(5, seed=2)
    assert again.id == space.id
    assert torch.equal(again.decode(z), space.decode(z))


def test_it_is_evaluated_by_its_samples(space, command, tmp_path):
    np.save(tmp_path / "held_out.npy", gaussian_random_field(48, (8, 8), seed=5))
    said = command(
        *("evaluate", "space", "--data", "held_out.npy", "--samples", 40, "--out", "fidelity")
    )
    assert "space has no encoder: it reconstructs nothing" in said
    assert "no encoder" in (tmp_path / "fidelity" / "report.html").read_text()
    table = json.loads((tmp_path / "fidelity" / "fidelity.json").read_text())["spaces"][0]
    figures = table["groups"][0]["figures"]
    assert "frechet_two_point" in figures
    assert "mse" not in figures
    assert "p_reconstructed" not in figures


def test_a_campaign_searches_it_and_is_reported(space, command, tmp_path):
    (tmp_path / "campaign.yaml").write_text(yaml.safe_dump(CAMPAIGN))
    command("optimize", "campaign.yaml", "--out", "run")
    run = Run.read(tmp_path / "run")
    assert len(run.trials) == 6
    assert {trial.status for trial in run.trials} == {"completed"}
    command("report", "run")
    assert "volume_fraction" in (tmp_path / "run" / "report.html").read_text()


def test_retraining_is_refused_before_a_trial(space, run, tmp_path):
    settings = {**CAMPAIGN, "retrain": {"every": 2}}
    (tmp_path / "campaign.yaml").write_text(yaml.safe_dump(settings))
    code, _, error = run("optimize", "campaign.yaml", "--out", "run")
    assert code == 2
    assert "retrain: a tiny_generator has no encoder" in error


def test_points_of_images_are_found_by_inversion_alone(space):
    target = space.decode(space.sample(2, seed=4))
    found = invert(space, target, InversionConfig(steps=30))
    assert found.z.shape == (2, 4)
    for asked in (space.encode, lambda images: space.cycle_error(space.sample(2))):
        with pytest.raises(TypeError, match="TinyGenerator cannot encode"):
            asked(target)


def test_paths_between_images_are_refused(space):
    images = gaussian_random_field(8, (8, 8), seed=6)
    with pytest.raises(ConfigError, match="mine: its model has no encoder"):
        interpolation_figures({"mine": space}, images[None, :2], reference=images)


def test_measured_structures_are_imported_by_inversion(space, command, tmp_path):
    np.save(tmp_path / "images.npy", space.decode(space.sample(3, seed=9)).numpy() > 0.5)
    (tmp_path / "data.csv").write_text("volume_fraction\n.1\n.2\n.3\n")
    (tmp_path / "campaign.yaml").write_text(yaml.safe_dump({**CAMPAIGN, "folder": "run"}))
    said = command(
        *("import", "campaign.yaml", "data.csv", "--images", "images.npy", "--tolerance", 1)
    )
    assert "structures imported as trials 0 to" in said


def test_encoding_is_refused_in_one_line(space, run, tmp_path):
    np.save(tmp_path / "images.npy", gaussian_random_field(2, (8, 8), seed=6))
    code, _, error = run("encode", "space", "images.npy")
    assert code == 3
    assert "TinyGenerator cannot encode" in error

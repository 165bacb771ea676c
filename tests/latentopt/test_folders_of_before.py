"""Spaces, campaigns and surrogates written by commit 34cc97d load, answer the same and go on."""

import json
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch

from latentopt import LatentSpace
from latentopt.runs.run import Run
from objectives.pymks_import import pymks_installed
from objectives.surrogates import load_surrogate

ARCHIVE = Path(__file__).parents[1] / "data" / "folders_of_34cc97d.zip"
WITHIN = ARCHIVE.name, zipfile.ZipFile(ARCHIVE).namelist()
SPACES, SURROGATES, CAMPAIGNS = (
    sorted({name.split("/")[1] for name in WITHIN[1] if name.startswith(f"{room}/")})
    for room in ("spaces", "surrogates", "campaigns")
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The archive holds spaces of each model in 2-D, of two in 3-D, and what was made with them.

    The first trials of `structure` were imported, `screened` asks a surrogate, `pareto` has two
    objectives and is proposed by Ax. `spaces.npz` and `surrogates.npz` are what they answered.
    """
    folder = tmp_path_factory.mktemp("before")
    zipfile.ZipFile(ARCHIVE).extractall(folder)
    return folder


def test_the_archive_holds_what_there_was():
    assert [
        *("cvae", "ldm", "ldm_conditional", "lsgm", "pca", "pca_3d", "vae", "vae_3d", "vae_gan")
    ] == SPACES
    assert [
        *("cnn", "latent_gp", "pymks_localization", "pymks_pipeline", "two_point_gp")
    ] == SURROGATES
    assert CAMPAIGNS == ["pareto", "screened", "sobol", "structure"]


@pytest.mark.parametrize("name", SPACES)
def test_a_space_decodes_and_encodes_as_it_did(folder, name):
    space = LatentSpace.load(folder / "spaces" / name)
    answers = np.load(folder / "spaces.npz")
    z, decoded, images, encoded = (
        torch.from_numpy(answers[f"{name}.{what}"])
        for what in ("z", "decoded", "images", "encoded")
    )
    torch.testing.assert_close(space.decode(z), decoded, rtol=1e-3, atol=1e-4)
    # Whitening magnifies rounding, which processors do differently, where codes hardly vary.
    torch.testing.assert_close(space.encode(images), encoded, rtol=1e-3, atol=1e-2)
    assert space.inversion_steps == 0
    assert space.reference_classes_ is None
    assert decoded.std() > 1e-4  # it would notice weights that are not there


@pytest.mark.parametrize("name", SPACES)
def test_a_space_saved_again_is_the_same_space(folder, name, tmp_path):
    space = LatentSpace.load(folder / "spaces" / name)
    again = LatentSpace.load(space.save(tmp_path / "again"))
    assert again.id == space.id
    assert again.model.kind == space.model.kind


@pytest.mark.parametrize("name", SURROGATES)
def test_a_surrogate_predicts_what_it_did(folder, name):
    if name.startswith("pymks") and not pymks_installed():
        pytest.skip("PyMKS is not installed")
    answers = np.load(folder / "surrogates.npz")
    given = {}
    if name == "latent_gp":
        given["encode"] = LatentSpace.load(folder / "spaces" / "pca").encode
    surrogate = load_surrogate(folder / "surrogates" / name, **given)
    prediction = surrogate.predict(torch.from_numpy(answers["images"]))
    for part, value in zip(("mean", "std"), prediction, strict=True):
        expected = torch.from_numpy(answers[f"{name}.{part}"])
        torch.testing.assert_close(value, expected, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("name", CAMPAIGNS)
def test_a_campaign_is_read_with_all_its_trials(folder, name):
    run = Run.read(folder / "campaigns" / name)
    events = [json.loads(line)["e"] for line in (run.folder / "journal.jsonl").open()]
    told = [event for event in events if event["kind"] == "tell"]
    assert len(told) >= 8 or name == "sobol"
    for event in told:
        measured = run.trials[event["trial"]].metrics
        assert event["metrics"].items() <= measured.items()


@pytest.mark.slow
@pytest.mark.parametrize("name", ["screened", "sobol", "structure"])
def test_a_campaign_goes_on(folder, name, run, monkeypatch):
    if name == "screened" and not pymks_installed():
        pytest.skip("PyMKS is not installed")
    monkeypatch.chdir(folder)
    campaign = folder / "campaigns" / name
    before = Run.read(campaign).trials
    code, out, error = run(
        *(
            "optimize",
            f"{name}.yaml",
            "--out",
            campaign,
            "--trials",
            10 if name != "structure" else 12,
        )
    )
    assert code == 0, out + error
    after = Run.read(campaign).trials
    assert len(after) > len(before)
    for old, new in zip(before, after, strict=False):
        assert (old.index, list(old.z), old.metrics) == (new.index, list(new.z), new.metrics)

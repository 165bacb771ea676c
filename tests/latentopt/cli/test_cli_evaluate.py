"""The command ``latentopt evaluate`` as a user runs it: files, progress, exit codes."""

import csv
import json
import re

import numpy as np
import pytest

from generative.autoencoders.pca import PCA
from generative.batching import to_tensor
from generative.data.synthetic import gaussian_random_field
from latentopt.fidelity.spaces import FIGURES
from latentopt.space.latent_space import LatentSpace
from latentopt.training.train_space import TrainingSettings, read_split, train_space

USAGE, DATA, CAMPAIGN = 2, 3, 4
FILES = {"report.html", "fidelity.json", "fidelity.csv", "bars.png", "structures.png"}


def saved(folder, side, components):
    images = to_tensor(gaussian_random_field(40, (side, side), seed=0))
    space = LatentSpace.fit(PCA((1, side, side), components=components).fit(images), images)
    return space.save(folder)


@pytest.fixture(scope="module")
def spaces(tmp_path_factory):
    folder = tmp_path_factory.mktemp("spaces")
    return saved(folder / "<b>rough", 16, 2), saved(folder / "fine", 16, 16)


@pytest.mark.slow
def test_held_out_images_that_a_space_was_trained_on_are_counted(run, tmp_path):
    """Without the training images: the space knows them, mirrored and turned ones too."""
    images = gaussian_random_field(90, (16, 16), seed=3)
    np.save(tmp_path / "images.npy", images)
    settings = {"kind": "files", "path": str(tmp_path / "images.npy")}
    chosen = TrainingSettings(data=settings, model="pca", options={"components": 4})
    train_space(chosen, tmp_path / "space")
    training, _, held_out = read_split(chosen.data)
    turned = np.rot90(training.images[:3], axes=(2, 3))
    np.save(tmp_path / "fresh.npy", held_out.images)
    np.save(tmp_path / "mixed.npy", np.concatenate([held_out.images, turned]))
    for name, seen in (("fresh", 0), ("mixed", 3)):
        out = tmp_path / name
        ask = ("--data", tmp_path / f"{name}.npy", "--samples", 8, "--no-classes", "--out", out)
        code, _, err = run("evaluate", tmp_path / "space", *ask)
        assert code == 0
        assert (f"warning: {seen} of the held-out images are training" in err) == bool(seen)
        figures = json.loads((out / "fidelity.json").read_text())["spaces"][0]["groups"][0]
        assert figures["figures"]["seen"] == pytest.approx(seen / (len(held_out) + seen))


def test_images_of_several_sizes_are_evaluated_by_their_patches(run, spaces, tmp_path):
    (tmp_path / "images").mkdir()
    for name, shape in (("a", (48, 40)), ("b", (32, 70))):
        image = gaussian_random_field(1, shape, seed=5)[0, 0]
        np.save(tmp_path / "images" / f"{name}.npy", image)
    ask = ("--data", tmp_path / "images", "--samples", 8, "--no-classes", "--out", tmp_path / "o")
    code, _, err = run("evaluate", spaces[1], *ask)
    assert (code, "cut patches of one size (--patch)" in err) == (DATA, True)
    code, _, err = run("evaluate", spaces[1], *ask, "--patch")
    assert code == 0, err
    group = json.loads((tmp_path / "o" / "fidelity.json").read_text())["spaces"][0]["groups"][0]
    assert (group["images"], group["parents"]) == (6 + 8, 2)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    for seed, name in enumerate(("fine & even", "coarse")):
        (folder / name).mkdir()
        np.save(folder / name / "a.npy", gaussian_random_field(12, (16, 16), seed=seed)[:, 0])
    return folder


@pytest.mark.slow
def test_two_spaces_make_a_page_a_table_and_pictures(run, spaces, data, tmp_path):
    out = tmp_path / "new" / "out"
    code, printed, err = run(
        "evaluate", *spaces, "--data", data, "--training", data, "--samples", 10, "--out", out
    )
    assert (code, {path.name for path in out.glob("[!.]*")}) == (0, FILES)
    assert str(out / "report.html") in printed
    assert "1/11" in err
    assert "11/11" in err
    document = json.loads((out / "fidelity.json").read_text())
    names = [[group["name"] for group in space["groups"]] for space in document["spaces"]]
    assert names == [["all", "coarse", "fine & even"]] * 2
    rows = list(csv.DictReader((out / "fidelity.csv").read_text().splitlines()))
    assert len(rows) == 6
    assert set(FIGURES) < set(rows[0])
    figures = document["spaces"][0]["groups"][0]["figures"]
    assert float(rows[0]["mse"]) == figures["mse"]
    assert figures["seen"] == 1.0
    assert "24 of the held-out images are training images too" in (out / "report.html").read_text()


def test_the_page_holds_its_pictures_and_nothing_that_leaves_it(run, spaces, data, tmp_path):
    assert run("evaluate", *spaces, "--data", data, "--samples", 10, "--out", tmp_path)[0] == 0
    page = (tmp_path / "report.html").read_text()
    assert page.count("data:image/png;base64,") == 4  # two figures, each for light and for dark
    assert not re.search(r"https?://|<script|<link rel=.stylesheet", page)
    assert "<b>rough" not in page
    assert "fine &amp; even" in page


def test_no_classes_gives_the_figures_of_all_images_alone(run, spaces, data, tmp_path):
    code, printed, _ = run(
        "evaluate", spaces[1], "--data", data, "--no-classes", "--samples", 10, "--out", tmp_path
    )
    assert code == 0
    assert len(printed.splitlines()) == 3  # heads, one row, path of the page


def test_patches_of_the_spaces_size_are_cut_from_larger_images(run, spaces, tmp_path):
    large = tmp_path / "large.npy"
    np.save(large, gaussian_random_field(3, (40, 32), seed=0)[:, 0])
    code, _, err = run("evaluate", spaces[1], "--data", large, "--out", tmp_path / "out")
    assert code == DATA
    assert "Cut patches with --patch" in err
    arguments = ("--patch", "--samples", 10, "--out", tmp_path / "out")
    assert run("evaluate", spaces[1], "--data", large, *arguments)[0] == 0
    document = json.loads((tmp_path / "out" / "fidelity.json").read_text())
    assert document["spaces"][0]["groups"][0]["images"] == 12
    assert document["spaces"][0]["groups"][0]["parents"] == 3
    assert (
        "lack of parents (8 are needed): all (3)" in (tmp_path / "out" / "report.html").read_text()
    )


def test_what_cannot_be_evaluated_is_refused_in_one_line(run, spaces, data, tmp_path):
    other = saved(tmp_path / "other", 8, 2)
    small = tmp_path / "small.npy"
    np.save(small, np.zeros((5, 8, 8)))
    cases = [
        (USAGE, "named once", (spaces[0], spaces[0], "--data", data)),
        (USAGE, "one by one", (spaces[0], other, "--data", data)),
        (USAGE, "--grey should be one of", (spaces[0], "--data", data, "--grey", "purple")),
        (DATA, "no such file or folder", (spaces[0], "--data", tmp_path / "nowhere")),
        (DATA, "Train a space on images", (spaces[0], "--data", small)),
        (DATA, "nowhere", (tmp_path / "nowhere", "--data", data)),
    ]
    for code, message, arguments in cases:
        ended, _, err = run("evaluate", *arguments, "--out", tmp_path / "out")
        assert ended == code, err
        assert len(err.splitlines()) == 1
        assert message in err
    assert not (tmp_path / "out").exists()


def test_a_folder_that_cannot_be_written_is_refused_in_one_line(run, spaces, data, tmp_path):
    (tmp_path / "file").write_text("in the way")
    code, _, err = run(
        "evaluate", spaces[1], "--data", data, "--samples", 10, "--out", tmp_path / "file"
    )
    assert code == CAMPAIGN
    assert len(err.splitlines()) == 1  # before any step of the work
    assert err.startswith("latentopt: cannot write")


def test_your_own_inception_gives_the_fid(run, spaces, data, tmp_path, monkeypatch):
    (tmp_path / "their_inception.py").write_text(
        "def pooled(images):\n    return images.mean((2, 3))[:, :1]\n"
    )
    monkeypatch.chdir(tmp_path)
    option = ("--inception", "their_inception:pooled")
    code, _, err = run("evaluate", spaces[0], "--data", data, "--samples", 20, *option)
    assert code == 0, err
    table = json.loads((tmp_path / "fidelity" / "fidelity.json").read_text())
    assert "fid" in json.dumps(table)
    code, _, err = run("evaluate", spaces[0], "--data", data, "--inception", "nowhere:pooled")
    assert (code, len(err.splitlines())) == (USAGE, 1)
    assert "--inception: nowhere:pooled cannot be imported" in err

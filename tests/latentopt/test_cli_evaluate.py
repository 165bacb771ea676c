"""The command ``latentopt evaluate`` as a user runs it: files, progress, exit codes."""

import csv
import json
import re

import numpy as np
import pytest

from generative.batching import to_tensor
from generative.data.synthetic import gaussian_random_field
from generative.pca import PCA
from latentopt.space import LatentSpace
from latentopt.space_fidelity import FIGURES

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
    assert page.count("data:image/png;base64,") == 2
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

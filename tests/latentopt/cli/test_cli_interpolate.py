"""The command ``latentopt interpolate`` as a user runs it: files, progress, exit codes."""

import json

import numpy as np
import pytest
from PIL import Image

from generative.data.synthetic import gaussian_random_field

USAGE, DATA, CAMPAIGN = 2, 3, 4
FILES = {"paths.png", "distances.png", "table.csv", "interpolation.json"}


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    for seed, name in enumerate(("fine", "coarse")):
        (folder / name).mkdir()
        np.save(folder / name / "a.npy", gaussian_random_field(12, (8, 8), seed=seed)[:, 0])
    return folder


def one_image(path, seed, side=8):
    np.save(path, gaussian_random_field(1, (side, side), seed=seed)[:, 0])
    return path


def test_pairs_of_two_classes_make_a_table_and_pictures(run, tiny_space_folder, data, tmp_path):
    out = tmp_path / "new" / "out"
    code, printed, err = run(
        "interpolate", tiny_space_folder, "--data", data, "--pairs", 3, "--n", 5, "--out", out
    )
    assert code == 0, err
    assert {path.name for path in out.glob("[!.]*")} == FILES
    assert err.splitlines() == [
        f"1/3 {tiny_space_folder} linear", f"2/3 {tiny_space_folder} slerp", "3/3 pixels blend",
    ]  # fmt: skip
    *table, last = printed.splitlines()
    assert len(table) == 4
    assert last == str(out / "paths.png")
    document = json.loads((out / "interpolation.json").read_text())
    pairs = document["facts"]["pairs"]
    assert len(pairs) == len(document["paths"][0]["figures"]["distance"]) == 3
    assert all(("fine" in pair) and ("coarse" in pair) for pair in pairs)


def test_another_seed_draws_other_pairs(run, tiny_space_folder, data, tmp_path):
    found = []
    for seed in (0, 1):
        arguments = ("--data", data, "--pairs", 2, "--n", 2, "--seed", seed, "--out", tmp_path)
        assert run("interpolate", tiny_space_folder, *arguments)[0] == 0
        found.append(json.loads((tmp_path / "interpolation.json").read_text())["facts"]["pairs"])
    assert found[0] != found[1]


def test_between_two_files_there_is_one_pair(run, tiny_space_folder, data, tmp_path):
    a, b = one_image(tmp_path / "a.npy", 5), one_image(tmp_path / "b.npy", 6)
    code, _, err = run(
        "interpolate", tiny_space_folder, "--data", data, "--between", a, b, "--out", tmp_path
    )
    assert code == 0, err
    document = json.loads((tmp_path / "interpolation.json").read_text())
    assert document["facts"]["pairs"] == [f"{a} to {b}"]
    with Image.open(tmp_path / "paths.png") as picture:
        picture.load()


def test_a_large_image_gives_patches_and_as_many_pairs_as_there_are(
    run, tiny_space_folder, tmp_path
):
    large = one_image(tmp_path / "large.npy", 7, side=16)
    code, _, err = run(
        "interpolate", tiny_space_folder, "--data", large, "--patch", "--out", tmp_path / "out"
    )
    assert code == 0, err
    assert "there are 6 pairs in all" in err


def test_what_cannot_be_done_is_refused_in_one_line(run, tiny_space_folder, data, tmp_path):
    small = tmp_path / "small.npy"
    np.save(small, gaussian_random_field(5, (4, 4), seed=0)[:, 0])
    two = tmp_path / "two.npy"
    np.save(two, gaussian_random_field(2, (8, 8), seed=0)[:, 0])
    one, tiny, nowhere = one_image(tmp_path / "one.npy", 5), tiny_space_folder, tmp_path / "nowhere"
    cases = [
        (USAGE, "--n should be 2", (tiny, "--data", data, "--n", 1)),
        (USAGE, "--pairs should be 1", (tiny, "--data", data, "--pairs", 0)),
        (USAGE, "give one of", (tiny, "--data", data, "--pairs", 2, "--between", one, one)),
        (USAGE, "named once", (tiny, tiny, "--data", data)),
        (USAGE, "one by one", (tiny, "default", "--data", data)),
        (USAGE, "--grey should be one of", (tiny, "--data", data, "--grey", "purple")),
        (DATA, "three images or more", (tiny, "--data", two)),
        (DATA, "Train a space on images", (tiny, "--data", small)),
        (DATA, "no such file or folder", (tiny, "--data", nowhere)),
        (DATA, "no such file or folder", (tiny, "--data", data, "--between", one, nowhere)),
        (DATA, "expected one image", (tiny, "--data", data, "--between", one, two)),
        (DATA, "expected one image", (tiny, "--data", data, "--between", small, one)),
        (DATA, "nowhere", (nowhere, "--data", data)),
    ]
    for code, message, arguments in cases:
        ended, _, err = run("interpolate", *arguments, "--out", tmp_path / "out")
        assert (ended, len(err.splitlines())) == (code, 1), err
        assert message in err
    assert not (tmp_path / "out").exists()


def test_a_folder_that_cannot_be_written_is_refused_before_the_work(
    run, tiny_space_folder, data, tmp_path
):
    (tmp_path / "file").write_text("in the way")
    code, _, err = run("interpolate", tiny_space_folder, "--data", data, "--out", tmp_path / "file")
    assert (code, len(err.splitlines())) == (CAMPAIGN, 1)
    assert err.startswith("latentopt: cannot write")

"""`latentopt data inspect` and `prepare` at the command line."""

import json
import sys

import numpy as np
import pytest
from PIL import Image

from latentopt.cli import app as cli
from latentopt.cli import progress as cli_shown

RNG = np.random.default_rng(5)
GREY = RNG.integers(0, 256, (3, 32, 32), dtype=np.uint8)


@pytest.fixture
def run(monkeypatch, capsys):
    """Run `latentopt data ARGUMENTS`: its exit code, standard output and standard error."""

    def call(*arguments):
        monkeypatch.setattr(sys, "argv", ["latentopt", "data", *map(str, arguments)])
        try:
            cli.main()
            code = 0
        except SystemExit as ended:
            code = ended.code or 0
        printed = capsys.readouterr()
        return code, printed.out, printed.err

    return call


@pytest.fixture
def folder(tmp_path):
    for name, image in zip(["foam/a", "foam/b", "steel/c"], GREY, strict=True):
        path = tmp_path / "images" / f"{name}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(path)
    return tmp_path / "images"


def test_inspect_prints_what_is_there_and_draws_it(run, folder, tmp_path):
    Image.fromarray(np.rot90(GREY[0])).save(folder / "steel" / "again.png")
    code, out, err = run("inspect", folder, "--out", tmp_path / "sheet.png")
    assert (code, err) == (0, "")
    assert f"{folder}: 4 images in 4 files" in out
    assert "classes: foam (2), steel (2)" in out
    assert "foam/a.png = steel/again.png (mirrored or rotated, across classes)" in out
    assert "near-empty: none" in out
    assert Image.open(tmp_path / "sheet.png").width > 64


def test_inspect_as_json(run, folder):
    code, out, _ = run("inspect", folder, "--json")
    found = json.loads(out)
    assert code == 0
    assert found["classes"] == {"foam": 2, "steel": 1}
    assert found["sizes"] == {"32x32": 3}


def test_inspect_raw_files(run, tmp_path):
    GREY.tofile(tmp_path / "a.raw")
    code, out, _ = run("inspect", tmp_path / "a.raw", "--shape", "3x32x32", "--dtype", "uint8")
    assert code == 0
    assert "size: 3x32x32" in out
    code, _, err = run("inspect", tmp_path / "a.raw", "--shape", "three", "--dtype", "uint8")
    assert (code, err.count("\n")) == (2, 1)
    assert "--shape should be whole numbers" in err
    code, _, err = run("inspect", tmp_path / "a.raw")
    assert (code, err.count("\n")) == (3, 1)


def test_inspect_nothing(run, tmp_path):
    code, out, err = run("inspect", tmp_path / "nowhere")
    assert (code, out, err.count("\n")) == (3, "", 1)
    assert "no such file or folder" in err


def test_prepare_writes_a_set_that_is_read_again_and_a_picture(run, folder, tmp_path):
    out = tmp_path / "new" / "set.h5"
    code, printed, err = run(
        "prepare", folder, "--out", out, "--patch", 16, "--voxel-size", "2e-6", "--segment", "otsu"
    )
    assert (code, err) == (0, "")
    assert f"{out}: 12 images of 1x16x16 from 3 parents" in printed
    assert "voxel size: 2e-06 x 2e-06 m" in printed
    assert Image.open(out.with_suffix(".png")).width > 64
    code, printed, _ = run("inspect", out, "--json")
    found = json.loads(printed)
    assert (found["images"], found["classes"]) == (12, {"foam": 8, "steel": 4})
    assert found["voxel_sizes_m"] == {"2e-06 x 2e-06": 12}
    code, printed, _ = run("inspect", folder, "--held-out", out, "--dims", "2")
    assert f"{folder}: 15 images in 4 files" in printed


def test_prepare_says_what_it_found_and_did(run, tmp_path):
    images = tmp_path / "images"
    images.mkdir()
    phases = np.kron(RNG.integers(0, 2, (8, 8)), np.ones((8, 8)))
    grey = np.clip(60 + 100 * phases + 5 * RNG.standard_normal((64, 64)), 0, 255).astype(np.uint8)
    bar = np.zeros((10, 64), np.uint8)
    other = grey.copy()
    other[:32, :32] = 60
    Image.fromarray(np.vstack([grey, bar])).save(images / "a.png")
    Image.fromarray(np.vstack([bar, grey[:, ::-1]])).save(images / "b.png")
    Image.fromarray(other).save(images / "c.png")
    (images / "notes.txt").write_text("x")
    ask = ("prepare", images, "--patch", 32, "--info-bar", "auto", "--out")
    code, out, err = run(*ask, tmp_path / "a.h5")
    assert (code, err) == (0, "")
    lines = out.splitlines()
    assert "12 images of 1x32x32 from 1 parent" in lines[0]
    (of_class,) = (line for line in lines if line.startswith("class "))
    shares = of_class.partition("phase fractions ")[2].split(", ")
    assert sum(map(float, shares)) == pytest.approx(1, abs=1e-4)
    (levels,) = (line for line in lines if line.startswith("thresholds: "))
    assert all(60 < float(level) < 160 for level in levels.split()[1::2])
    assert "info bar: 10 rows cut off the top of b.png" in lines
    assert "info bar: 10 rows cut off the bottom of a.png" in lines
    assert any(line.startswith("info bar: none found in c.png; ") for line in lines)
    assert "duplicates: 4 (they share a parent; --drop-duplicates leaves them out)" in lines
    assert "  a.png = b.png (mirrored or turned)" in lines
    assert "near-empty: 1 (kept; --drop-empty leaves them out)" in lines
    assert lines[-2:] == ["left out: 1", "  notes.txt (no image)"]
    code, out, _ = run(*ask, tmp_path / "b.h5", "--drop-empty", "--drop-duplicates")
    assert "4 images of 1x32x32 from 1 parent" in out.splitlines()[0]
    assert "duplicates: 4 (left out but for the first)" in out
    assert "near-empty: 1 (left out)" in out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--stride", "8"), "stride is from patch to patch: set patch"),
        (("--segment", "labels", "--phases", "3"), "--phases has no effect with --segment labels"),
        (
            ("--segment", "keep", "--threshold", "9"),
            "--threshold has no effect with --segment keep",
        ),
        (("--segment", "labels", "--denoise"), "denoised labels are none"),
        (("--colour",), "colour is for keep and k_means"),
        (("--seed", "3"), "--seed is for k_means"),
        (("--threshold", "3"), "leave it out, or take another --segment (thresholds)"),
        (("--phases", "3"), "--phases has no effect with --segment auto"),
    ],
)
def test_prepare_refuses_settings_without_effect(run, folder, tmp_path, arguments, message):
    code, out, err = run("prepare", folder, "--out", tmp_path / "set.h5", *arguments)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert message in err


def test_labels_are_not_segmented_unseen(run, tmp_path):
    np.save(tmp_path / "a.npy", GREY % 3)
    ask = ("prepare", tmp_path / "a.npy", "--out", tmp_path / "set.h5")
    code, out, err = run(*ask)
    assert (code, err) == (0, "")
    assert "read as: values 0, 1, 2 became phases 0, 1, 2" in out
    code, out, err = run(*ask, "--segment", "otsu", "--overwrite")
    assert (code, err.count("\n")) == (0, 1)
    assert "has 3 values only; if they are labels of phases, take --segment labels" in err
    code, _, err = run(
        "prepare", tmp_path / "a.npy", "--segment", "labels", "--out", tmp_path / "set.h5"
    )
    assert (code, err) == (0, "")
    _, out, _ = run("inspect", tmp_path / "a.npy")
    assert sum(line.endswith("#") for line in out.splitlines()) == 3
    assert "0.00%" not in out


def test_long_work_says_how_far_it_is(run, folder, tmp_path, monkeypatch):
    monkeypatch.setattr(cli_shown, "SECONDS_BETWEEN_LINES", 0.0)
    _, _, err = run("prepare", folder, "--out", tmp_path / "set.h5")
    assert err.splitlines() == [f"preparing: {done}/3" for done in (1, 2, 3)]
    _, _, err = run("inspect", folder)
    assert err.splitlines()[-1] == "reading: 3/3"


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("--segment", "watershed"), 2, "--segment should be one of otsu"),
        (("--segment", "thresholds", "--phases", "3"), 2, "thresholds should be 2 ascending"),
        (("--info-bar", "some"), 2, "--info-bar should be whole numbers"),
        (("--voxel-size", "1um"), 2, "--voxel-size should be lengths"),
        (("--voxel-size", "0"), 3, "expected a voxel size of 2 lengths above 0"),
        (("--patch", "64"), 3, "smaller than a patch of 64x64"),
        (("--out", "set.npz"), 2, "--out should end in .h5"),
    ],
)
def test_prepare_refuses_in_one_line_and_writes_nothing(
    run, folder, tmp_path, monkeypatch, arguments, code, message
):
    monkeypatch.chdir(tmp_path)
    got, _, err = run("prepare", folder, *arguments)
    assert (got, err.count("\n")) == (code, 1)
    assert message in err
    assert [path.name for path in tmp_path.iterdir()] == ["images"]


def test_a_set_on_a_full_disk_leaves_nothing(run, folder, tmp_path, files_of_at_most):
    out = tmp_path / "set.h5"
    with files_of_at_most(2000):
        code, _, err = run("prepare", folder, "--out", out)
    assert (code, err.count("\n")) == (3, 1)
    assert [path.name for path in tmp_path.iterdir()] == ["images"]

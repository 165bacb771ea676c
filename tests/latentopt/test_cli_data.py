"""`latentopt data inspect` and `prepare` at the command line."""

import json
import sys

import numpy as np
import pytest
from PIL import Image

from latentopt import cli

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

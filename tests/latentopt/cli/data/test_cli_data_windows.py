"""`latentopt data prepare --window` at the command line."""

import sys

import numpy as np
import pytest
from PIL import Image

from generative.data import read_dataset
from latentopt.cli import app as cli

RNG = np.random.default_rng(9)


@pytest.fixture
def run(monkeypatch, capsys, tmp_path):
    """Run `latentopt data prepare ARGUMENTS` in an empty folder."""

    def call(*arguments):
        monkeypatch.chdir(tmp_path)
        monkeypatch.setattr(sys, "argv", ["latentopt", "data", "prepare", *map(str, arguments)])
        try:
            cli.main()
            code = 0
        except SystemExit as ended:
            code = ended.code or 0
        printed = capsys.readouterr()
        return code, printed.out, printed.err

    return call


@pytest.fixture
def movie(tmp_path):
    """Six frames of 5 x 5 atoms, of which those at the edges have no whole window."""
    y, x = np.mgrid[:64, :64]
    atoms = [(a, b) for a in range(6, 64, 13) for b in range(6, 64, 13)]
    frame = sum(np.exp(-((y - a) ** 2 + (x - b) ** 2) / 5) for a, b in atoms)
    frames = frame + 0.05 * RNG.standard_normal((6, 64, 64))
    np.save(tmp_path / "m.npy", frames)
    return tmp_path / "m.npy"


def test_windows_are_written_and_what_was_dropped_is_said(run, movie, tmp_path):
    code, out, err = run(movie, "--window", 16, "--around", "peaks", "--out", "w.h5")
    assert (code, err) == (0, "")
    assert "w.h5: 54 images of 1x16x16 from 6 parents" in out
    assert "points: 150 in 6 frames" in out
    assert "dropped: 96, whose window leaves the frame" in out
    assert "the quantiles 0.001 and 0.999 of each frame became 0 and 1" in out
    assert read_dataset(tmp_path / "w.h5").positions.shape == (54, 3)
    assert Image.open(tmp_path / "w.png").width > 64


def test_what_a_lag_links_and_how_to_keep_pairs_apart(run, movie):
    grid = ("--window", 16, "--around", "grid", "--lag", 1, "--scales", "1,2", "--out", "w.h5")
    code, out, _ = run(movie, *grid)
    assert code == 0
    assert "images of 4x16x16 from 1 parent" in out
    assert "links 5 frames to 1, for frames that share a window are not split; --every 2" in out
    code, out, _ = run(movie, *grid, "--every", 2, "--overwrite")
    assert "from 3 parents" in out
    assert "parents:" not in out


def test_unlabelled_windows_are_counted(run, movie, tmp_path):
    rows = ["file,frame,x,y,class", "m.npy,0,20,20,vacancy", "m.npy,1,20,20,", "m.npy,2,20,30,"]
    (tmp_path / "p.csv").write_text("\n".join(rows))
    code, out, _ = run(movie, "--window", 16, "--around", "p.csv", "--out", "w.h5")
    assert code == 0
    assert "class vacancy: 1 image\nnot labelled: 2 images\n" in out


def test_a_table_is_never_written_over(run, movie, tmp_path):
    (tmp_path / "p.csv").write_text("file,frame,x,y\nm.npy,0,20,20\n")
    linked = tmp_path / "p.h5"
    linked.symlink_to("p.csv")
    code, _, err = run(movie, "--window", 16, "--around", "p.csv", "--out", linked, "--overwrite")
    assert code == 2
    assert "p.h5" in err
    assert (tmp_path / "p.csv").read_text().startswith("file,frame")


@pytest.mark.parametrize(
    ("arguments", "wrong"),
    [
        (("--lag", 1), "--lag is for windows: give their side with --window"),
        (("--around", "peaks"), "--around is for windows"),
        (("--window", 16), "--window needs points: give --around peaks, particles, walls, grid"),
        (("--window", 16, "--around", "peeks"), "--around should be peaks, particles, walls, gri"),
        (("--window", 16, "--around", "grid", "--patch", 8), "--patch has no effect with --windo"),
        (("--window", 16, "--around", "grid", "--denoise"), "--denoise has no effect with --wind"),
        (("--window", 16, "--around", "peaks", "--segment", "otsu"), "--segment is for partic"),
        (("--window", 16, "--around", "grid", "--segment", "labels"), "--segment labels has no e"),
        (("--window", 16, "--around", "grid", "--scales", "1,0"), "--scales should be numbers ab"),
        (("--window", 16, "--around", "grid", "--scales", "a"), "--scales should be numbers such"),
        (("--window", 16, "--around", "grid", "--resampling", "b"), "--resampling should be lin"),
        (("--window", 16, "--around", "grid", "--interval", 0), "--interval should be a number"),
        (("--window", 3, "--around", "grid"), "--window should be 4 pixels or more, got 3"),
        (("--window", 65, "--around", "grid"), "a window of 65 pixels covers 65 voxels"),
        (("--window", 16, "--around", "no.csv"), "no.csv: cannot be read"),
    ],
)
def test_wrong_options_are_one_line(run, movie, arguments, wrong):
    code, out, err = run(movie, *arguments, "--out", "w.h5")
    assert code == (3 if ": a window" in err or "no.csv" in err else 2)  # 3 is for data
    assert wrong in err
    assert (out, err.count("\n")) == ("", 1)

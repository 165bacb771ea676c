"""One file is one structure for every command, which says what became of its values."""

import sys

import numpy as np
import pytest
from PIL import Image

from generative.data.stored_set import read_provenance, read_set
from generative.data.synthetic import gaussian_random_field
from latentopt.cli.app import main

SIDE = 16
LABELS = np.repeat(np.uint8([0, 0, 0, 0, 1, 1, 1, 2]), SIDE * SIDE // 8).reshape(SIDE, SIDE)
COLOURS = [0, 0, 0, 255, 0, 0, 0, 76, 0]  # the second as bright as the third
READING = "indices of the palette 0, 1, 2 became phases 0, 1, 2"


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder of palette images, the same as an array, and a space of three phases."""
    folder = tmp_path_factory.mktemp("palettes")
    (folder / "images").mkdir()
    rng, arrays = np.random.default_rng(0), []
    for row in range(84):
        labels = np.roll(rng.permuted(LABELS, axis=row % 2), row, axis=0)
        arrays.append(labels)
        image = Image.fromarray(labels, mode="P")
        image.putpalette(COLOURS)
        image.save(folder / "images" / f"{row:02d}.png")
    np.save(folder / "labels.npy", np.array(arrays))
    return folder


@pytest.fixture
def run(place, monkeypatch, capsys):
    monkeypatch.chdir(place)

    def latentopt(*arguments):
        monkeypatch.setattr(sys, "argv", ["latentopt", *map(str, arguments)])
        try:
            main()
            code = 0
        except SystemExit as done:
            code = done.code or 0
        captured = capsys.readouterr()
        return code, captured.out.splitlines(), captured.err.splitlines()

    return latentopt


@pytest.mark.slow
def test_palettes_are_the_same_phases_for_every_command(run, place):
    code, out, _ = run("train", "images", "--model", "pca", "--out", "space")
    assert (code, out[0]) == (0, f"images: {READING}")
    code, out, _ = run("data", "prepare", "images", "--segment", "labels", "--out", "set.h5")
    assert (code, f"read as: {READING}" in out) == (0, True)
    prepared = read_set(place / "set.h5")
    assert prepared.reading == READING
    assert READING in read_provenance(place / "set.h5")[3]["steps"]
    np.testing.assert_array_equal(
        prepared.images.argmax(axis=1), np.load(place / "labels.npy"), strict=False
    )
    for source, name in (("images", "a"), ("labels.npy", "b"), ("set.h5", "c")):
        assert run("encode", "space", source, "--out", f"{name}.npy")[0] == 0
    first, second, third = (np.load(place / f"{name}.npy") for name in "abc")
    np.testing.assert_array_equal(first, second)
    np.testing.assert_array_equal(first, third)


def test_inspect_says_how_palettes_and_sets_are_read(run):
    code, out, _ = run("data", "inspect", "images")
    assert code == 0
    assert f"read as: {READING}" in out
    assert "phase fractions, images: 0.5000, 0.3750, 0.1250" in out
    assert out[-1] == "problems: none"


def test_every_problem_is_listed_and_the_rest_is_inspected(run, place):
    mixed = place / "mixed"
    mixed.mkdir(exist_ok=True)
    Image.fromarray(LABELS).save(mixed / "a.png")
    (mixed / "b.png").write_bytes(b"")
    (mixed / "c.tif").write_bytes(b"II*\0" + bytes(9))
    (mixed / "d.gif").write_bytes(b"GIF89a")
    Image.fromarray(LABELS[:8]).save(mixed / "e.png")
    Image.fromarray(LABELS).convert("CMYK").save(mixed / "f.jpg")
    np.save(mixed / "g.npy", np.full((2, SIDE, SIDE), np.nan))
    code, out, err = run("data", "inspect", "mixed")
    problems = out[out.index(next(line for line in out if line.startswith("problems: "))) :]
    text = "\n".join(problems)
    for part in ("d.gif: pictures of this format", "b.png: is empty", "c.tif: ",
                 "f.jpg: has the colour mode CMYK", "g.npy[0]: expected finite",
                 "g.npy[1]: expected finite", "2 kinds of images", "e.png: is 1x8x16"):  # fmt: skip
        assert part in text, (part, text)
    assert (code, err) == (0, [])
    for name in ("a.png", "e.png"):
        (mixed / name).unlink()
    code, _, err = run("data", "inspect", "mixed")
    assert code == 3
    assert len(err) == 6
    for file in mixed.iterdir():
        file.unlink()


def test_limits_and_axes_are_options_of_every_reader(run, place):
    np.save(place / "cube.npy", gaussian_random_field(SIDE, (SIDE, SIDE), seed=0)[:, 0])
    code, _, err = run("data", "inspect", "cube.npy")
    assert (code, len(err), "--axes nyx" in err[0]) == (3, 1, True)
    code, out, _ = run("data", "inspect", "cube.npy", "--axes", "nyx")
    assert (code, out[1]) == (0, f"size: {SIDE}x{SIDE}")
    code, out, _ = run("data", "inspect", "cube.npy", "--axes", "zyx")
    assert (code, out[1]) == (0, f"size: {SIDE}x{SIDE}x{SIDE}")
    small = ["--limit", f"image_voxels={SIDE * SIDE - 1}"]
    for command in (
        ["data", "inspect", "images"], ["data", "prepare", "images", "--out", "new.h5"],
        ["encode", "space", "images"], ["train", "images", "--out", "new"],
        ["surrogate", "fit", "images", "--objective", "volume_fraction"],
        ["evaluate", "space", "--data", "images"], ["interpolate", "space", "--data", "images"],
    ):  # fmt: skip
        if "space" in command and not (place / "space").is_dir():
            run("train", "images", "--model", "pca", "--out", "space")
        code, _, err = run(*command, *small)
        assert code == 3, (command, err)
        assert "--limit image_voxels=256" in err[-1]
        code, _, err = run(*command, "--limit", "pixels=3")
        assert (code, err[-1].startswith("latentopt: --limit: the limits are")) == (2, True), (
            command
        )


def test_noise_is_prepared_only_if_it_is_said(run, place):
    noise = np.random.default_rng(0).normal(128, 9, (64, 64)).astype(np.uint8)
    Image.fromarray(noise).save(place / "noise.png")
    code, _, err = run("data", "prepare", "noise.png", "--out", "cut.h5")
    assert (code, "one population" in err[-1], "--segment otsu" in err[-1]) == (3, True, True)
    assert not (place / "cut.h5").exists()
    assert run("data", "prepare", "noise.png", "--out", "cut.h5", "--segment", "otsu")[0] == 0
    code, out, _ = run("data", "inspect", "noise.png")
    assert (code, "one population" in out[-1]) == (0, True)

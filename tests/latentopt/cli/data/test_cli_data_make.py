"""`latentopt data make`: images, labels and a picture that are what was asked for, or one line."""

import csv

import h5py
import numpy as np
import pytest
from typer.testing import CliRunner

from generative.data import read_dataset
from generative.data.synthetic import FAMILIES, ZOO
from latentopt.cli.app import app
from latentopt.errors import ConfigError


def run(*words):
    result = CliRunner().invoke(app, ["data", "make", *map(str, words)])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def table(path):
    with open(path, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize("name", ["fibres.h5", "fibres.npz"])
def test_a_family_is_one_file_with_its_labels_and_a_picture(tmp_path, name):
    out = tmp_path / name
    words = ("fibres", "--n", 5, "--shape", 32, 32, "--seed", 3, "--set", "volume_fraction=0.4,0.5")
    result = run(*words, "--out", out)
    assert result.exit_code == 0, result.output
    data = read_dataset(out)
    wanted = FAMILIES["fibres"].make(5, (32, 32), seed=3, volume_fraction=(0.4, 0.5))
    np.testing.assert_array_equal(data.images[:, 0], wanted)
    settings = FAMILIES["fibres"].settings(5, (32, 32), seed=3, volume_fraction=(0.4, 0.5))
    rows = table(tmp_path / "fibres.csv")
    assert [float(row["volume_fraction"]) for row in rows] == settings["volume_fraction"].tolist()
    assert (tmp_path / "fibres.png").read_bytes().startswith(b"\x89PNG")
    assert {path.name for path in tmp_path.glob("[!.]*")} == {name, "fibres.csv", "fibres.png"}


def test_volumes_of_several_phases_are_read_back_with_a_channel_a_phase(tmp_path):
    out = tmp_path / "set"
    words = ("gaussian_random_field", "--n", 3, "--shape", "12x10x8", "--set", "phases=3")
    assert run(*words, "--out", out).exit_code == 0
    data = read_dataset(out)
    assert data.images.shape == (3, 3, 12, 10, 8)
    with h5py.File(out / "gaussian_random_field.h5") as file:
        assert file.attrs["seed"] == 0
        assert file["labels/direction_z"].shape == (3,)
    assert {"direction_z", "direction_y", "direction_x"} <= table(tmp_path / "set.csv")[0].keys()


@pytest.mark.parametrize(("shape", "per_class"), [((32, 32), 2), ((21, 21, 21), 1)])
def test_the_zoo_is_read_back_with_its_ten_classes(tmp_path, shape, per_class):
    out = tmp_path / "zoo"
    assert run("zoo", "--n", per_class, "--shape", *shape, "--out", out).exit_code == 0
    data = read_dataset(out)
    assert data.class_names == tuple(sorted(ZOO))
    assert len(data.class_names) == 10
    assert data.images.shape == (10 * per_class, 1, *shape)
    assert np.bincount(data.labels).tolist() == [per_class] * 10
    family, ranges = ZOO["laminate"]
    mine = data.images[data.labels == data.class_names.index("laminate"), 0]
    np.testing.assert_array_equal(mine, FAMILIES[family].make(per_class, shape, seed=0, **ranges))
    rows = table(tmp_path / "zoo.csv")
    assert len(rows) == 10 * per_class
    assert all((out / row["file"]).is_file() for row in rows)


def test_a_zoo_does_not_take_the_place_of_another(tmp_path):
    (tmp_path / "zoo").mkdir()
    (tmp_path / "zoo" / "notes.txt").write_text("mine")
    with pytest.raises(ConfigError, match="choose a new folder"):
        run("zoo", "--out", tmp_path / "zoo")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("fibers",), "no family 'fibers'; did you mean fibres"),
        (("fibres", "--shape", "64"), "--shape should be two or three sides"),
        (("fibres", "--shape", "64", "1"), "sides of at least 2 voxels"),
        (("fibres", "--set", "volume_fractoin=0.3"), "did you mean volume_fraction"),
        (("fibres", "--set", "volume_fraction=much"), "NAME=VALUE or NAME=LOW,HIGH in numbers"),
        (("fibres", "--set", "volume_fraction=0.6,0.2"), "volume_fraction should be"),
        (("fibres", "--set", "volume_fraction=0.9"), "the limit is 0.80"),
        (("fibres", "--out", "fibres.tif"), "should end in .h5, .hdf5, .npz"),
        (("zoo", "--set", "volume_fraction=0.5"), "leave out --set"),
    ],
)
def test_what_cannot_be_made_is_refused_in_one_line_and_leaves_nothing(
    tmp_path, monkeypatch, words, message
):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match=message) as caught:
        run(*words)
    assert "\n" not in str(caught.value)
    assert not list(tmp_path.iterdir())

"""Content and pose of images, in a space and by the command."""

import csv
import math

import h5py
import numpy as np
import pytest
import torch

from generative.data.dataset import Dataset
from generative.model import reconstruct
from generative.structured import RVAE
from latentopt.fidelity.reconstructions import drawn_structures, reconstructions
from latentopt.space.latent_space import LatentSpace


@pytest.fixture(scope="module")
def images():
    rng = np.random.default_rng(0)
    y, x = np.meshgrid(*[np.linspace(-1, 1, 24)] * 2, indexing="ij")
    blobs = [
        np.exp(-((x - a) ** 2 + (y - b) ** 2) / 0.05) + np.exp(-((x + b) ** 2 + y**2) / 0.02)
        for a, b in rng.uniform(-0.4, 0.4, (12, 2))
    ]
    made = np.array(blobs, np.float32)[:, None]
    return made / made.max()


@pytest.fixture(scope="module")
def space(images):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = RVAE((1, 24, 24), width=4, hidden=16)
        for tensor in model.parameters():
            tensor.data.copy_(0.3 * torch.randn(tensor.shape))
    return LatentSpace.fit(model.requires_grad_(False), images)


def test_it_says_what_the_model_says(space, images):
    found = space.analyse(images)
    pose = space.model.pose(torch.from_numpy(images))
    np.testing.assert_allclose(found.z, space.encode(images))
    np.testing.assert_allclose(found.angle, pose.angle, rtol=1e-6)
    np.testing.assert_allclose(found.shift, pose.shift, rtol=1e-6)
    assert len(found) == 12
    assert (found.angle_spread > 0).all()
    assert (found.shift_spread > 0).all()


def test_images_of_another_precision_are_the_same_images(space, images):
    exact = space.analyse(images.astype(np.float64))
    torch.testing.assert_close(exact.angle, space.analyse(images).angle)


def test_a_turned_image_is_the_same_point_at_another_angle(space, images):
    before, after = space.analyse(images), space.analyse(np.rot90(images, 1, (2, 3)).copy())
    np.testing.assert_allclose(after.z, before.z, atol=1e-2)
    turn = torch.remainder(after.angle - before.angle, 2 * math.pi)
    np.testing.assert_allclose(turn, math.pi / 2, atol=1e-3)
    np.testing.assert_allclose(after.angle_spread, before.angle_spread, rtol=1e-3)


def test_a_reconstruction_lies_where_the_image_does(space, images):
    found, x = space.analyse(images), torch.from_numpy(images)
    code = space.whitening.to_code(found.z).float()
    again = space.model.decode_at(code, space.model.pose(x))
    torch.testing.assert_close(reconstruct(space.model, x), again, rtol=1e-4, atol=1e-5)


def test_a_space_without_pose_says_which_has_one(tiny_space):
    with pytest.raises(TypeError, match=r"does not keep the pose.*--model rvae"):
        tiny_space.analyse(np.zeros((1, *tiny_space.image_shape), np.float32))


def test_images_of_another_shape_are_refused(space):
    with pytest.raises(ValueError, match="images should have shape"):
        space.analyse(np.zeros((1, 1, 16, 16), np.float32))


@pytest.fixture
def folder(space, images, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    space.save(tmp_path / "space")
    np.save(tmp_path / "images.npy", images)
    return tmp_path


def test_the_command_writes_a_row_an_image(space, images, folder, run):
    code, printed, _ = run("analyse", "space", "images.npy", "--out", "a.csv", "--grey", "keep")
    assert code == 0
    assert "a.csv: 12 images, content of 2 numbers" in printed
    found = space.analyse(images)
    with (folder / "a.csv").open(newline="") as file:
        rows = [*csv.DictReader(file)]
    assert [row["image"] for row in rows] == [str(i) for i in range(12)]
    for name, values in found.columns().items():
        np.testing.assert_allclose([float(row[name]) for row in rows], values, rtol=1e-6, atol=1e-6)
    assert rows[3]["source"] == "images.npy[3]"
    assert {"z0", "z1", "angle", "shift_y", "shift_x", "angle_spread"} < rows[0].keys()


def test_the_command_writes_hdf5_with_units(space, images, folder, run):
    assert run("analyse", "space", "images.npy", "--out", "a.h5", "--grey", "keep")[0] == 0
    found = space.analyse(images)
    with h5py.File(folder / "a.h5") as h5:
        np.testing.assert_allclose(h5["shift"][:], found.shift)
        assert h5["angle"].attrs["unit"] == "rad"
        assert h5["source"].asstr()[3] == "images.npy[3]"


def test_windows_of_a_movie_are_joined_with_frame_time_and_place(folder, run):
    """Spots of which half have a class, in a movie of two frames a minute."""
    y, x = np.meshgrid(np.arange(64), np.arange(64), indexing="ij")
    spots = [[(20, 20), (40, 44)], [(24, 30)]]
    frames = [
        sum(np.exp(-((y - a) ** 2 + (x - b) ** 2) / 8) for a, b in places) for places in spots
    ]
    np.save(folder / "movie.npy", np.array(frames))
    lines = ["file,frame,x,y,class", "movie.npy,0,20,20,site", "movie.npy,0,44,40,"]
    (folder / "points.csv").write_text("\n".join([*lines, "movie.npy,1,30,24,hole", ""]))
    words = ["--window", "24", "--around", "points.csv", "--interval", "30"]
    assert run("data", "prepare", "movie.npy", "--out", "windows.h5", *words)[0] == 0
    assert run("analyse", "space", "windows.h5", "--out", "a.csv")[0] == 0
    with (folder / "a.csv").open(newline="") as file:
        rows = [*csv.DictReader(file)]
    told = [[row[name] for name in ("frame", "time", "at_y", "at_x", "class")] for row in rows]
    assert sorted(told) == [
        ["0.0", "0.0", "20.0", "20.0", "site"],
        ["0.0", "0.0", "40.0", "44.0", "unlabelled"],
        ["1.0", "30.0", "24.0", "30.0", "hole"],
    ]
    assert run("analyse", "space", "windows.h5", "--out", "a.h5")[0] == 0
    with h5py.File(folder / "a.h5") as h5:
        np.testing.assert_allclose(sorted(h5["positions"][:, 2]), [20, 30, 44])


def test_a_file_of_another_kind_and_one_that_is_not_ours_are_refused(folder, run):
    code, _, err = run("analyse", "space", "images.npy", "--out", "a.txt")
    assert code == 2
    assert "should end in .csv or .h5" in err
    (folder / "mine.csv").write_text("mine")
    assert run("analyse", "space", "images.npy", "--out", "mine.csv", "--grey", "keep")[0] == 2
    assert (folder / "mine.csv").read_text() == "mine"


def test_a_space_without_pose_is_refused_by_the_command(folder, run):
    code, _, err = run("analyse", "default", "images.npy", "--grey", "keep")
    assert code in (2, 3)
    assert "latentopt: " in err


def test_held_out_structures_are_compared_where_they_lie(space, images):
    """Turned copies of one structure have equal points: with their pose they are told apart."""
    turned = np.concatenate([np.rot90(images[:1], k, (2, 3)) for k in range(4)])
    held_out = Dataset.from_images(turned)
    again = reconstructions(space, held_out)
    torch.testing.assert_close(again[1:2], torch.rot90(again[:1], 1, (2, 3)), rtol=0, atol=1e-3)
    assert not torch.allclose(again[0], again[1], atol=1e-2)
    drawn = drawn_structures(space, held_out, 8, seed=0)
    assert drawn.shape == (8, 1, 24, 24)
    assert not torch.allclose(drawn, space.decode(space.sample(8, seed=0)), atol=1e-2)

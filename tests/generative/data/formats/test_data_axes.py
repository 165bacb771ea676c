"""Axes of arrays: read where the shape leaves no doubt, asked about where it does."""

from pathlib import Path

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from generative.data import read_dataset
from generative.data.formats.axes import LETTERS, array_layout, single_axes
from generative.errors import DataError

RNG = np.random.default_rng(5)
A = Path("a.npy")


@pytest.mark.parametrize(
    ("shape", "spatial_dims", "expected"),
    [
        ((1, 10, 32, 32, 1), None, (1, 1, 10, 32, 32)),  # ilastik: t, z, y, x, c
        ((1, 10, 32, 32, 1), 3, (1, 1, 10, 32, 32)),
        ((1, 10, 32, 32, 1), 2, (10, 1, 32, 32)),
        ((10, 32, 32, 1), None, (10, 1, 32, 32)),
        ((10, 32, 32, 1), 3, (1, 1, 10, 32, 32)),
        ((7, 1, 32, 32, 1), None, (7, 1, 32, 32)),
        ((1, 1, 10, 32, 32, 1), None, (1, 1, 10, 32, 32)),
        ((1, 1, 32, 32), None, (1, 1, 32, 32)),
        ((1, 32, 32), None, (1, 1, 32, 32)),
        ((40, 50, 1), None, (1, 1, 40, 50)),
        ((400, 400, 400), 3, (1, 1, 400, 400, 400)),
        ((64, 64, 64), 2, (64, 1, 64, 64)),
    ],
)
def test_axes_of_one_entry_are_no_doubt(shape, spatial_dims, expected):
    assert array_layout(shape, spatial_dims, A).shape == expected


@pytest.mark.parametrize(
    ("shape", "options"),
    [
        ((64, 64, 3), ("axes='yxc'", "axes='nyx'", "--axes yxc")),
        ((64, 48, 4), ("axes='yxc'",)),
        ((5, 64, 64, 3), ("np.moveaxis(a, -1, 1)", "axes='nyxc'", "axes='nzyx'")),
        ((2, 10, 32, 32, 3), ("axes='nzyxc'",)),
        ((20, 20, 20), ("axes='zyx'", "--axes zyx", "axes='nyx'")),
        ((64, 64, 10), ("axes='yxn'", "axes='nyx'", "axes='zyx'")),
        ((480, 640, 10), ("axes='yxn'",)),
        ((1, 10, 1, 32, 32), ("axes='tzcyx'", "axes='nczyx'")),
    ],
)
def test_a_shape_that_may_be_read_otherwise_is_asked_about(shape, options):
    with pytest.raises(DataError) as question:
        array_layout(shape, None, A)
    assert all(option in str(question.value) for option in options), str(question.value)


@settings(deadline=None)
@given(st.data())
def test_said_axes_put_every_voxel_in_its_place(data):
    letters = data.draw(st.permutations(LETTERS))
    keep = data.draw(st.sets(st.sampled_from("ntcz")))
    axes = "".join(letter for letter in letters if letter in keep | {"y", "x"})
    sizes = dict(zip("ntczyx", (2, 3, 4, 5, 6, 7), strict=True))
    array = RNG.integers(0, 100, tuple(sizes[letter] for letter in axes))
    for dims in (None, 2):
        layout = array_layout(array.shape, dims, A, axes)
        images = layout(array)
        assert images.shape == layout.shape
        full = {letter: data.draw(st.integers(0, sizes[letter] - 1)) for letter in axes}
        row, n = full.get("n", 0), 1
        for letter in "t" if "z" in axes and dims is None else "tz":
            if letter in axes:
                row = row * sizes[letter] + full[letter]
                n *= sizes[letter]
        place = [row, full.get("c", 0), full["y"], full["x"]]
        if "z" in axes and dims is None:
            place.insert(2, full["z"])
        assert images[tuple(place)] == array[tuple(full[letter] for letter in axes)]
        assert layout.images_a_parent == n


@pytest.mark.parametrize(
    ("axes", "message"),
    [
        ("yx", "give 3 letters"),
        ("yyx", "different letters"),
        ("abc", "different letters"),
        ("nzx", "y and x among them"),
    ],
)
def test_axes_that_do_not_fit_are_refused(axes, message):
    with pytest.raises(DataError, match=message):
        array_layout((4, 5, 6), None, A, axes)


def test_a_volume_is_not_made_of_axes_without_depth():
    with pytest.raises(DataError, match="name an axis z, or leave out spatial_dims"):
        array_layout((4, 5, 6), 3, A, "nyx")


@settings(deadline=None)
@given(st.lists(st.sampled_from([1, 1, 8, 9, 10]), min_size=2, max_size=6))
def test_one_structure_is_its_axes_of_more_than_one_entry(sizes):
    axes = single_axes(tuple(sizes), A)
    space = [size for size in sizes if size > 1]
    if len(space) in (2, 3):
        assert array_layout(tuple(sizes), None, A, axes).shape == (1, 1, *space)
    else:
        assert axes is None


def test_slices_and_times_share_a_parent(tmp_path):
    array = RNG.integers(0, 2, (2, 3, 8, 9), dtype=np.uint8)
    np.save(tmp_path / "a.npy", array)
    data = read_dataset(tmp_path / "a.npy", axes="nzyx", spatial_dims=2)
    assert data.parents.tolist() == [0, 0, 0, 1, 1, 1]
    np.testing.assert_array_equal(data.images[:, 0], array.reshape(6, 8, 9))
    assert set(read_dataset(tmp_path / "a.npy", axes="tcyx", channels=3).parents) == {0}


def test_the_tags_of_ilastik_and_the_edges_of_fiji_are_read(tmp_path):
    volume = RNG.integers(0, 2, (20, 20, 20), dtype=np.uint8)
    with h5py.File(tmp_path / "a.h5", "w") as file:
        item = file.create_dataset("exported_data", data=volume[..., None])
        item.attrs["axistags"] = (
            '{"axes": [{"key": "x"}, {"key": "y"}, {"key": "z"}, {"key": "c"}]}'
        )
        item.attrs["element_size_um"] = [3.0, 2.0, 1.0]
    data = read_dataset(tmp_path / "a.h5")
    np.testing.assert_array_equal(data.images[0, 0], volume.T)
    assert data.voxel_size_m == pytest.approx((3e-6, 2e-6, 1e-6))
    np.testing.assert_array_equal(read_dataset(tmp_path / "a.h5", axes="zyxc").images[0, 0], volume)


def test_pictures_say_their_axes_themselves(tmp_path):
    from PIL import Image

    Image.fromarray(np.eye(8, dtype=np.uint8)).save(tmp_path / "a.png")
    with pytest.raises(DataError, match="says its axes itself; leave out axes="):
        read_dataset(tmp_path / "a.png", axes="yx")


def test_a_colour_picture_of_matlab_is_not_three_images(tmp_path):
    colours = RNG.integers(0, 256, (3, 20, 30), dtype=np.uint8)  # as MATLAB stores A(30, 20, 3)
    with h5py.File(tmp_path / "a.mat", "w", userblock_size=512) as file:
        file["A"] = colours
    with open(tmp_path / "a.mat", "r+b") as stream:
        stream.write(b"MATLAB 7.3 MAT-file".ljust(116) + bytes(8) + b"\0\2IM")
    with pytest.raises(DataError, match=r"three colours or three images.*axes='cyx'"):
        read_dataset(tmp_path / "a.mat")
    data = read_dataset(tmp_path / "a.mat", axes="cyx", channels=3)
    np.testing.assert_allclose(data.images[0], colours.swapaxes(1, 2) / 255, atol=1e-7)

"""Latent points written to a file are read again bit for bit, or refused by the file's name."""

import numpy as np
import pytest

from latentopt.errors import DataError
from latentopt.space.point_files import read_points, write_points

Z = np.random.default_rng(0).standard_normal((5, 64)) * np.logspace(-8, 8, 64)


@pytest.mark.parametrize("name", ["z.npy", "z.csv", "z.NPY", "deeper/z.csv"])
def test_points_come_back_bit_for_bit(tmp_path, name):
    path = write_points(Z, tmp_path / name)
    assert path == tmp_path / name
    np.testing.assert_array_equal(read_points(path), Z)


@pytest.mark.parametrize("name", ["z.npy", "z.csv"])
def test_one_point_is_a_table_of_one_row(tmp_path, name):
    np.testing.assert_array_equal(read_points(write_points(Z[:1], tmp_path / name)), Z[:1])


def test_a_csv_has_a_header_and_needs_none(tmp_path):
    path = write_points(Z, tmp_path / "z.csv")
    header, *rows = path.read_text().splitlines()
    assert header.startswith("z00,z01,")
    path.write_text("\n".join(rows))
    np.testing.assert_array_equal(read_points(path), Z)


@pytest.mark.parametrize("dtype", [np.float32, np.int64, np.uint8])
def test_other_numbers_become_float64(tmp_path, dtype):
    np.save(tmp_path / "z.npy", np.arange(6, dtype=dtype).reshape(2, 3))
    z = read_points(tmp_path / "z.npy")
    assert z.dtype == np.float64
    np.testing.assert_array_equal(z, [[0, 1, 2], [3, 4, 5]])


def test_a_single_row_saved_without_an_axis_is_one_point(tmp_path):
    np.save(tmp_path / "z.npy", Z[0])
    assert read_points(tmp_path / "z.npy").shape == (1, 64)


def test_a_column_of_one_coordinate_stays_a_column(tmp_path):
    path = write_points(Z[:, :1], tmp_path / "z.csv")
    np.testing.assert_array_equal(read_points(path), Z[:, :1])


BAD = {
    "empty.csv": b"",
    "words.csv": b"a,b\nc,d\n",
    "ragged.csv": b"1,2\n3\n",
    "header.csv": b"z00,z01\n",
    "bytes.csv": b"\xff\xfe\x00",
    "empty.npy": b"",
    "text.npy": b"not an array",
}


@pytest.mark.parametrize("name", BAD)
@pytest.mark.filterwarnings("error")
def test_a_file_that_is_no_table_is_named(tmp_path, name):
    (tmp_path / name).write_bytes(BAD[name])
    with pytest.raises(DataError, match=name) as refusal:
        read_points(tmp_path / name)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize(
    "array",
    [
        np.zeros((2, 3, 4)),
        np.zeros((0, 4)),
        np.array(3.0),
        np.array([["a"]]),
        np.zeros((2, 2), complex),
        np.zeros(2, [("x", float)]),
        np.array([{}, None], dtype=object),
    ],
    ids=["3-D", "empty", "scalar", "text", "complex", "records", "objects"],
)
def test_an_array_that_is_no_table_of_numbers_is_named(tmp_path, array):
    np.save(tmp_path / "z.npy", array, allow_pickle=True)
    with pytest.raises(DataError, match=r"z\.npy") as refusal:
        read_points(tmp_path / "z.npy")
    assert "\n" not in str(refusal.value)


def test_a_truncated_file_is_named(tmp_path):
    path = write_points(Z, tmp_path / "z.npy")
    data = path.read_bytes()
    for size in (1, 20, 100, len(data) - 1):
        path.write_bytes(data[:size])
        with pytest.raises(DataError, match=r"z\.npy"):
            read_points(path)


def test_a_missing_file_a_folder_and_another_kind_are_named(tmp_path):
    (tmp_path / "folder.npy").mkdir()
    for name, reason in (
        ("missing.npy", "No such file"),
        ("missing.csv", "No such file"),
        ("folder.npy", "directory"),
        ("z.xlsx", r"\.npy or \.csv"),
    ):
        with pytest.raises(DataError, match=rf"{name}.*{reason}"):
            read_points(tmp_path / name)

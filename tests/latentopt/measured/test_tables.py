"""Tables as spreadsheets write them: what is not plain is named with what to do."""

import numpy as np
import pytest

from latentopt.errors import DataError
from latentopt.measured.structures import read_measured
from latentopt.measured.targets import read_targets
from latentopt.space.point_files import read_points
from latentopt.tables import hint, number_of, read_table


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("image;k_xx\na.png;3,5\n", "separated by semicolons; save it with commas"),
        ("image\tk_xx\na.png\t3.5\n", "separated by tabs"),
        ("image|k_xx\na.png|3.5\n", "separated by bars"),
        ("image,k_xx\na.png,3,5\n", "row 2 has 3 cells, the first row 2; .* a point in decimals"),
        ('image,k_xx\n"a.png,3.5\n', "is not a CSV file"),
    ],
)
def test_other_tables_are_named_by_every_reader(tmp_path, text, message):
    path, images = tmp_path / "m.csv", tmp_path / "images.npy"
    path.write_text(text)
    np.save(images, (np.arange(32).reshape(2, 4, 4) % 3 == 0).astype(np.uint8))
    for read in (
        read_table,
        read_points,
        lambda file: read_targets(file, ["a.png"]),
        lambda file: read_measured(file, (1, 4, 4), [], images=images),
    ):
        with pytest.raises(DataError, match=message):
            read(path)


@pytest.mark.parametrize("separator", [";", "|"])
@pytest.mark.parametrize("row", ["-0,3290{0}0,12{0}1,5", "-1{0}0,12{0}3", "0,5{0}0,25"])
def test_decimal_commas_hide_no_separator(tmp_path, row, separator):
    path, named = tmp_path / "m.csv", {";": "semicolons", "|": "bars"}[separator]
    path.write_text(row.format(separator) + "\n")
    for read in (read_table, read_points, lambda file: read_targets(file, ["a.png"])):
        with pytest.raises(DataError, match=f"separated by {named}"):
            read(path)


def test_a_semicolon_in_a_name_separates_nothing(tmp_path):
    path = tmp_path / "m.csv"
    path.write_text("image,k_xx\nsteel; run 2.png,3.5\n")
    assert read_table(path)[1] == (2, ["steel; run 2.png", "3.5"])


def test_a_plain_table_has_its_rows_by_number(tmp_path):
    path = tmp_path / "m.csv"
    path.write_bytes(b'\xef\xbb\xbf"image","k_xx"\r\n\r\n" s 0.png ","3.5"\r\n')
    assert read_table(path) == [(1, ["image", "k_xx"]), (3, ["s 0.png", "3.5"])]


@pytest.mark.parametrize(
    ("cell", "said"),
    [
        ("3,5", "write 3.5, with a point"),
        ("a.png;3.5", "write commas between the columns, not semicolons"),
        ("-0,25", "write -0.25"),
        ("1,234.5", "write 1234.5, without marks"),
        ("1,234", "write 1234 or 1.234, whichever is meant"),
        ("1,234,567", "write 1234567, without marks"),
        ("", "complete or remove"),
        ("n/a", "complete or remove"),
        ("nan", "complete or remove"),
    ],
)
def test_what_is_no_number_is_answered_with_what_was_probably_meant(cell, said, tmp_path):
    assert number_of(cell) is None
    assert hint(cell).startswith(said)
    path = tmp_path / "z.csv"
    path.write_text(f'z00,z01\n1.0,"{cell}"\n')
    with pytest.raises(DataError, match=r"row 2 has|no finite number"):
        read_points(path)
    with pytest.raises(DataError, match="no finite number"):
        read_targets(path, ["one"])


def test_points_and_values_come_back(tmp_path):
    path = tmp_path / "z.csv"
    path.write_text("z00,z01\n1e-3, 2.5\n-3,4\n")
    np.testing.assert_array_equal(read_points(path), [[1e-3, 2.5], [-3, 4]])
    assert list(read_targets(path, ["a", "b"])) == ["z00", "z01"]

"""Values beside images: tables in any order, and what an objective computes."""

import numpy as np
import pytest

from latentopt.errors import ConfigError, DataError
from latentopt.measured.targets import choose, read_targets, solve_targets

SOURCES = ("a.png", "b.png", "c.png")


def write(folder, text, name="y.csv"):
    path = folder / name
    path.write_text(text)
    return path


def test_a_table_without_names_is_in_the_order_of_the_images(tmp_path):
    (name, values), *rest = read_targets(write(tmp_path, "1\n2\n3\n"), SOURCES).items()
    assert (name, values.tolist(), rest) == ("y", [1, 2, 3], [])


def test_several_columns_need_names_since_commas_may_be_those_of_decimals(tmp_path):
    text = "1,4\n2,5\n3,6\n"
    with pytest.raises(
        DataError, match=r"2 columns and no line of names.*y0,y1.*If a comma in 1,4 is that"
    ):
        read_targets(write(tmp_path, text), SOURCES)
    columns = read_targets(write(tmp_path, "y0,y1\n" + text), SOURCES)
    assert {name: column.tolist() for name, column in columns.items()} == {
        "y0": [1, 2, 3],
        "y1": [4, 5, 6],
    }


def test_a_column_of_files_gives_the_order(tmp_path):
    text = "k_xx, file,k_yy\n3,c.png,30\n1,a.png,10\n\n2,b.png,20\n"
    columns = read_targets(write(tmp_path, text), SOURCES)
    assert columns["k_xx"].tolist() == [1, 2, 3]
    assert columns["k_yy"].tolist() == [10, 20, 30]


def test_arrays_and_tables_read_alike(tmp_path):
    np.save(tmp_path / "y.npy", np.array([[1, 4], [2, 5], [3, 6]]))
    columns = read_targets(tmp_path / "y.npy", SOURCES)
    assert [column.tolist() for column in columns.values()] == [[1, 2, 3], [4, 5, 6]]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "is empty"),
        ("k\n", "holds no values"),
        ("1\n2\n", r"got float64 of shape \(2,\)"),
        ("k\n1\n2\nx\n", "is not a table of numbers"),
        ("1,2\n3\n4,5\n", "row 2 has 1 cells"),
        ("k,k\n1,2\n1,2\n1,2\n", "a different name for each column"),
        ("file,k\na.png,1\nb.png,2\n", "no row for 'c.png', one of 1"),
        ("file,k\na.png,1\nb.png,2\nd.png,3\n", "it has 'd.png', which is no image"),
        ("file,k\na.png,1\nb.png,2\nc.png,3\na.png,4\n", "names 'a.png' twice"),
        ("file\na.png\nb.png\nc.png\n", "holds no values"),
    ],
)
def test_a_table_that_does_not_fit_is_refused_in_one_line(tmp_path, text, reason):
    path = write(tmp_path, text)
    with pytest.raises(DataError, match=reason) as refusal:
        read_targets(path, SOURCES)
    assert str(refusal.value).startswith(f"{path}: ")
    assert "\n" not in str(refusal.value)


def test_what_is_no_table_is_refused(tmp_path):
    np.save(tmp_path / "text.npy", np.array(["a", "b", "c"]))
    np.save(tmp_path / "cube.npy", np.zeros((3, 1, 1)))
    (tmp_path / "cut.npy").write_bytes((tmp_path / "cube.npy").read_bytes()[:-9])
    for name in ("text.npy", "cube.npy", "cut.npy", "none.npy", "y.xlsx"):
        with pytest.raises(DataError, match=name):
            read_targets(tmp_path / name, SOURCES)


def test_an_objective_computes_values_by_name(tmp_path):
    layers = np.zeros((20, 1, 4, 4), np.float32)
    layers[:, :, :2] = 1
    settings = write(tmp_path, "kind: effective_conductivity\nconductivity: [1, 3]\n", "k.yaml")
    done = []
    columns = solve_targets(str(settings), layers, lambda *n: done.append(n))
    np.testing.assert_allclose(columns["k_yy"], 1.5, rtol=1e-6)
    np.testing.assert_allclose(columns["k_xx"], 2.0, rtol=1e-6)
    assert done == [(16, 20), (20, 20)]
    assert solve_targets("volume_fraction", layers)["volume_fraction"].tolist() == [0.5] * 20


def test_an_unknown_objective_or_setting_is_refused_by_where_it_stands(tmp_path):
    layers = np.zeros((1, 1, 4, 4), np.float32)
    with pytest.raises(ConfigError, match=r"objective\.kind: 'volume_fractoin' is unknown"):
        solve_targets("volume_fractoin", layers)
    path = write(tmp_path, "kind: volume_fraction\nphsae: 0\n", "f.yaml")
    with pytest.raises(ConfigError, match=r"f.yaml: objective.phsae: .*did you mean phase\?"):
        solve_targets(str(path), layers)


def test_columns_are_chosen_by_name():
    columns = {"a": np.zeros(1), "b": np.ones(1)}
    assert list(choose(columns, ["b"], "y.csv")) == ["b"]
    assert list(choose(columns, [], "y.csv")) == ["a", "b"]
    with pytest.raises(DataError, match=r"y.csv: has no 'c'; its outputs are a, b\."):
        choose(columns, ["c"], "y.csv")

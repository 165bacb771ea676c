"""Tables of measured values beside their images, and what is refused of them."""

import numpy as np
import pytest
from PIL import Image

from generative.data.synthetic import gaussian_random_field
from latentopt.errors import DataError
from latentopt.measured.structures import read_measured

SHAPE = (1, 8, 8)


@pytest.fixture
def folder(tmp_path):
    """Three pictures, and the array they were written from."""
    images = gaussian_random_field(3, (8, 8), seed=3).astype(np.float32)
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    for name, image in zip("abc", images, strict=True):
        Image.fromarray((image[0] * 255).astype(np.uint8)).save(pictures / f"{name}.png")
    np.save(tmp_path / "images.npy", images)
    return tmp_path


def read(folder, text, needed=("k_xx",), *, images="pictures", **options):
    table = folder / "data.csv"
    table.write_bytes(text if isinstance(text, bytes) else text.encode())
    where = None if images is None else folder / images
    return read_measured(table, SHAPE, needed, images=where, **options)


def test_rows_find_their_pictures_whatever_their_order(folder):
    found = read(folder, "image,k_xx,cost\nc.png,3,30\na.png,1,10\n")
    stored = np.load(folder / "images.npy")
    np.testing.assert_array_equal(found.images, stored[[2, 0]])
    assert {name: list(values) for name, values in found.metrics.items()} == {
        "k_xx": [3.0, 1.0],
        "cost": [30.0, 10.0],
    }
    assert found.names == ("row 2, c.png", "row 3, a.png")
    assert found.unmeasured == ("b.png",)


def test_rows_of_an_array_file_are_in_order_or_numbered(folder):
    ordered = read(folder, "k_xx\n1\n2\n3\n", images="images.npy")
    numbered = read(folder, "image,k_xx\n2,3\n0,1\n", images="images.npy")
    np.testing.assert_array_equal(ordered.images[[2, 0]], numbered.images)
    assert list(ordered.metrics["k_xx"]) == [1, 2, 3]


def test_pictures_may_lie_beside_the_table(folder):
    (folder / "images.npy").unlink()
    for path in (folder / "pictures").iterdir():
        path.rename(folder / path.name)
    (folder / "pictures").rmdir()
    assert len(read(folder, "image,k_xx\na.png,1\n", images=None).images) == 1


def test_a_table_as_spreadsheets_save_it_is_read(folder):
    found = read(folder, '\ufeffimage , k_xx\r\n"a.png", 1.5\r\n\r\n')
    assert found.metrics == {"k_xx": [1.5]}


def test_columns_that_are_no_metrics_can_be_left_out(folder):
    text = "image,who,k_xx\na.png,Ada,1\n"
    assert read(folder, text, columns=["k_xx"]).metrics == {"k_xx": [1.0]}
    with pytest.raises(DataError, match=r"row 2 has 'Ada' for who.*--metric"):
        read(folder, text)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("image,k_xx\na.png,1\nd.png,2\n", r"row 3 names 'd.png', not among the 3 images"),
        ("image,k_xx\na.png,1\nb.png,\n", r"row 3 has nothing for k_xx"),
        ("image,k_xx\na.png,nan\n", r"row 2 has 'nan' for k_xx, expected a finite number"),
        ("image,k_xx\na.png,inf\n", r"row 2 has 'inf'"),
        ("image,k_xx\na.png,high\n", r"row 2 has 'high'"),
        ("image,k_xx\na.png,1,5\n", r"row 2 has 3 cells, the first row 2"),
        ("image,k_xx\na.png,1\na.png,2\n", r"rows 2 and 3 both name 'a.png'"),
        ("image,kxx\na.png,1\n", r"has no column 'k_xx', which the goal.*did you mean kxx"),
        ("image,k_xx,k_xx\na.png,1,2\n", r"two columns named 'k_xx'"),
        ("image,k_xx,\na.png,1,2\n", r"a column without name"),
        ("k_xx\n1\n2\n3\n", r"has no column 'image'"),
        ("1,2\n3,4\n", r"first row holds numbers"),
        ("", r"holds no rows"),
        ("image,k_xx\n", r"holds no rows"),
        (b"\x89PNG\r\n\x1a\n\x00\xff\xfe", r"is not a CSV file"),
    ],
)
def test_a_bad_table_is_answered_in_one_line(folder, text, message):
    with pytest.raises(DataError, match=message) as refusal:
        read(folder, text)
    assert "\n" not in str(refusal.value)
    assert str(folder) in str(refusal.value)


def test_too_few_rows_for_an_array_file_are_refused(folder):
    with pytest.raises(DataError, match=r"2 rows for the 3 images"):
        read(folder, "k_xx\n1\n2\n", images="images.npy")


def test_a_number_beyond_the_array_is_refused(folder):
    with pytest.raises(DataError, match=r"row 2 names '3'.*numbers from 0"):
        read(folder, "image,k_xx\n3,1\n", images="images.npy")


def test_images_of_another_size_are_refused(folder):
    np.save(folder / "large.npy", gaussian_random_field(1, (16, 16), seed=0))
    with pytest.raises(DataError, match=r"16x16 voxels.*space 8x8"):
        read(folder, "k_xx\n1\n", images="large.npy")


def test_more_phases_than_the_space_has_are_refused(folder):
    labels = np.random.default_rng(0).integers(0, 3, (4, 8, 8))
    np.save(folder / "three.npy", labels)
    with pytest.raises(DataError, match=r"three.npy"):
        read(folder, "k_xx\n1\n1\n1\n1\n", images="three.npy", reading={"grey": "labels"})


def test_a_missing_table_is_named(folder):
    with pytest.raises(DataError, match=r"gone.csv: cannot be read \(No such file"):
        read_measured(folder / "gone.csv", SHAPE, ())


def test_a_column_of_standard_errors_belongs_to_its_metric(folder):
    found = read(folder, "image,k_xx,k_xx_sem,cost\na.png,1,.5,2\nb.png,3,,4\n")
    assert list(found.metrics) == ["k_xx", "cost"]
    np.testing.assert_array_equal(found.sem["k_xx"], [0.5, np.nan])
    chosen = read(folder, "image,k_xx,k_xx_sem,cost\na.png,1,.5,2\n", columns=["k_xx"])
    assert (list(chosen.metrics), list(chosen.sem)) == (["k_xx"], ["k_xx"])


def test_a_metric_of_such_a_name_that_the_goal_needs_is_a_metric(folder):
    found = read(folder, "image,k_xx,k_xx_sem\na.png,1,.5\n", needed=("k_xx", "k_xx_sem"))
    assert list(found.metrics) == ["k_xx", "k_xx_sem"]
    assert not found.sem


@pytest.mark.parametrize("cell", ["-0.5", "nan", "inf", "about .5"])
def test_a_standard_error_that_is_none_is_refused_with_row_and_column(folder, cell):
    with pytest.raises(DataError, match=r"row 3 has '.*' for k_xx_sem, expected the"):
        read(folder, f"image,k_xx,k_xx_sem\na.png,1,.5\nb.png,2,{cell}\n")

"""Arrays in memory go through the same check as files."""

import numpy as np
import pytest

from generative.data import Dataset, Limits, check_images
from generative.errors import DataError


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_good_images_come_back_as_equal_float32(dtype):
    images = np.random.default_rng(0).random((2, 1, 4, 5)).astype(dtype)
    checked = check_images(images)
    assert checked.dtype == np.float32
    np.testing.assert_allclose(checked, images, rtol=1e-6)


@pytest.mark.parametrize("shape", [(4, 5), (2, 4, 5), (1, 1, 2, 3, 4, 5)])
def test_the_axes_must_be_all_there(shape):
    with pytest.raises(DataError, match=r"should have shape \(n, c, height, width\)"):
        # As users call it: the tests' own check of shapes would refuse first.
        check_images.__wrapped__(np.zeros(shape))


@pytest.mark.parametrize("shape", [(0, 1, 4, 4), (2, 1, 0, 4)])
def test_empty_arrays_are_refused(shape):
    with pytest.raises(DataError, match="at least one image and voxel"):
        check_images(np.zeros(shape))


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_the_first_row_that_is_not_finite_is_named(bad):
    images = np.zeros((3, 1, 4, 4))
    images[1, 0, 2, 3] = bad
    with pytest.raises(DataError, match=r"b: expected finite .* at \(0, 2, 3\) \(1 such voxels\)"):
        check_images(images, names=["a", "b", "c"])
    with pytest.raises(DataError, match="image 1: "):
        check_images(images)
    with pytest.raises(DataError, match="row 1: "):
        check_images(images, names=lambda row: f"row {row}")


@pytest.mark.parametrize("bad", [-0.01, 1.01, 255.0])
def test_the_first_row_out_of_range_is_named(bad):
    images = np.zeros((3, 1, 4, 4))
    images[2, 0, 0, 0] = bad
    with pytest.raises(DataError, match=r"image 2: expected values in \[0, 1\]"):
        check_images(images)


def test_limits_are_inclusive_and_say_how_to_raise_them():
    limits = Limits(image_voxels=64, total_bytes=4 * 2 * 64)
    limits.check((2, 1, 8, 8), "a")
    with pytest.raises(DataError, match=r"a: an image of 5x13 voxels .* limit of 64 voxels"):
        limits.check((1, 1, 5, 13), "a")
    with pytest.raises(DataError, match=r"pass limits=Limits\(total_bytes=768\)"):
        limits.check((3, 1, 8, 8), "a")


def test_a_data_set_from_an_array_has_a_parent_a_row():
    data = Dataset.from_images(np.zeros((3, 2, 4, 5, 6)), name="field")
    assert len(data) == 3
    assert data.image_shape == (2, 4, 5, 6)
    assert data.spatial_dims == 3
    assert data.parents.tolist() == [0, 1, 2]
    assert data.class_names == ("field",)


def test_a_subset_keeps_what_belongs_to_each_row():
    images = np.arange(4, dtype=np.float32)[:, None, None, None] / 4 * np.ones((1, 1, 2, 2))
    part = Dataset.from_images(images).subset([3, 1])
    np.testing.assert_array_equal(part.images, images[[3, 1]])
    assert part.sources == ("array[3]", "array[1]")
    assert part.parents.tolist() == [3, 1]


def test_a_data_set_refuses_rows_that_do_not_match():
    data = Dataset.from_images(np.zeros((3, 1, 4, 4)))
    fields = {"images": data.images, "labels": data.labels, "parents": data.parents}
    with pytest.raises(DataError, match="for each of 3 images, got 3, 2 and 3"):
        Dataset(**fields, class_names=("a",), sources=("a", "b"))
    with pytest.raises(DataError, match="expected labels from 0 to -1"):
        Dataset(**fields, class_names=(), sources=data.sources)


def test_no_rows_make_no_data_set():
    with pytest.raises(DataError, match="at least one image"):
        Dataset.from_images(np.zeros((1, 1, 4, 4))).subset([])

"""Windows between the voxels against functions known everywhere, in 2-D and 3-D."""

import numpy as np
import pytest
from scipy.ndimage import map_coordinates

from generative.data import Dataset, extract_patches
from generative.data.windows import cut_windows, grid_points, inside
from generative.data.windows.resample import first_voxels, read_length
from generative.errors import DataError

RNG = np.random.default_rng(4)
SPACES = [(40, 44), (24, 26, 25)]


def spots(space, centres, width=1.6):
    """Gaussian spots on voxels of a frame."""
    axes = np.meshgrid(*(np.arange(n, dtype=float) for n in space), indexing="ij")
    square = [sum((x - p) ** 2 for x, p in zip(axes, c, strict=True)) for c in centres]
    return np.exp(-np.array(square) / (2 * width**2)).sum(axis=0)


@pytest.mark.parametrize("space", SPACES, ids=str)
@pytest.mark.parametrize("kernel", ["linear", "cubic"])
@pytest.mark.parametrize("side", [7, 8])
def test_windows_on_a_grid_are_plain_patches(space, kernel, side):
    frame = RNG.random((2, *space)).astype(np.float32)
    patches = extract_patches(Dataset.from_images(frame[None]), side, stride=5)
    points = grid_points(space, side, 5)
    np.testing.assert_array_equal(cut_windows(frame, points, side, kernel=kernel), patches.images)


@pytest.mark.parametrize("space", SPACES, ids=str)
def test_linear_resampling_is_that_of_scipy(space):
    frame = RNG.random(space)
    points = RNG.uniform(5, 18, (6, len(space)))
    windows = cut_windows(frame[None], points, 8, kernel="linear")
    axis = np.arange(8) - 3.5
    for point, window in zip(points, windows[:, 0], strict=True):
        places = np.meshgrid(*(at + axis for at in point), indexing="ij")
        np.testing.assert_allclose(window, map_coordinates(frame, places, order=1), atol=1e-6)


@pytest.mark.parametrize("space", SPACES, ids=str)
@pytest.mark.parametrize("scale", [0.5, 1.0, 1.5, 2.0, 3.0])
@pytest.mark.parametrize("kernel", ["linear", "cubic"])
def test_a_ramp_stays_a_ramp_at_every_scale(space, scale, kernel):
    slopes = np.arange(1.0, 1 + len(space))
    axes = np.meshgrid(*(np.arange(n, dtype=float) for n in space), indexing="ij")
    frame = sum(a * x for a, x in zip(slopes, axes, strict=True))
    point = np.array([space]) / 2 + RNG.uniform(-1, 1, (1, len(space)))
    window = cut_windows(frame[None], point, 6, scale=scale, kernel=kernel)[0, 0]
    offsets = np.meshgrid(*[scale * (np.arange(6) - 2.5)] * len(space), indexing="ij")
    truth = sum(a * (p + x) for a, p, x in zip(slopes, point[0], offsets, strict=True))
    np.testing.assert_allclose(window, truth, rtol=1e-5)


def test_cubic_convolution_keeps_parabolas():
    y, x = np.mgrid[:20, :20].astype(float)
    frame = (y - 3) ** 2 + x * y
    window = cut_windows(frame[None], np.array([[9.3, 10.1]]), 5)[0, 0]
    v, u = np.meshgrid(9.3 + np.arange(-2, 3), 10.1 + np.arange(-2, 3), indexing="ij")
    np.testing.assert_allclose(window, (v - 3) ** 2 + u * v, rtol=1e-5)


@pytest.mark.parametrize("space", SPACES, ids=str)
def test_a_pixel_of_scale_two_is_the_mean_of_the_voxels_it_covers(space):
    frame = RNG.random((1, *space))
    dims = len(space)
    window = cut_windows(frame, np.full((1, dims), 7.5), 8, scale=2, kernel="linear")[0, 0]
    blocks = frame[(0, *(slice(0, 16),) * dims)].reshape((8, 2) * dims)
    truth = blocks.mean(axis=tuple(range(1, 2 * dims, 2)))
    np.testing.assert_allclose(window, truth, rtol=1e-5)


@pytest.mark.parametrize("space", SPACES, ids=str)
def test_a_shift_of_the_frame_moves_the_points_and_leaves_the_windows(space):
    centres = RNG.uniform(8, 17, (5, len(space)))
    points = RNG.uniform(10, 14, (4, len(space)))
    still = cut_windows(spots(space, centres)[None], points, 12)
    for _ in range(3):
        move = RNG.uniform(-1, 1, len(space))
        moved = cut_windows(spots(space, centres + move)[None], points + move, 12)
        assert np.abs(moved - still).max() < 0.03  # of spots 1 high; rounded centres: above .2
    rounded = cut_windows(spots(space, centres + 0.5)[None], np.rint(points + 0.5), 12)
    assert np.abs(rounded - still).max() > 0.1


@pytest.mark.parametrize("kernel", ["linear", "cubic"])
def test_a_quarter_turn_of_the_frame_turns_the_windows(kernel):
    frame = RNG.random((1, 30, 36)).astype(np.float32)
    points = RNG.uniform(8, 20, (5, 2))
    windows = cut_windows(frame, points, 9, kernel=kernel, scale=1.5)
    turned = np.rot90(frame, axes=(1, 2))  # (y, x) goes to (w - 1 - x, y)
    there = np.stack([35 - points[:, 1], points[:, 0]], 1)
    again = cut_windows(np.ascontiguousarray(turned), there, 9, kernel=kernel, scale=1.5)
    np.testing.assert_allclose(again, np.rot90(windows, axes=(2, 3)), atol=1e-6)


def test_a_window_is_inside_up_to_the_edges_of_the_voxels():
    low, high = 3.5, 19.5 - 4
    points = np.array([[low, high], [low - 0.01, high], [low, high + 0.01]])
    assert inside(points, (20, 20), 8).tolist() == [True, False, False]
    assert inside(np.array([[7.5, 11.5], [7.4, 11.5]]), (20, 20), 8, 2).tolist() == [True, False]


@pytest.mark.parametrize("kernel", ["linear", "cubic"])
@pytest.mark.parametrize("scale", [0.5, 1.0, 1.5, 2.0])
def test_a_window_depends_on_the_voxels_it_is_said_to_read(kernel, scale):
    point = RNG.uniform(14, 18, (1, 2))
    first = first_voxels(point, 8, scale, kernel)[0]
    length = read_length(8, scale, kernel)
    frame = RNG.random((1, 34, 34))
    other = RNG.random((1, 34, 34))
    read = (slice(None), *(slice(at, at + length) for at in first))
    other[read] = frame[read]
    windows = [cut_windows(each, point, 8, scale=scale, kernel=kernel) for each in (frame, other)]
    np.testing.assert_array_equal(*windows)


def test_a_window_beyond_the_edge_and_an_unknown_kernel_are_refused():
    frame = np.zeros((1, 20, 20))
    with pytest.raises(DataError, match="leaves the frame; leave out its point"):
        cut_windows(frame, np.array([[2.0, 10.0]]), 8)
    with pytest.raises(ValueError, match="linear, cubic, got 'nearest'"):
        cut_windows(frame, np.array([[10.0, 10.0]]), 8, kernel="nearest")

"""Windows between the voxels against functions known everywhere, in 2-D and 3-D."""

import itertools

import numpy as np
import pytest
from scipy.ndimage import map_coordinates

from generative.data import Dataset, extract_patches
from generative.data.windows import cut_windows, grid_points, inside
from generative.data.windows.resample import first_voxels, read_length
from generative.errors import DataError

RNG = np.random.default_rng(4)
SPACES = [(40, 44), (24, 26, 25)]


def spots(axes, centres, width=1.6):
    """Gaussian spots, 1 high, at any places."""
    places = np.meshgrid(*axes, indexing="ij")
    square = [sum((x - p) ** 2 for x, p in zip(places, c, strict=True)) for c in centres]
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


@pytest.mark.parametrize("space", SPACES, ids=str)
@pytest.mark.parametrize("kernel", ["linear", "cubic"])
def test_a_flat_frame_has_flat_windows_up_to_its_edges(space, kernel):
    for side, scale in itertools.product((4, 7), (0.3, 0.5, 1.0, 1.4, 2.0, 2.5)):
        half = side * scale / 2
        points = RNG.uniform(half - 0.5, np.array(space) - half - 0.5, (6, len(space)))
        points[0], points[1] = half - 0.5, np.array(space) - half - 0.5
        windows = cut_windows(np.full((1, *space), 3.0), points, side, scale=scale, kernel=kernel)
        np.testing.assert_allclose(windows, 3.0, rtol=1e-6)


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
    dims = len(space)
    # Half way between voxels cubic convolution takes .0092 off a spot along each axis, linear
    # interpolation .0477: 9/8 g(1/2) - 1/8 g(3/2) and g(1/2) for g of width 1.6.
    off = {"cubic": 1 - (1 - 0.0092) ** dims, "linear": 1 - (1 - 0.0477) ** dims}
    centres = np.array([[9.0] * dims, [9.0] * (dims - 1) + [16.0], [14.0] * dims])
    frame = [np.arange(n, dtype=float) for n in space]
    point = np.full((1, dims), 11.5)
    truth = spots([11.5 + np.arange(-5.5, 6)] * dims, centres)
    moves = [np.full(dims, 0.5), np.zeros(dims), *RNG.uniform(-1, 1, (4, dims))]
    for kernel, bound in off.items():
        errors = []
        for move in moves:
            moved = spots(frame, centres + move)[None]
            window = cut_windows(moved, point + move, 12, kernel=kernel)[0, 0]
            errors.append(np.abs(window - truth).max())
        assert errors[0] == pytest.approx(bound, rel=0.05)
        assert errors[1] < 1e-6
        assert max(errors) <= 1.05 * bound
    rounded = cut_windows(spots(frame, centres)[None], np.rint(point), 12)[0, 0]
    assert np.abs(rounded - truth).max() > 0.15


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

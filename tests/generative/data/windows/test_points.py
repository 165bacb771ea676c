"""Peaks, particles and walls where they were put, in 2-D and 3-D."""

import numpy as np
import pytest
from scipy.spatial import KDTree
from scipy.spatial.distance import pdist

from generative.data.grey.segmentation import Segmentation
from generative.data.windows import find_particles, find_peaks, find_walls, grid_points
from generative.errors import DataError

RNG = np.random.default_rng(8)
SPACES = [(64, 60), (30, 28, 26)]


def axes_of(space):
    return np.meshgrid(*(np.arange(n, dtype=float) for n in space), indexing="ij")


def away(space, centre):
    """Distance of each voxel from a point."""
    return np.sqrt(sum((x - p) ** 2 for x, p in zip(axes_of(space), centre, strict=True)))


@pytest.mark.parametrize("space", SPACES, ids=str)
@pytest.mark.parametrize("width", [1.2, 1.6, 2.5])
@pytest.mark.parametrize("sign", [1, -1])
def test_the_centre_of_a_gaussian_peak_is_found(space, width, sign):
    for _ in range(3):
        centre = np.array(space) / 2 + RNG.uniform(-1, 1, len(space))
        frame = 40 + 100 * sign * np.exp(-(away(space, centre) ** 2) / (2 * width**2))
        found = find_peaks(frame, 4.0, dark=sign < 0)
        assert found.shape == (1, len(space))
        assert np.linalg.norm(found[0] - centre) < 0.05


def test_every_atom_of_a_noisy_lattice_is_found_and_nothing_else():
    rows = np.array([(9.0 * i + 4.5 * (j % 2), 7.8 * j) for i in range(14) for j in range(16)])
    turn = np.array([[np.cos(0.3), np.sin(0.3)], [-np.sin(0.3), np.cos(0.3)]])
    atoms = (rows - rows.mean(axis=0)) @ turn + 64
    frame = sum(np.exp(-(away((128, 128), atom) ** 2) / (2 * 1.6**2)) for atom in atoms)
    found = find_peaks(frame + 0.1 * RNG.standard_normal(frame.shape), 4.0)
    atoms = atoms[((atoms > 3) & (atoms < 124)).all(axis=1)]
    assert KDTree(found).query(atoms)[0].max() < 0.6
    assert len(found) <= len(atoms) + 30  # those at the edges
    errors = KDTree(found).query(atoms)[0]
    assert np.sqrt((errors**2).mean()) < 0.2


def test_noise_and_a_bright_neighbour_are_no_reason_for_or_against_a_peak():
    assert len(find_peaks(RNG.standard_normal((256, 256)), 4.0)) == 0
    two = sum(a * np.exp(-(away((40, 40), (20, x)) ** 2) / 5) for a, x in ((1, 17.3), (2, 22.8)))
    assert find_peaks(two, 4.0)[:, 1].round().tolist() == [23, 17]  # the highest first
    assert len(find_peaks(two, 8.0)) == 1


@pytest.mark.parametrize("space", SPACES, ids=str)
@pytest.mark.parametrize("dark", [False, True])
def test_particles_are_found_at_their_centroids(space, dark):
    dims = len(space)
    centres = np.array([[9.3, 9.8, 9.1], [20.2, 18.4, 16.3]])[:, :dims]
    inside = (np.array([away(space, c) for c in centres]) < 4.2).any(axis=0)
    inside[(2,) * dims] = True  # a speck
    frame = np.where(inside ^ dark, 200, 30).astype(np.uint8)
    found = find_particles(frame, dark=dark)
    np.testing.assert_allclose(found, centres, atol=0.15)
    assert len(find_particles(frame, dark=dark, least_diameter=1)) == 3


def test_particles_are_the_last_phase_of_the_segmentation():
    frame = np.full((40, 40), 10.0)
    frame[5:12, 5:12], frame[20:29, 20:29] = 100.0, 200.0
    how = Segmentation("thresholds", 3, (50.0, 150.0))
    assert find_particles(frame, how).tolist() == [[24.0, 24.0]]
    assert len(find_particles(frame, Segmentation("thresholds", 2, (50.0,)))) == 2


@pytest.mark.parametrize("space", SPACES, ids=str)
def test_points_of_walls_lie_on_them_and_apart(space):
    radius, centre = 9.0, np.array(space) / 2 - 0.3
    frame = np.tanh((away(space, centre) - radius) / 1.5)
    found = find_walls(frame, 4.0)
    errors = np.linalg.norm(found - centre, axis=1) - radius
    assert np.abs(errors).max() < 0.25  # Otsu's threshold is near 0, the level of the circle
    assert np.ptp(errors) < 0.1
    assert pdist(found).min() >= 4.0 - 1e-6
    # No place of the wall is farther from a point than the spacing.
    rays = RNG.standard_normal((200, len(space)))
    wall = centre + radius * rays / np.linalg.norm(rays, axis=1, keepdims=True)
    assert KDTree(found).query(wall)[0].max() < 4.5


def test_walls_of_a_turned_frame_are_those_of_the_frame():
    frame = np.tanh((away((48, 48), (50, 10)) - 30) / 2) + 0.01 * RNG.standard_normal((48, 48))
    found, again = find_walls(frame, 3.0), find_walls(np.rot90(frame).copy(), 3.0)
    back = np.stack([again[:, 1], 47 - again[:, 0]], 1)
    assert KDTree(found).query(back)[0].max() < 3.0
    assert abs(len(found) - len(again)) <= 0.2 * len(found)


@pytest.mark.parametrize("find", [find_peaks, find_walls])
def test_a_frame_of_one_value_has_nothing_to_find(find):
    with pytest.raises(DataError, match=r"a\.png: has one value throughout \(7\).*leave the frame"):
        find(np.full((20, 20), 7.0), 4.0, name="a.png")
    with pytest.raises(ValueError, match="spacing should be a number of voxels above 0, got 0"):
        find(RNG.random((20, 20)), 0.0)


def test_a_grid_that_has_no_room_is_empty():
    assert len(grid_points((10, 30), 12, 4)) == 0
    assert len(grid_points((12, 30), 12, 6)) == 4

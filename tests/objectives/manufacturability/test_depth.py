"""Depth inside a phase, against the plain distance transform and against tiled images."""

import numpy as np
import pytest
from scipy import ndimage

from objectives.manufacturability.depth import depth_inside
from objectives.manufacturability.distance import Lattice, distances_outside
from objectives.manufacturability.thickness import out_of_reach


def blobs(shape, seed=0, scale=2.0):
    field = np.random.default_rng(seed).normal(size=shape)
    return (ndimage.gaussian_filter(field, scale, mode="wrap") > 0).astype(float)


@pytest.mark.parametrize("shape", [(31, 26), (13, 14, 15), (1, 12, 17)])
def test_centres_have_the_distance_transform_less_half_a_voxel(shape):
    structure = blobs(shape)
    centres, raised = depth_inside(structure, periodic=False)
    expected = np.maximum(ndimage.distance_transform_edt(structure) - 0.5, 0)
    np.testing.assert_allclose(centres, expected, atol=1e-12)
    assert (raised >= centres).all()
    assert (raised <= centres + 0.5 * np.sqrt(len(shape))).all()
    assert (raised[structure == 0] == 0).all()


@pytest.mark.parametrize("scale", [1.0, 4.0])
@pytest.mark.parametrize("shape", [(24, 21), (10, 9, 11), (1, 16, 15)])
@pytest.mark.parametrize("grey", [False, True])
def test_periodic_images_have_the_depth_of_tiled_ones(shape, scale, grey):
    structure = blobs(shape, scale=scale)
    if grey:
        structure = ndimage.gaussian_filter(structure, 0.8, mode="wrap")
    tiled = depth_inside(np.tile(structure, [3] * len(shape)), periodic=False)
    middle = tuple(slice(n, 2 * n) for n in shape)
    most = max(shape) / 2
    for found, expected in zip(depth_inside(structure, periodic=True), tiled, strict=True):
        np.testing.assert_allclose(found, expected[middle].clip(max=most), atol=1e-6)


def test_a_lone_voxel_outside_is_seen_from_everywhere():
    structure = np.ones((40, 36))
    structure[2, 3] = 0
    y, x = np.indices(structure.shape)
    dy, dx = np.abs(y - 2), np.abs(x - 3)
    distance = np.hypot(np.minimum(dy, 40 - dy), np.minimum(dx, 36 - dx))
    expected = np.clip(distance - 0.5, 0, 20)
    np.testing.assert_allclose(depth_inside(structure, periodic=True)[0], expected, atol=1e-12)


@pytest.mark.parametrize("periodic", [True, False])
@pytest.mark.parametrize("shape", [(20, 23), (10, 9, 11)])
def test_the_reach_of_balls_is_that_of_the_distance_transform(shape, periodic):
    structure = blobs(shape, scale=1.5)
    inside, depth = structure > 0.5, depth_inside(structure, periodic=periodic)[1]
    for size in (1.5, 2.5, 3.5):
        far = ~(inside & (depth >= size / 2))
        assert not far.all()
        if periodic:
            far = np.tile(far, [3] * len(shape))
        distance = ndimage.distance_transform_edt(far)
        if periodic:
            distance = distance[tuple(slice(n, 2 * n) for n in shape)]
        expected = inside & (distance > np.sqrt(len(shape)) * (size + 1) / 2)
        found = out_of_reach(inside, depth, size, periodic=periodic)
        np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("shape", [(9, 8), (1, 8, 7), (5, 4, 5), (3, 2), (2, 2, 2), (1, 3)])
@pytest.mark.parametrize("periodic", [True, False])
@pytest.mark.parametrize("edges", [(1, 1, 1), (2, 1, 1), (1.0, 0.4, 2.5)])
def test_distances_are_the_least_of_all_pairs(shape, periodic, edges):
    edges = np.array(edges[: len(shape)], float) / min(
        edge for edge, n in zip(edges, shape, strict=False) if n > 1
    )
    inside = np.random.default_rng(0).random(shape) > 0.15
    inside.flat[0] = False
    lattice = Lattice(shape, tuple(edges.tolist()), periodic)
    outside, size = np.argwhere(~inside), np.array(shape)
    seen = 0
    for axes, distances in distances_outside(inside, lattice):
        seen += 1
        half = np.isin(np.arange(len(shape)), axes) / 2
        points = np.argwhere(np.ones(shape, bool)) + half
        steps = np.abs(points[:, None] - outside)
        if periodic:
            steps = np.minimum(steps, size - steps)
        # The voxels outside without their outermost half unit; beside an edge, as beside a centre.
        away = np.where(steps > 0.5, steps * edges - (edges - 1) / 2, 0)
        away[:, :, size == 1] = 0
        expected = np.sqrt((away**2).sum(-1)).min(1).reshape(shape)
        valid = np.ones(shape, bool)
        for axis in () if periodic else axes:
            np.moveaxis(valid, axis, 0)[-1] = False
        np.testing.assert_allclose(distances[valid], expected[valid], rtol=1e-6)
    assert seen == 2 ** sum(n > 1 for n in shape)


@pytest.mark.parametrize("share", np.linspace(0, 0.5, 6))
@pytest.mark.parametrize("width", [4, 5, 6])
def test_a_face_that_moves_by_a_share_of_a_voxel_moves_the_depth_by_it(width, share):
    wall = np.zeros((24, 6))
    wall[4 : 4 + width] = 1
    wall[4 + width] = share
    centres, raised = depth_inside(wall, periodic=False)
    rows = np.arange(width)
    expected = np.minimum(rows + 0.5, width - rows - 0.5 + share)
    np.testing.assert_allclose(centres[4 : 4 + width], expected[:, None] * np.ones(6), atol=1e-9)
    if width % 2 == 0:  # the middle lies on the grid of half steps, and its surfaces on both sides
        assert raised.max() == pytest.approx((width + share) / 2)


def test_one_grey_voxel_far_away_changes_nothing_here():
    structure = blobs((40, 40))
    before = depth_inside(structure, periodic=True)
    structure[20, 20] = 0.999 if structure[20, 20] else 0.001
    for one, other in zip(before, depth_inside(structure, periodic=True), strict=True):
        np.testing.assert_allclose(one, other, atol=2e-3)


def disc(radius, centre=(15.3, 16.1), fine=8):
    """Share of a disc in every pixel, and how deep in it their centres are."""
    y, x = (np.indices((32 * fine, 32 * fine)) + 0.5) / fine - 0.5
    inside = np.hypot(y - centre[0], x - centre[1]) < radius
    rows, columns = np.indices((32, 32))
    share = inside.reshape(32, fine, 32, fine).mean((1, 3))
    return share, radius - np.hypot(rows - centre[0], columns - centre[1])


@pytest.mark.parametrize("radius", [4.3, 6.7, 9.1])
def test_a_grey_disc_is_as_deep_as_it_is(radius):
    share, true = disc(radius)
    for phase, depth in ((share, true), (1 - share, -true)):
        near = (phase > 0.5) & (depth < 5)
        error = (depth_inside(phase, periodic=True)[0] - depth)[near]
        assert abs(error.mean()) < 0.06
        assert np.abs(error).max() < 0.4


def test_the_depth_of_a_growing_disc_does_not_jump():
    depths = [depth_inside(disc(radius)[0], periodic=True) for radius in np.arange(5, 6, 0.05)]
    for either in np.diff(depths, axis=0).transpose(1, 0, 2, 3):
        assert np.abs(either).max() < 0.6

"""Depth inside a phase, against the plain distance transform and against tiled images."""

import numpy as np
import pytest
from scipy import ndimage

from objectives.manufacturability.depth import depth_inside
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
@pytest.mark.parametrize("shape", [(50, 41), (22, 20, 21), (1, 30, 30)])
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
@pytest.mark.parametrize("shape", [(30, 33), (14, 12, 13)])
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

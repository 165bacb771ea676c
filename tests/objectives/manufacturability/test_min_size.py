"""Minimum size of solid and void: walls, boxes, discs, bridges; what is continuous."""

import numpy as np
import pytest

from objectives.manufacturability import check_design_rules


def size(structure, limit=1.0, kind="min_solid", **options):
    """Result of a size rule on one structure."""
    images = np.asarray(structure, float)[None, None]
    return check_design_rules(images, [{"kind": kind, "limit_um": limit}], **options)[0][kind]


def disc(radius, n=20, centre=(9.3, 10.1), fine=8):
    """Share of a disc in every pixel, by pixels `fine` times smaller."""
    y, x = (np.indices((n * fine, n * fine)) + 0.5) / fine - 0.5
    inside = np.hypot(y - centre[0], x - centre[1]) < radius
    return inside.reshape(n, fine, n, fine).mean((1, 3))


@pytest.mark.parametrize("periodic", [True, False])
@pytest.mark.parametrize("kind", ["min_solid", "min_void"])
@pytest.mark.parametrize("shape", [(20, 9), (20, 4, 5)])
def test_a_wall_has_its_width(shape, kind, periodic):
    for width in (1, 2, 3, 6):
        walls = np.zeros(shape)
        walls[5 : 5 + width] = 1
        structure = walls if kind == "min_solid" else 1 - walls
        for axis in range(walls.ndim):
            found = size(np.moveaxis(structure, 0, axis), kind=kind, periodic=periodic)
            assert found.value == pytest.approx(width, abs=1e-9)


@pytest.mark.parametrize("edges", [(4, 7), (5, 5), (3, 4, 6), (5, 5, 5), (2, 2, 9), (7, 8, 8)])
def test_a_box_has_its_shortest_edge(edges):
    box = np.zeros([12] * len(edges))
    box[tuple(slice(1, 1 + edge) for edge in edges)] = 1
    assert size(box).value == pytest.approx(min(edges), abs=1e-9)


@pytest.mark.parametrize("edge", [4.0, 4.2, 4.5, 4.75, 5.3, 6.1])
def test_partly_filled_voxels_move_the_edge(edge):
    wall = np.zeros((16, 6))
    wall[4:8] = 1
    wall[8] = min(edge - 4, 1)
    wall[9] = max(edge - 5, 0) if edge > 5 else 0
    wall[10] = max(edge - 6, 0) if edge > 6 else 0
    wall[9:11] = np.minimum(wall[9:11], 1)
    # The middle of the wall is off the grid of half voxels by up to a quarter.
    assert edge - 0.5 <= size(wall).value <= edge + 1e-9


def test_a_disc_is_measured_up_to_a_voxel_short_and_smoothly():
    radii = np.arange(2.5, 5.5, 0.1)
    values = np.array([size(disc(radius)).value for radius in radii])
    assert (values <= 2 * radii + 0.3).all()
    assert (values >= 2 * radii - 1.0).all()
    assert np.abs(np.diff(values)).max() < 0.8  # the diameter itself grows by .2 a step


def test_a_growing_disc_of_whole_voxels_never_jumps_by_more_than_a_voxel():
    values = [size(disc(radius) > 0.5).value for radius in np.arange(3, 7, 0.1)]
    assert np.abs(np.diff(values)).max() <= 1.0


def test_a_thin_bridge_is_found_and_pointed_at():
    dumbbell = np.zeros((24, 40))
    dumbbell[6:18, 2:14] = dumbbell[6:18, 26:38] = 1
    dumbbell[11:13, 14:26] = 1
    result = size(dumbbell, limit=6.0)
    assert result.value == pytest.approx(2)
    assert result.margin == pytest.approx(-4)
    assert result.mask[11:13, 18:22].all()
    assert not result.mask[6:18, 2:12].any()
    assert not result.mask[dumbbell == 0].any()


def test_the_mask_is_empty_where_the_rule_is_kept():
    wall = np.zeros((16, 16))
    wall[3:8] = 1
    assert size(wall, limit=5.0).margin == pytest.approx(0)
    assert not size(wall, limit=5.0).mask.any()
    assert size(wall, limit=5.5).mask.sum() == wall.sum()


def test_values_scale_with_the_voxel_and_the_phases_swap():
    generator = np.random.default_rng(0)
    structure = generator.random((20, 22)).repeat(2, 0).repeat(2, 1) > 0.5
    one, two = size(structure), size(structure, voxel_size_um=2.5)
    assert two.value == pytest.approx(2.5 * one.value)
    assert size(~structure, kind="min_void").value == one.value


@pytest.mark.parametrize("shape", [(21, 18), (9, 10, 11)])
def test_shifts_of_periodic_images_change_nothing(shape):
    generator = np.random.default_rng(1)
    structure = np.kron(
        generator.random([n // 3 + 1 for n in shape]) > 0.4, np.ones([3] * len(shape))
    )
    structure = structure[tuple(slice(n) for n in shape)]
    axes = tuple(range(len(shape)))
    shift = (4, 7, 5)[: len(shape)]
    for kind in ("min_solid", "min_void"):
        before = size(structure, 4.0, kind)
        after = size(np.roll(structure, shift, axes), 4.0, kind)
        assert after.value == pytest.approx(before.value)
        np.testing.assert_array_equal(after.mask, np.roll(before.mask, shift, axes))


def test_thick_phases_of_periodic_images_are_measured_across_the_faces():
    wide = np.zeros((64, 4))
    wide[40:] = wide[:26] = 1  # 50 voxels across the face
    assert size(wide).value == pytest.approx(50)


def test_one_phase_alone_has_the_longest_edge():
    for shape in ((8, 12), (6, 5, 9)):
        for kind in ("min_solid", "min_void"):
            for fill in (0.0, 1.0):
                assert size(np.full(shape, fill), kind=kind).value == max(shape)


def test_a_volume_of_one_voxel_is_the_section():
    generator = np.random.default_rng(2)
    section = np.kron(generator.random((6, 7)) > 0.5, np.ones((3, 3)))
    for periodic in (True, False):
        expected = size(section, 5.0, periodic=periodic)
        result = size(section[None], 5.0, periodic=periodic)
        assert result.value == pytest.approx(expected.value)
        np.testing.assert_array_equal(result.mask[0], expected.mask)

"""Percolation, islands, enclosed voids: what hangs together, across faces and not."""

import numpy as np
import pytest

from objectives.manufacturability import check_design_rules
from objectives.manufacturability.clusters import find_clusters


def measured(structure, kind, periodic=False, **settings):
    images = np.asarray(structure, float)[None, None]
    return check_design_rules(images, [{"kind": kind, **settings}], periodic=periodic)[0][kind]


def channel(width, gap=0, shape=(20, 24)):
    """A channel along axis 0, cut by `gap` voxels."""
    structure = np.zeros(shape)
    structure[:, 6 : 6 + width] = 1
    structure[9 : 9 + gap] = 0
    return structure


@pytest.mark.parametrize("periodic", [True, False])
@pytest.mark.parametrize("width", range(1, 7))
def test_a_channel_percolates_by_its_width(width, periodic):
    result = measured(channel(width), "percolation", periodic)
    assert result.value == pytest.approx(width)
    assert measured(1 - channel(width), "percolation", periodic, of="void").value == result.value


@pytest.mark.parametrize("periodic", [True, False])
@pytest.mark.parametrize("gap", range(1, 6))
def test_a_blocked_channel_is_short_of_the_gap(gap, periodic):
    result = measured(channel(7, gap), "percolation", periodic)
    assert result.value == pytest.approx(-gap)
    assert result.margin < 0
    rows, columns = np.nonzero(result.mask)
    assert rows.min() >= 9
    assert rows.max() < 9 + gap
    assert 6 <= columns.min() <= columns.max() < 13


def test_a_channel_percolates_along_its_own_axis_only():
    for axis in (0, 1, 2):
        structure = np.zeros((9, 10, 11))
        structure[tuple(slice(None) if a == axis else slice(3, 6) for a in range(3))] = 1
        margins = [measured(structure, "percolation", axis=a).margin for a in range(3)]
        assert [margin >= 0 for margin in margins] == [a == axis for a in range(3)]


def test_a_channel_that_misses_itself_in_the_next_cell_percolates_only_where_cells_do_not_repeat():
    structure = np.zeros((12, 12))
    structure[:7, 2:4] = structure[5:7, 2:9] = structure[5:, 7:9] = 1
    assert measured(structure, "percolation", False).margin >= 0
    assert measured(structure, "percolation", True).margin < 0


def test_a_helix_that_closes_after_two_cells_percolates():
    structure = np.zeros((8, 8))
    for row in range(8):  # up one column every second row: 4 columns a cell
        structure[row, [(row // 2) % 8, (row // 2 + 1) % 8]] = 1
        structure[row, [(row // 2 + 4) % 8, (row // 2 + 5) % 8]] = 1
    assert measured(structure, "percolation", True).margin >= 0
    clusters = find_clusters(structure > 0, periodic=True)
    assert clusters.labels.max() == 1
    assert clusters.spans[1].all()


def test_the_narrowest_place_is_pointed_at():
    structure = channel(6)
    structure[10, 8:12] = 0  # two voxels are left
    result = measured(structure, "percolation", limit_um=4)
    assert result.value == pytest.approx(2)
    assert result.mask.any()
    assert set(np.nonzero(result.mask)[0]) <= {9, 10, 11}


def test_one_phase_alone_percolates_by_the_longest_edge_or_not_at_all():
    for periodic in (True, False):
        assert measured(np.ones((6, 9)), "percolation", periodic).value == 9
        assert measured(np.zeros((6, 9)), "percolation", periodic).value == -9


@pytest.mark.parametrize("periodic", [True, False])
@pytest.mark.parametrize("shape", [(20, 20), (12, 12, 12)])
def test_an_island_has_its_share_of_the_solid_and_is_masked(shape, periodic):
    structure = np.zeros(shape)
    structure[2:6] = 1
    island = tuple(slice(8, 11) for _ in shape)
    structure[island] = 1
    result = measured(structure, "islands", periodic)
    assert result.value == pytest.approx(structure[island].sum() / structure.sum())
    assert result.mask[island].all()
    assert result.mask.sum() == structure[island].sum()


def test_pieces_that_meet_across_a_periodic_face_are_one():
    structure = np.zeros((10, 10))
    structure[:2, 3:6] = structure[-3:, 3:6] = 1
    assert measured(structure, "islands", True).margin == 0
    assert measured(structure, "islands", False).value == pytest.approx(6 / 15)


def test_on_the_plate_is_not_loose():
    structure = np.zeros((10, 12))
    structure[0:5, 1:3] = structure[0:2, 8:10] = 1
    structure[6:9, 5:11] = 1  # the largest piece, in the air
    assert measured(structure, "islands", anchor="plate").value == pytest.approx(18 / 32)
    assert measured(structure, "islands", anchor="plate").mask[6:9, 5:11].all()


@pytest.mark.parametrize("periodic", [True, False])
@pytest.mark.parametrize("shape", [(16, 16), (10, 10, 10)])
def test_an_enclosed_cavity_has_its_volume_until_it_is_opened(shape, periodic):
    structure = np.zeros(shape)
    structure[tuple(slice(2, 9) for _ in shape)] = 1
    cavity = tuple(slice(4, 7) for _ in shape)
    structure[cavity] = 0
    result = measured(structure, "enclosed_void", periodic)
    assert result.value == pytest.approx(3 ** len(shape) / structure.size)
    assert result.mask[cavity].all()
    assert result.mask.sum() == 3 ** len(shape)
    structure[(slice(4, 9), *[5] * (len(shape) - 1))] = 0
    assert measured(structure, "enclosed_void", periodic).value == 0


def test_void_that_only_touches_a_face_is_enclosed_where_images_repeat():
    structure = np.ones((12, 12))
    structure[:3, 4:8] = 0
    assert measured(structure, "enclosed_void", False).value == 0
    assert measured(structure, "enclosed_void", True).value == pytest.approx(12 / 144)


def test_shares_follow_partly_filled_voxels():
    structure = np.zeros((12, 12))
    structure[1:4] = 1
    structure[7:9, 5] = (1, 0.6)
    assert measured(structure, "islands").value == pytest.approx(1.6 / 37.6)


@pytest.mark.parametrize("kind", ["percolation", "islands", "enclosed_void"])
def test_shifts_of_periodic_images_change_nothing(kind):
    generator = np.random.default_rng(3)
    for shape in ((24, 21), (12, 9, 15)):
        blocks = generator.random([n // 3 for n in shape]) > 0.45
        structure = np.kron(blocks, np.ones([3] * len(shape)))
        axes, shift = tuple(range(len(shape))), (5, 7, 4)[: len(shape)]
        before = measured(structure, kind, True)
        after = measured(np.roll(structure, shift, axes), kind, True)
        assert after.value == pytest.approx(before.value)
        if kind != "islands":  # of equally large pieces either may be the one that stays
            np.testing.assert_array_equal(after.mask, np.roll(before.mask, shift, axes))


@pytest.mark.parametrize("kind", ["islands", "enclosed_void"])
def test_a_volume_of_one_voxel_is_the_section(kind):
    structure = np.zeros((16, 16))
    structure[2:9, 2:9] = 1
    structure[4:6, 4:6] = 0
    structure[12, 12] = 1
    for periodic in (True, False):
        expected = measured(structure, kind, periodic)
        assert expected.value > 0
        assert measured(structure[None], kind, periodic).value == expected.value


@pytest.mark.parametrize("kind", ["islands", "enclosed_void"])
def test_one_phase_alone_is_whole(kind):
    for fill in (0.0, 1.0):
        for periodic in (True, False):
            result = measured(np.full((5, 6, 7), fill), kind, periodic)
            assert result.value == 0
            assert result.margin == 0
            assert not result.mask.any()

"""Rules on voxels that are no cubes: widths along each axis, and the same body cut into cubes."""

import numpy as np
import pytest
import torch
from scipy import ndimage

from objectives.errors import EvaluationError
from objectives.manufacturability import check_design_rules, process_drop
from objectives.manufacturability.depth import depth_inside
from objectives.volume_fraction import VolumeFraction

BOXES = [(5, 1), (1, 2), (3, 1, 1), (1, 2, 5)]
each_box = pytest.mark.parametrize("edges", BOXES, ids=str)
either_way = pytest.mark.parametrize("periodic", [True, False])


def measured(structure, kind, edges, periodic=True, **settings):
    images = np.asarray(structure, float)[None, None]
    rules = [{"kind": kind, **settings}]
    return check_design_rules(images, rules, voxel_size_um=edges, periodic=periodic)[0][kind]


def blobs(edges, seed, share=0.5):
    """A smooth field of about 20 micrometres a side, of a volume 15, cut."""
    side = {2: 20, 3: 15}[len(edges)]
    shape = [max(2, side // edge) for edge in edges]
    field = np.random.default_rng(seed).normal(size=shape)
    field = ndimage.gaussian_filter(field, [2 / edge for edge in edges], mode="wrap")
    return (field > np.quantile(field, 1 - share)).astype(float)


def cut_into_cubes(structure, edges):
    for axis, edge in enumerate(edges):
        structure = np.repeat(structure, edge, axis)
    return structure


def layers(edges, axis, thick, gap=0):
    """A slab of so many voxels along an axis, or two with a gap between them."""
    shape = [5] * len(edges)
    shape[axis] = 2 * (thick + gap) + 4
    slab = np.zeros(shape)
    along = np.moveaxis(slab, axis, 0)
    along[1 : 1 + thick] = 1
    if gap:
        along[1 + thick + gap : 3 + thick + gap] = 1
    return slab


@each_box
@either_way
def test_a_slab_is_as_wide_as_its_voxels_along_that_axis(edges, periodic):
    for axis, edge in enumerate(edges):
        rules = [
            {"kind": "min_solid", "limit_um": 1},
            {"kind": "min_void", "limit_um": 1, "phase": 0},
            {"kind": "percolation", "axis": (axis + 1) % len(edges)},
            {"kind": "percolation", "axis": axis, "of": "void", "label": "blocked"},
        ]
        for thick in (2, 3):
            images = layers(edges, axis, thick)[None, None]
            found = check_design_rules(images, rules, voxel_size_um=edges, periodic=periodic)[0]
            values = [result.value for result in found.values()]
            assert values == pytest.approx(np.multiply(thick * edge, [1, 1, 1, -1]), abs=1e-9)


@each_box
@either_way
def test_slabs_are_as_far_apart_as_the_voxels_between_them(edges, periodic):
    for axis, edge in enumerate(edges):
        for gap in (1, 4):
            body = layers(edges, axis, 2, gap)
            result = measured(body, "min_gap", edges, periodic, limit_um=1)
            assert result.value == pytest.approx(gap * edge, abs=1e-9)


@each_box
def test_a_partly_filled_layer_moves_the_surface_by_its_share_of_the_edge(edges):
    for axis, edge in enumerate(edges):
        slab = layers(edges, axis, 2)
        np.moveaxis(slab, axis, 0)[3] = 0.3
        depth = np.moveaxis(depth_inside(slab, periodic=True, edges=edges)[0], axis, 0)
        assert depth[1] == pytest.approx(0.5 * edge)
        assert depth[2] == pytest.approx(0.8 * edge)


@each_box
@either_way
def test_the_longest_edge_is_that_of_space(edges, periodic):
    full = np.ones([4] * len(edges))
    assert measured(full, "min_solid", edges, periodic, limit_um=1).value == 4 * max(edges)
    assert measured(full, "percolation", edges, periodic).value == 4 * max(edges)
    assert measured(full, "min_gap", edges, periodic, limit_um=1).value == 4 * max(edges)


@pytest.mark.parametrize("edges", [(5, 1), (1, 3), (3, 1, 1), (1, 3, 5)], ids=str)
@either_way
def test_centres_are_as_deep_as_those_of_the_same_body_cut_into_cubes(edges, periodic):
    middle = tuple(slice(edge // 2, None, edge) for edge in edges)
    for seed in range(2):
        structure = blobs(edges, seed)
        cubes, _ = depth_inside(cut_into_cubes(structure, edges), periodic=periodic)
        boxes, _ = depth_inside(structure, periodic=periodic, edges=edges)
        most = max(n * edge for n, edge in zip(structure.shape, edges, strict=True)) / 2
        np.testing.assert_allclose(boxes, cubes[middle].clip(max=most), atol=1e-9)


EXACT = [
    ("min_gap", {"limit_um": 2}),
    ("islands", {}),
    ("enclosed_void", {}),
    ("phase_fraction", {"target": 0.4}),
    ("local_packing", {"limit": 0.8, "window_um": 10}),
]


@each_box
@either_way
@pytest.mark.parametrize(("kind", "settings"), EXACT, ids=[kind for kind, _ in EXACT])
def test_a_body_has_the_values_of_the_same_body_cut_into_cubes(edges, periodic, kind, settings):
    exact = kind != "local_packing" or all(10 % edge == 0 and edge != 2 for edge in edges)
    for seed in range(2):
        structure = blobs(edges, seed, share=0.3)
        cubes = measured(
            cut_into_cubes(structure, edges), kind, (1,) * len(edges), periodic, **settings
        )
        boxes = measured(structure, kind, edges, periodic, **settings)
        assert boxes.value == pytest.approx(cubes.value, abs=1e-9 if exact else 0.1)


@each_box
@either_way
def test_widths_are_those_of_cubes_within_the_longest_edge_of_a_voxel(edges, periodic):
    for seed in range(2):
        structure = blobs(edges, seed)
        cubes = cut_into_cubes(structure, edges)
        rules = [
            {"kind": "percolation", "axis": axis, "label": f"along_{axis}"}
            for axis in range(len(edges))
        ]
        expected, found = (
            check_design_rules(x[None, None], rules, voxel_size_um=sides, periodic=periodic)[0]
            for x, sides in ((cubes, (1,) * len(edges)), (structure, edges))
        )
        assert expected.keys() == found.keys()
        for name in expected:
            assert abs(found[name].value - expected[name].value) <= max(edges)


@pytest.mark.parametrize("edges", [(1, 1), (2, 1), (1, 2), (3, 1)], ids=str)
@pytest.mark.parametrize("degrees", [20, 45, 60])
def test_a_slope_has_its_angle_in_space(edges, degrees):
    up, across = (np.indices((48, 48)) - 24) * np.reshape(edges, (2, 1, 1))
    a = np.radians(degrees)
    # Share of a voxel in the half-space, by its length along the normal.
    away = up * np.sin(a) - across * np.cos(a)
    section = np.clip(away / (edges[0] * np.sin(a) + edges[1] * np.cos(a)) + 0.5, 0, 1)
    assert measured(section, "overhang", edges, False).value == pytest.approx(degrees, abs=3)
    result = measured(section > 0.5, "overhang", edges, False)
    assert result.value == pytest.approx(degrees, abs=9)


def test_values_are_lengths_of_the_voxels():
    structure = blobs((1, 1), 0)
    for kind in ("min_solid", "min_void", "min_gap"):
        one = measured(structure, kind, (1, 1), limit_um=1)
        assert measured(structure, kind, (2.5, 2.5), limit_um=1).value == pytest.approx(
            2.5 * one.value
        )


def test_a_section_does_not_know_how_thick_it_is():
    section = blobs((2, 1), 0)
    for kind in ("min_solid", "min_void", "min_gap", "percolation"):
        settings = {} if kind == "percolation" else {"limit_um": 2}
        expected = measured(section, kind, (2, 1), **settings)
        if kind == "percolation":
            settings["axis"] = 1
        for thickness in (0.1, 50.0):
            result = measured(section[None], kind, (thickness, 2, 1), **settings)
            if kind == "min_gap" and expected.value == max(2 * section.shape[0], section.shape[1]):
                continue  # no gap: the longest edge, which is the thickness here
            assert result.value == pytest.approx(expected.value)


def test_the_process_blurs_by_the_same_length_along_every_axis():
    images = torch.zeros(2, 1, 24, 24)
    images[0, :, 4:6] = images[1, :, :, 4:6] = 1
    made = process_drop(images, VolumeFraction(), resolution_um=4, voxel_size_um=(5, 1))
    assert made.images[0].sum() == images[0].sum()  # 10 um wide: kept
    assert made.images[1].sum() == 0  # 2 um wide: lost


def test_a_voxel_size_for_another_number_of_axes_is_refused():
    with pytest.raises(EvaluationError, match="2 for images of 2 axes"):
        measured(np.zeros((8, 8)), "islands", (1, 1, 1))

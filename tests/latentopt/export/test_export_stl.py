"""Surfaces: closed, manifold, of the right volume, and no voxel lost."""

import itertools
import json

import numpy as np
import pytest
import pyvista
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.ndimage import gaussian_filter

from latentopt.errors import ExportError
from latentopt.export import verify
from latentopt.export.meshing.solid_voxels import solid_voxels
from latentopt.export.meshing.surface_net import surface_net
from latentopt.export.stl import STLExporter
from latentopt.microstructure import Microstructure


def microstructure(phases, voxel_size_m=(1e-6, 1e-6, 1e-6), count=5):
    names = tuple(f"φ{k} / <matrix>" for k in range(count))
    sizes = tuple(voxel_size_m)[: phases.ndim]
    return Microstructure(phases.astype(np.uint8), sizes, names, (True,) * phases.ndim)


@st.composite
def structures(draw):
    dims = draw(st.sampled_from([2, 3]))
    shape = tuple(draw(st.integers(1, 7)) for _ in range(dims))
    count = draw(st.integers(1, 5))
    phases = draw(arrays(np.uint8, shape, elements=st.integers(0, count - 1)))
    return microstructure(phases, [draw(st.floats(1e-9, 1e-2)) for _ in range(dims)], count)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("surfaces")


def meshes(written, path):
    """Each phase of an export, as VTK reads it: vertices at the same place are one."""
    first = STLExporter().write(written, path)
    record = json.loads(first.with_name(f"{first.name}.json").read_text(encoding="utf-8"))
    names = [record["file"], *record["surfaces"]]
    return first, {int(n.split("phase_")[1][0]): pyvista.read(first.with_name(n)) for n in names}


def ball(radius, side, centre):
    place = np.indices((side,) * 3) + 0.5 - side / 2 - np.reshape(centre, (3, 1, 1, 1))
    return (place**2).sum(axis=0) <= radius**2


@settings(max_examples=60, deadline=None)
@given(written=structures())
def test_surfaces_are_closed_and_manifold_and_hold_every_voxel(folder, written):
    first, surfaces = meshes(written, folder / "any.stl")
    assert set(surfaces) == set(np.unique(written.phases))
    for mesh in surfaces.values():
        assert (mesh.n_open_edges, mesh.is_manifold) == (0, True)
        assert mesh.volume > 0  # outward
    labels = STLExporter().read(first).reshape(written.phases.shape)
    np.testing.assert_array_equal(labels, written.phases)


@pytest.mark.parametrize("layer", [0, 1])
def test_every_pattern_of_eight_voxels_has_a_manifold_surface_whose_vertices_differ(layer):
    for bits in itertools.product((0, 1), repeat=8):
        labels = np.pad(np.reshape(bits, (2, 2, 2)), layer, mode="edge")
        for label, surface in surface_net(labels).items():
            edges = surface.triangles[:, [0, 1, 1, 2, 2, 0]].reshape(-1, 2)
            ways = {tuple(edge) for edge in edges.tolist()}
            assert len(ways) == len(edges)  # no edge twice in one direction
            assert ways == {(end, start) for start, end in ways}
            places = np.round(surface.vertices, 3)
            assert len(np.unique(places, axis=0)) == len(places)
            inside = solid_voxels(surface.vertices[surface.triangles], labels.shape)
            np.testing.assert_array_equal(inside, labels == label)


def test_a_vtk_ray_test_finds_the_same_voxels(folder):
    noise = np.random.default_rng(0).integers(0, 3, (5, 6, 7))
    sizes_m = (3e-6, 1e-6, 2e-6)
    _, surfaces = meshes(microstructure(noise, sizes_m), folder / "noise.stl")
    centres_mm = (np.indices(noise.shape).reshape(3, -1).T + 0.5) * np.multiply(sizes_m, 1e3)
    points = pyvista.PolyData(centres_mm[:, ::-1])
    for label, mesh in surfaces.items():
        selected = points.select_interior_points(mesh, check_surface=True)
        inside = np.asarray(selected["selected_points"], dtype=bool)
        np.testing.assert_array_equal(inside.reshape(noise.shape), noise == label)


@pytest.mark.parametrize("radius", [3, 4, 6, 8])
@pytest.mark.parametrize("centre", [(0, 0, 0), (0.3, 0.2, 0.4)])
def test_spheres_keep_their_volume_and_lose_their_steps(folder, radius, centre):
    voxels = ball(radius, side=2 * radius + 4, centre=centre)
    _, surfaces = meshes(microstructure(voxels), folder / "sphere.stl")
    assert surfaces[1].volume == pytest.approx(1e-9 * voxels.sum(), rel=0.03)
    if radius >= 6:  # steps would make the area half as large again
        assert surfaces[1].area == pytest.approx(4e-6 * np.pi * radius**2, rel=0.08)


def test_bars_of_six_voxels_keep_their_volume(folder):
    bar = np.zeros((12, 12, 20))
    bar[3:9, 3:9] = 1
    _, surfaces = meshes(microstructure(bar), folder / "bar.stl")
    assert surfaces[1].volume == pytest.approx(1e-9 * bar.sum(), rel=0.03)


def volume(surface):
    corners = surface.vertices[surface.triangles]
    return np.einsum("ij,ij->", corners[:, 0], np.cross(corners[:, 1], corners[:, 2])) / 6


def fans(triangles):
    """Triangles around each vertex, and how many of them follow one another round it."""
    following = {}
    for a, b, c in triangles.tolist():
        following |= {(a, b): c, (b, c): a, (c, a): b}
    around = {}
    for vertex, neighbour in following:
        around.setdefault(vertex, []).append(neighbour)
    for vertex, neighbours in around.items():
        turns, neighbour = 1, following[vertex, neighbours[0]]
        while neighbour != neighbours[0]:
            turns, neighbour = turns + 1, following[vertex, neighbour]
        yield len(neighbours), turns


def sides(surface):
    """Each triangle by the places of its corners, the least of them first."""
    for triangle in surface.vertices[surface.triangles].tolist():
        first = triangle.index(min(triangle))
        yield tuple(map(tuple, triangle[first:] + triangle[:first]))


def check_that_surfaces_fill_the_box(labels):
    surfaces = surface_net(labels)
    assert sum(map(volume, surfaces.values())) == pytest.approx(labels.size, rel=1e-12)
    every = [triangle for surface in surfaces.values() for triangle in sides(surface)]
    assert len(set(every)) == len(every)
    from_behind = {(a, c, b) for a, b, c in every}
    for triangle in set(every) - from_behind:  # nobody has it from the other side
        corners = np.array(triangle)
        assert ((corners == 0) | (corners == labels.shape[::-1])).all(axis=0).any()
    for surface in surfaces.values():
        assert all(count == turns for count, turns in fans(surface.triangles))


NOISE = np.random.default_rng(0)
SMOOTH = gaussian_filter(NOISE.normal(size=(12, 12, 12)), 1.5, mode="wrap")
STRUCTURES = {
    "smooth, two phases": np.digitize(SMOOTH, [0.0]),
    "smooth, three phases": np.digitize(SMOOTH, np.quantile(SMOOTH, [1 / 3, 2 / 3])),
    "noise, three phases": NOISE.integers(0, 3, (5, 5, 5)),
    "noise, seven phases": NOISE.integers(0, 7, (5, 5, 5)),
    "cubes in a checkerboard": (np.indices((8, 8, 8)) // 2).sum(axis=0) % 2,
    "a checkerboard": np.indices((4, 4, 4)).sum(axis=0) % 2,
    "rods that touch along edges": np.repeat((np.indices((4, 4)).sum(axis=0) % 2)[None], 3, 0),
    "a picture": NOISE.integers(0, 3, (1, 8, 8)),
    "one voxel": np.zeros((1, 1, 1), dtype=int),
}


@pytest.mark.parametrize("labels", STRUCTURES.values(), ids=STRUCTURES)
def test_surfaces_share_every_triangle_between_two_phases_and_fill_the_box(labels):
    check_that_surfaces_fill_the_box(labels)


@settings(max_examples=60, deadline=None)
@given(
    labels=st.tuples(*[st.integers(1, 4)] * 3).flatmap(
        lambda shape: arrays(np.uint8, shape, elements=st.integers(0, 4))
    )
)
def test_surfaces_of_any_structure_fill_the_box_and_touch_themselves_nowhere(labels):
    check_that_surfaces_fill_the_box(labels)


def test_files_fill_the_box_as_vtk_measures_them(folder):
    for labels in (STRUCTURES["smooth, three phases"], STRUCTURES["noise, three phases"]):
        _, surfaces = meshes(microstructure(labels, (1e-6, 2e-6, 3e-6)), folder / "filled.stl")
        volumes = [mesh.volume for mesh in surfaces.values()]
        assert sum(volumes) == pytest.approx(6e-9 * labels.size, rel=1e-5)


def test_smooth_phases_keep_their_volume(folder):
    noise = np.random.default_rng(0).normal(size=(24, 24, 24))
    labels = np.digitize(gaussian_filter(noise, 3, mode="wrap"), [0.0])
    _, surfaces = meshes(microstructure(labels), folder / "smooth.stl")
    for label, mesh in surfaces.items():
        assert mesh.volume == pytest.approx(1e-9 * (labels == label).sum(), rel=0.03)


def pieces(surface):
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    start, end = surface.triangles[:, [0, 1, 1, 2]].reshape(-1, 2).T
    count = len(surface.vertices)
    links = coo_array((np.ones(len(start)), (start, end)), shape=(count, count))
    return connected_components(links, directed=False)[0]


@pytest.mark.parametrize("at", [(1, 1, 1), (2, 1, 1)])  # by a corner, by an edge
def test_of_two_phases_that_touch_themselves_the_one_with_more_voxels_is_joined(at):
    few = np.zeros((4, 4, 4), dtype=int)
    few[2, 2, 2] = few[at] = 1
    assert pieces(surface_net(few)[1]) == 2
    assert pieces(surface_net(1 - few)[0]) == 2
    more = np.where(few == 1, 0, np.arange(few.size).reshape(few.shape) + 1)
    assert pieces(surface_net(more)[0]) == 1


def test_a_laminate_is_exact_boxes_in_millimetres(folder):
    labels = np.repeat([0, 1, 0], [2, 3, 1])[:, None, None] * np.ones((6, 4, 5))
    _, surfaces = meshes(microstructure(labels, (1e-6, 2e-6, 3e-6)), folder / "laminate.stl")
    assert surfaces[1].bounds == pytest.approx((0, 15e-3, 0, 8e-3, 2e-3, 5e-3))
    assert surfaces[1].volume == pytest.approx(15e-3 * 8e-3 * 3e-3)


def test_pictures_are_extruded_as_thick_as_a_voxel_is_wide(folder):
    labels = np.array([[0, 1, 1], [0, 0, 1], [0, 0, 1]])
    first, surfaces = meshes(microstructure(labels, (1e-6, 2e-6)), folder / "flat.stl")
    assert surfaces[0].bounds[4:] == pytest.approx((0, 2e-3))
    assert STLExporter().read(first).shape == (1, 3, 3)


def test_the_unit_is_in_header_and_sidecar(folder):
    first, _ = meshes(microstructure(np.zeros((2, 2, 2))), folder / "unit.stl")
    assert first.name == "unit_phase_0_0_matrix.stl"
    assert first.read_bytes().startswith(b"phase_0_0_matrix in mm")
    record = json.loads(first.with_name(f"{first.name}.json").read_text(encoding="utf-8"))
    assert record["surface_unit"] == "mm"


def test_lengths_too_small_for_the_format_are_refused_with_the_phase(tmp_path):
    labels = np.random.default_rng(0).integers(0, 2, (4, 4, 4))
    with pytest.raises(ExportError, match="surface of phase 'φ0 / <matrix>'") as caught:
        STLExporter().write(microstructure(labels, (1e-49,) * 3), tmp_path / "tiny.stl")
    assert "\n" not in str(caught.value)
    assert not list(tmp_path.iterdir())


def test_an_open_surface_is_not_taken_for_a_solid():
    surface = surface_net(np.zeros((2, 2, 2), dtype=int))[0]
    corners = surface.vertices[surface.triangles]
    upper = corners[..., 2].min(axis=1) > 1.5
    with pytest.raises(ValueError, match="not closed"):
        solid_voxels(corners[~upper], (2, 2, 2))


def test_the_surface_of_a_phase_that_is_gone_goes_too(tmp_path):
    phases = np.arange(27, dtype=np.uint8).reshape(3, 3, 3) % 3
    for labels in (phases, phases % 2):
        structure = Microstructure(labels, (1e-6,) * 3, ("a", "b", "c"), (True,) * 3)
        verify(STLExporter().write(structure, tmp_path / "best.stl"))
    assert sorted(path.name for path in tmp_path.glob("*.stl")) == [
        "best_phase_0_a.stl",
        "best_phase_1_b.stl",
    ]

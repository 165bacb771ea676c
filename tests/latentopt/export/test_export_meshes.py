"""Finite element meshes, read by meshio and looked at element by element."""

import re

import meshio
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from latentopt.export import EXPORTERS
from latentopt.export.abaqus import periodic_nodes
from latentopt.microstructure import Microstructure

# Corners of an element in the order of Abaqus and Gmsh, x first.
SQUARE = np.array([(0, 0), (1, 0), (1, 1), (0, 1)])
CUBE = np.array([(*corner, z) for z in (0, 1) for corner in SQUARE])


@st.composite
def structures(draw):
    dims = draw(st.sampled_from([2, 3]))
    shape = tuple(draw(st.integers(1, 6)) for _ in range(dims))
    count = draw(st.integers(1, 5))
    return Microstructure(
        draw(arrays(np.uint8, shape, elements=st.integers(0, count - 1))),
        tuple(draw(st.floats(1e-9, 1e-2)) for _ in range(dims)),
        tuple(f'φ{k} "<matrix>", 100 %\n*NODE' for k in range(count)),
        (True,) * dims,
        {"space_id": "ab12", "z": [0.1, -2.5e-9] * 40, "näme": 'two\nlines, "quoted"'},
    )


def structure(shape=(3, 4, 5), seed=0, voxel_size_m=(5e-7, 1e-6, 2e-6)):
    phases = np.random.default_rng(seed).integers(0, 3, shape, dtype=np.uint8)
    sizes = voxel_size_m[: len(shape)]
    return Microstructure(phases, sizes, ("pore", "Matrix α", "fibre"), (True,) * len(shape))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("meshes")


def meshio_read(path):
    """meshio knows plane stress (CPS4) and not plane strain; nodes and elements are the same."""
    text = path.read_text(encoding="ascii")
    twin = path.with_name(f"twin_{path.name}")
    twin.write_text(text.replace("*ELEMENT, TYPE=CPE4", "*ELEMENT, TYPE=CPS4"))
    return meshio.read(twin)


def read_abaqus(path):
    """The mesh, and the phase of every element by its element set."""
    mesh = meshio_read(path)
    phase = np.full(len(mesh.cells[0].data), -1)
    for name, (members,) in mesh.cell_sets.items():
        assert np.all(phase[members] == -1), "an element is in two sets"
        phase[members] = int(name.split("_")[1])
    return mesh, phase


def read_gmsh(path):
    """The mesh, and the phase of every element by its named physical group."""
    mesh = meshio.read(path)
    label = {int(group): int(name.split("_")[1]) for name, (group, _) in mesh.field_data.items()}
    return mesh, np.array([label[group] for group in mesh.cell_data["gmsh:physical"][0]])


READERS = {"abaqus": read_abaqus, "gmsh": read_gmsh}


def jacobians(corners):
    """Determinant at every corner of every element."""
    dims = corners.shape[2]
    reference = SQUARE if dims == 2 else CUBE
    determinants = []
    for place in reference:
        edges = []
        for axis in range(dims):
            other = place.copy()
            other[axis] = 1 - other[axis]
            low, high = sorted([tuple(place), tuple(other)])
            ends = [int(np.flatnonzero((reference == end).all(axis=1))[0]) for end in (low, high)]
            edges.append(corners[:, ends[1]] - corners[:, ends[0]])
        determinants.append(np.linalg.det(np.stack(edges, axis=1)))
    return np.array(determinants)


@pytest.mark.parametrize("kind", sorted(READERS))
@settings(max_examples=40, deadline=None)
@given(written=structures())
def test_every_voxel_is_an_element_of_its_phase_at_its_place(kind, folder, written):
    path = EXPORTERS[kind].write(written, folder / f"any{EXPORTERS[kind].suffix}")
    mesh, phase = READERS[kind](path)
    dims, size = written.spatial_dims, np.array(written.voxel_size_m[::-1])
    assert [cells.type for cells in mesh.cells] == ["quad" if dims == 2 else "hexahedron"]
    assert np.all(mesh.points[:, dims:] == 0)
    corners = mesh.points[mesh.cells[0].data][..., :dims]

    place = corners.mean(axis=1) / size - 0.5
    voxel = place.round().astype(int)
    np.testing.assert_allclose(place, voxel, atol=1e-9)
    found = np.full(written.phases.shape, -1)
    found[tuple(voxel.T[::-1])] = phase
    np.testing.assert_array_equal(found, written.phases)

    volumes = jacobians(corners / size)
    np.testing.assert_allclose(volumes, 1, rtol=1e-9)  # of voxels of edge 1: all > 0, none skewed
    assert len(mesh.points) == np.prod(np.array(written.phases.shape) + 1)
    np.testing.assert_array_equal(EXPORTERS[kind].read(path), written.phases)


def test_gmsh_groups_bear_the_names_of_the_phases(tmp_path):
    path = EXPORTERS["gmsh"].write(structure(), tmp_path / "mesh.msh")
    groups = {name: tuple(value) for name, value in meshio.read(path).field_data.items()}
    assert groups == {
        "phase_0_pore": (1, 3),
        "phase_1_Matrix": (2, 3),
        "phase_2_fibre": (3, 3),
    }


@pytest.mark.parametrize("shape", [(3, 4, 5), (1, 1, 1), (3, 2), (1, 4)])
def test_opposite_faces_match_node_by_node(tmp_path, shape):
    written = structure(shape)
    mesh = meshio_read(EXPORTERS["abaqus"].write(written, tmp_path / "mesh.inp"))
    sizes = np.array(written.voxel_size_m[::-1]) * shape[::-1]
    for axis, name in enumerate("XYZ"[: len(shape)]):
        low, high = (mesh.points[mesh.point_sets[f"{name}_{end}"]] for end in ("MIN", "MAX"))
        assert len(low) == np.prod([n + 1 for k, n in enumerate(shape[::-1]) if k != axis])
        expected = np.eye(len(shape))[axis] * sizes
        np.testing.assert_allclose(high - low, np.tile(expected, (len(low), 1)), rtol=1e-12)
        assert np.all(low[:, axis] == 0)


@pytest.mark.parametrize("shape", [(3, 4, 5), (3, 2)])
def test_corners_are_where_their_names_say(tmp_path, shape):
    written = structure(shape)
    mesh = meshio_read(EXPORTERS["abaqus"].write(written, tmp_path / "mesh.inp"))
    edges = np.array(written.voxel_size_m[::-1]) * shape[::-1]
    corners = {name: nodes for name, nodes in mesh.point_sets.items() if "CORNER" in name}
    assert len(corners) == 2 ** len(shape)
    for name, (node,) in corners.items():
        ends = [int(digit) for digit in name.removeprefix("CORNER_")]
        np.testing.assert_allclose(mesh.points[node], edges * ends, rtol=1e-12)


def equations(text, sets):
    """Every equation of the file as (node, freedom, factor) terms, sets taken member by member."""
    numbers = text.partition("** *EQUATION\n")[2].replace("** ", "").replace("\n", ",").split(",")
    numbers = [number for number in numbers if number]
    start = 0
    while start < len(numbers):
        count = int(numbers[start])
        terms = np.array(numbers[start + 1 : start + 1 + 3 * count]).reshape(-1, 3)
        members = [sets[n] if n in sets else np.array([int(n) - 1]) for n, _, _ in terms]
        length = max(map(len, members))
        for row in zip(*(np.broadcast_to(nodes, length) for nodes in members), strict=True):
            yield [(node, int(f) - 1, float(c)) for node, (_, f, c) in zip(row, terms, strict=True)]
        start += 1 + 3 * count


@pytest.mark.parametrize("shape", [(2, 3, 2), (1, 1, 2), (3, 2), (1, 1)])
def test_the_equations_hold_for_periodic_displacements_and_for_no_others(tmp_path, shape):
    path = EXPORTERS["abaqus"].write(structure(shape), tmp_path / "mesh.inp")
    mesh, dims = meshio_read(path), len(shape)
    rows = []
    for terms in equations(path.read_text(), mesh.point_sets):
        rows.append(np.zeros((len(mesh.points), dims)))
        for node, freedom, factor in terms:
            rows[-1][node, freedom] += factor
    rows = np.array(rows).reshape(len(rows), -1)

    random = np.random.default_rng(0)
    gradient = random.normal(size=(dims, dims))
    wave = np.pad(random.normal(size=(*shape, dims)), [(0, 1)] * dims + [(0, 0)], mode="wrap")
    displacement = mesh.points @ gradient.T * 1e6 + wave.reshape(-1, dims)
    np.testing.assert_allclose(rows @ displacement.ravel(), 0, atol=1e-9)
    # Free: one displacement a voxel, and the mean gradient. So no equation is missing or twice.
    free = np.prod(shape) * dims + dims * dims
    assert len(rows) == np.linalg.matrix_rank(rows) == displacement.size - free


def test_periodic_nodes_are_the_sets_of_the_file(tmp_path):
    path = EXPORTERS["abaqus"].write(structure((2, 3, 2)), tmp_path / "mesh.inp")
    sets = meshio_read(path).point_sets
    pairs = periodic_nodes((2, 3, 2))
    assert set(pairs) == {"X", "Y", "Z", "XY", "XZ", "YZ", "XYZ"}
    for axes, (dependent, image) in pairs.items():
        np.testing.assert_array_equal(sets[f"PERIODIC_{axes}"], dependent - 1)
        np.testing.assert_array_equal(sets[f"IMAGE_{axes}"], image - 1)


@given(written=structures())
@settings(max_examples=20, deadline=None)
def test_abaqus_lines_keep_to_the_limits_of_the_format(folder, written):
    text = EXPORTERS["abaqus"].write(written, folder / "limits.inp").read_bytes().decode("ascii")
    lines = text.splitlines()
    assert max(map(len, lines)) <= 132
    data = [line.split(",") for line in lines[2:] if not line.startswith("*")]
    assert max(len(item) for line in data for item in line) <= 20
    assert max(map(len, data)) <= 16
    used = re.findall(r"^\*SOLID SECTION, ELSET=(\w+), MATERIAL=(\w+)$", text, re.MULTILINE)
    present = {f"phase_{label}" for label in np.unique(written.phases)}
    assert {re.match("phase_[0-9]+", name)[0] for name, _ in used} == present
    assert all(f"\n*MATERIAL, NAME={material}\n" in text for _, material in used)
    keywords = {line.partition(",")[0] for line in lines if re.match(r"\*[^*]", line)}
    assert keywords == {
        "*HEADING", "*NODE", "*ELEMENT", "*NSET", "*ELSET", "*MATERIAL", "*SOLID SECTION"
    }  # fmt: skip


def test_a_file_whose_sets_leave_elements_out_is_refused(tmp_path):
    path = EXPORTERS["abaqus"].write(structure(), tmp_path / "mesh.inp")
    text = path.read_text()
    path.write_text(text.replace("*ELSET, ELSET=phase_1", "*OTHER, ELSET=phase_1"))
    with pytest.raises(ValueError, match="missing from the sets"):
        EXPORTERS["abaqus"].read(path)

"""What holds for every exporter; a new one needs a row in READERS: a reader that is not ours."""

import errno
import inspect
import json
import os
import re

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from latentopt.errors import ExportError
from latentopt.export import EXPORTERS, verify
from latentopt.export.exporter import Exporter
from latentopt.export.sidecar import as_text
from latentopt.microstructure import Microstructure


def read_hdf5(path):
    import h5py

    with h5py.File(path) as file:
        phase = file["phase"]
        return phase[()], tuple(phase.attrs["voxel_size_m"])


def read_tiff(path):
    from PIL import Image, ImageSequence

    with Image.open(path) as file:
        x_per_um, y_per_um, description = (file.tag_v2[tag] for tag in (282, 283, 270))
        pages = [np.array(page) for page in ImageSequence.Iterator(file)]
    assert "unit=um" in description
    size = (1e-6 / float(y_per_um), 1e-6 / float(x_per_um))
    spacing = re.search(r"spacing=(\S+)", description)
    if spacing is None:
        return pages[0], size
    return np.stack(pages), (1e-6 * float(spacing[1]), *size)


def read_damask(path):
    import damask

    grid = damask.GeomGrid.load(path)  # axes x, y, z
    return grid.material.transpose(2, 1, 0), tuple(grid.size / grid.cells)[::-1]


def read_npz(path):
    with np.load(path, allow_pickle=False) as file:
        return file["phases"], tuple(file["voxel_size_m"])


def read_nrrd(path):
    import nrrd

    labels, header = nrrd.read(str(path))  # axes x, y, z
    assert set(header["space units"]) == {"m"}
    return labels.T, tuple(np.diag(header["space directions"]))[::-1]


def read_dream3d(path):
    import damask

    grid = damask.GeomGrid.load_DREAM3D(path, feature_IDs="FeatureIds")
    return grid.material.transpose(2, 1, 0), tuple(grid.size / grid.cells)[::-1]


def read_spparks(path):
    first, *lines = path.read_text().splitlines()
    assert len(first) < 256  # SPPARKS reads no more of a line
    start = lines.index("Values")
    header = {line.split(maxsplit=2)[-1]: line.split() for line in lines[:start] if "lo" in line}
    shape = [int(float(header[f"{a}lo {a}hi"][1]) + 0.5) for a in "zyx"]
    sites = [tuple(map(int, line.split())) for line in lines[start + 2 :]]
    assert [number for number, _ in sites] == list(range(1, np.prod(shape) + 1))
    size = re.search(r"voxel of (.+) m along", first)[1].split()
    return np.reshape([spin - 1 for _, spin in sites], shape), tuple(map(float, size))


def read_png(path):
    """As MOOSE does: by VTK's reader and the thresholds of the input file."""
    import vtk
    from vtk.util.numpy_support import vtk_to_numpy

    stem = path.stem
    files = [path]
    if not path.with_suffix(".i").exists():
        stem = re.sub(r"_0+$", "", stem)
        last = int(re.search(r"file_range = '0 (\d+)'", path.with_name(f"{stem}.i").read_text())[1])
        width = len(path.stem) - len(stem) - 1
        files = [path.with_name(f"{stem}_{z:0{width}d}.png") for z in range(last + 1)]
    moose = path.with_name(f"{stem}.i").read_text()
    names = vtk.vtkStringArray()
    for file in files:
        names.InsertNextValue(str(file))
    reader = vtk.vtkPNGReader()
    reader.SetFileNames(names)
    reader.Update()
    image = reader.GetOutput()
    grey = vtk_to_numpy(image.GetPointData().GetScalars()).reshape(image.GetDimensions()[::-1])
    assert "flip_y = true" in moose
    thresholds = [float(value) for value in re.findall(r"threshold = (\S+)", moose)]
    labels = sum((grey[:, ::-1] >= threshold).astype(int) for threshold in thresholds)
    counts = [int(n) for n in re.findall(r"n[xyz] = (\d+)", moose)]
    edges = [float(edge) for edge in re.findall(r"[xyz]max = (\S+)", moose)]
    return labels, tuple(e / n for e, n in zip(edges, counts, strict=True))[::-1]


def read_mesh(mesh, phases):
    """Phase and voxel size by the places of elements, of which each is a voxel."""
    block = mesh.cells[0]
    dims = {"quad": 2, "hexahedron": 3}[block.type]
    corners = mesh.points[block.data][..., :dims]
    size = np.median(np.ptp(corners, axis=1), axis=0)
    place = np.floor(corners.mean(axis=1) / size).astype(int)
    labels = np.full(place.max(axis=0)[::-1] + 1, -1)
    labels[tuple(place.T[::-1])] = phases
    return labels, tuple(size[::-1])


def read_abaqus(path):
    import meshio

    # meshio knows plane stress (CPS4) and not plane strain; the elements are the same.
    twin = path.with_name("twin.inp")
    twin.write_text(path.read_text().replace("TYPE=CPE4", "TYPE=CPS4"))
    mesh = meshio.read(twin)
    phases = np.full(len(mesh.cells[0].data), -1)
    for name, (members,) in mesh.cell_sets.items():
        phases[members] = int(name.split("_")[1])
    return read_mesh(mesh, phases)


def read_gmsh(path):
    import meshio

    mesh = meshio.read(path)
    label = {int(group): int(name.split("_")[1]) for name, (group, _) in mesh.field_data.items()}
    return read_mesh(mesh, [label[int(group)] for group in mesh.cell_data["gmsh:physical"][0]])


def read_stl(path):
    """Voxels whose centre VTK finds inside; the grid is not in the surfaces but in the sidecar."""
    import pyvista

    record = json.loads(path.with_name(path.name + ".json").read_text())
    size = tuple(record["voxel_size"].values())
    shape = (1, 1, *record["shape"])[-3:]
    edges_mm = 1e3 * np.array((size[-1], *size)[-3:])  # a 2-D structure is as thick as wide
    centres = pyvista.PolyData(np.indices(shape)[::-1].reshape(3, -1).T + 0.5)
    labels = np.full(shape, -1)
    for name in (path.name, *record["surfaces"]):
        mesh = pyvista.read(path.with_name(name))
        mesh.points = mesh.points.astype(float) / edges_mm[::-1]
        inside = np.asarray(centres.select_interior_points(mesh)["selected_points"], dtype=bool)
        labels[inside.reshape(shape)] = int(re.search(r"_phase_(\d+)_", name)[1])
    return labels, size


READERS = {
    "hdf5": read_hdf5,
    "npz": read_npz,
    "tiff": read_tiff,
    "png": read_png,
    "nrrd": read_nrrd,
    "damask": read_damask,
    "dream3d7": read_dream3d,
    "dream3d8": read_dream3d,
    "spparks": read_spparks,
    "abaqus": read_abaqus,
    "gmsh": read_gmsh,
    "stl": read_stl,
}


@st.composite
def structure_fields(draw):
    dims = draw(st.sampled_from([2, 3]))
    shape = (*(draw(st.integers(1, 9)) for _ in range(dims - 1)), draw(st.integers(2, 9)))
    count = draw(st.integers(1, 5))
    return {
        "phases": draw(arrays(np.uint8, shape, elements=st.integers(0, count - 1))),
        "voxel_size_m": tuple(draw(st.floats(1e-9, 1e-2)) for _ in range(dims)),
        "phase_names": tuple(f"φ{k} & <matrix>" for k in range(count)),
        "periodic": tuple(draw(st.booleans()) for _ in range(dims)),
        "provenance": {"space_id": "ab12", "z": [0.1, -2.5e-9], "seed": 7},
    }


def small(**changes):
    phases = np.array([[[0, 1, 2], [1, 1, 0]]] * 2, dtype=np.uint8)
    fields = {
        "phases": phases,
        "voxel_size_m": (1e-6, 2e-6, 3e-6),
        "phase_names": ("pore", "matrix", "fibre"),
        "periodic": (True, False, True),
        "provenance": {"space_id": "ab12", "z": [0.5, -1.0], "seed": 7, "trial": 3},
    }
    return Microstructure(**(fields | changes))


@pytest.fixture(params=sorted(EXPORTERS))
def kind(request):
    return request.param


@pytest.fixture
def path(kind, tmp_path):
    return tmp_path / f"best{EXPORTERS[kind].suffix}"


def test_every_exporter_has_an_independent_reader():
    assert set(EXPORTERS) <= set(READERS)


def test_it_matches_the_exporter_protocol(kind):
    exporter = EXPORTERS[kind]
    assert isinstance(exporter, Exporter)
    assert exporter.suffix.startswith(".")
    for method in ("write", "read"):
        promised = inspect.signature(getattr(Exporter, method)).parameters
        bound = inspect.signature(getattr(exporter, method)).parameters
        assert ["self", *bound] == list(promised)


def test_it_reads_its_own_files(kind, path):
    exporter = EXPORTERS[kind]
    labels = exporter.read(exporter.write(small(), path))
    np.testing.assert_array_equal(labels, small().phases)


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("exports")


@pytest.mark.parametrize("kind", sorted(EXPORTERS))
@settings(max_examples=15, deadline=None)
@given(fields=structure_fields())
def test_an_independent_reader_finds_every_voxel_and_the_voxel_size(kind, folder, fields):
    structure = Microstructure(**fields)
    path = EXPORTERS[kind].write(structure, folder / f"{kind}{EXPORTERS[kind].suffix}")
    voxels, size = READERS[kind](path)
    np.testing.assert_array_equal(voxels.reshape(structure.phases.shape), structure.phases)
    expected = structure.voxel_size_m
    np.testing.assert_allclose(size[-len(expected) :], expected, rtol=1e-6)
    verify(path)


NAMES = [
    ("β", "γ"),
    ("", "  "),
    ("7", "07"),
    ("a b", "a_b"),
    ("a\nb", "a b"),
    ("x" * 3000, "x" * 3001),
    ("yes", "null"),
    ("a\0", "a"),
    ("\x1b[31mred", "\u202ered"),
    ("=cmd|' /C calc'!A0", "+1"),
    ("../../x", "C:\\x"),
    ("\ud800", "\udcff"),
    ("\"'`$(x)", "<a>&amp;]]>"),
    ("phase_1", "phase_0"),
    ("*END STEP", "# - a: b"),
]


def check_names(kind, folder, names):
    labels = np.arange(8, dtype=np.uint8).reshape(2, 2, 2) % len(names)
    structure = small(phases=labels, phase_names=tuple(names))
    path = EXPORTERS[kind].write(structure, folder / f"named_{kind}{EXPORTERS[kind].suffix}")
    np.testing.assert_array_equal(READERS[kind](path)[0], labels)
    record = verify(path)
    assert [phase["name"] for phase in record["phases"].values()] == list(names)
    return path


@pytest.mark.parametrize("names", NAMES, ids=ascii)
def test_a_structure_is_verified_whatever_its_phases_are_called(kind, tmp_path, names):
    check_names(kind, tmp_path, names)


@pytest.mark.parametrize("kind", sorted(EXPORTERS))
@settings(max_examples=8, deadline=None)
@given(names=st.lists(st.text(max_size=70), min_size=1, max_size=4, unique=True))
def test_any_names_are_written_and_verified(kind, folder, names):
    check_names(kind, folder, names)


@pytest.mark.parametrize("names", [*NAMES, ("a", "a ", "a\t", "a (1)")], ids=ascii)
def test_names_that_a_file_holds_are_different_and_can_be_printed(tmp_path, names):
    import damask

    written = {kind: check_names(kind, tmp_path, names) for kind in ("hdf5", "npz", "damask")}
    with h5py.File(written["hdf5"]) as file:
        held = {"hdf5": list(file["phase"].attrs["phase_names"])}
    with np.load(written["npz"]) as file:
        held["npz"] = file["phase_names"].tolist()
    comments = damask.GeomGrid.load(written["damask"]).comments
    held["vti"] = [line for line in comments if line.startswith("material ")]
    material = damask.ConfigMaterial.load(tmp_path / "material.yaml")
    assert material.is_valid
    assert material.is_complete
    held["material.yaml"] = list(material["phase"])
    for found in held.values():
        assert len(set(found)) == len(names)
        assert all(name.isprintable() and len(name) < 600 for name in found)


@pytest.mark.parametrize("edge", [5e-324, 1e-30, 1e-14, 1e3, 1e30, 1e300])
def test_any_voxel_size_is_written_whole_or_refused(kind, path, edge):
    structure = small(voxel_size_m=(edge, edge, edge))
    refusal = ""
    try:
        verify(EXPORTERS[kind].write(structure, path))
    except ExportError as error:
        refusal = str(error)
    if refusal:
        assert "Check the voxel size" in refusal
        assert not list(path.parent.iterdir())
        assert not 1e-14 <= edge <= 1e3


@pytest.mark.parametrize("edge", [1e-14, 1e3])
def test_a_tiff_holds_the_smallest_and_largest_voxels_it_takes(tmp_path, edge):
    size = (edge, 0.37 * edge if edge > 1 else 1.37 * edge, edge)
    written = EXPORTERS["tiff"].write(small(voxel_size_m=size), tmp_path / "best.tif")
    np.testing.assert_allclose(read_tiff(written)[1], size, rtol=1e-7)


def test_the_sidecar_says_what_and_from_where(kind, path):
    structure = small()
    written = EXPORTERS[kind].write(structure, path)
    assert (written.parent, written.suffix, written.stem[:4]) == (path.parent, path.suffix, "best")
    path = written
    record = json.loads(path.with_name(path.name + ".json").read_text(encoding="utf-8"))
    assert record["schema"] == "latentopt.export/1"
    assert record["format"] == kind
    assert (record["axes"], record["shape"]) == ("zyx", [2, 2, 3])
    assert record["voxel_size"] == {"z": 1e-6, "y": 2e-6, "x": 3e-6}
    assert record["voxel_size_unit"] == "m"
    assert record["periodic"] == {"z": True, "y": False, "x": True}
    assert record["phases"]["1"] == {"name": "matrix", "fraction": 0.5}
    assert record["voxel_sha256"] == structure.sha256
    assert (record["space_id"], record["z"], record["seed"]) == ("ab12", [0.5, -1.0], 7)
    assert record["provenance"] == {"trial": 3}
    assert set(record["versions"]) == {"latentopt", "python", "numpy"}


def test_a_flipped_bit_is_noticed(kind, path):
    path = EXPORTERS[kind].write(small(), path)
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    with pytest.raises(ExportError, match="not the file its sidecar describes"):
        verify(path)


def test_other_voxels_than_the_sidecar_says_are_noticed(kind, path):
    path = EXPORTERS[kind].write(small(), path)
    sidecar = path.with_name(path.name + ".json")
    record = json.loads(sidecar.read_text())
    sidecar.write_bytes(as_text(record | {"voxel_sha256": "0" * 64}))
    with pytest.raises(ExportError, match="other voxels"):
        verify(path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "not JSON"),
        ("[]", "should have schema latentopt.export/1, got None"),
        ('{"schema": "latentopt.export/2"}', "got 'latentopt.export/2'"),
        ('{"schema": "latentopt.export/1", "shape": [2, 2, 3]}', "lacks format, file, file_sha256"),
    ],
)
def test_a_damaged_or_newer_sidecar_is_named(kind, path, text, message):
    path = EXPORTERS[kind].write(small(), path)
    path.with_name(path.name + ".json").write_text(text)
    with pytest.raises(ExportError, match=message):
        verify(path)


def test_writing_twice_replaces_file_and_sidecar(kind, path):
    EXPORTERS[kind].write(small(), path)
    other = small(phases=np.ones((3, 4, 5), dtype=np.uint8))
    written = EXPORTERS[kind].write(other, path)
    assert verify(written)["voxel_sha256"] == other.sha256
    assert not list(path.parent.glob("*.part"))


def test_another_ending_is_refused_with_the_right_name(kind, tmp_path):
    with pytest.raises(ExportError, match=f"Name it best{EXPORTERS[kind].suffix}"):
        EXPORTERS[kind].write(small(), tmp_path / "best.xyz")
    assert not list(tmp_path.iterdir())


def test_a_missing_folder_is_refused_in_one_line(kind, tmp_path):
    with pytest.raises(ExportError, match="Make the folder first") as caught:
        EXPORTERS[kind].write(small(), tmp_path / "missing" / f"best{EXPORTERS[kind].suffix}")
    assert "\n" not in str(caught.value)


def test_a_file_in_the_place_of_a_folder_is_refused(kind, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(ExportError, match="a file stands in its place"):
        EXPORTERS[kind].write(small(), tmp_path / "file" / f"best{EXPORTERS[kind].suffix}")


def test_a_folder_in_the_place_of_the_file_is_refused(kind, path):
    written = EXPORTERS[kind].write(small(), path)
    for file in path.parent.iterdir():
        file.unlink()
    written.mkdir()
    with pytest.raises(ExportError, match="a folder has this one"):
        EXPORTERS[kind].write(small(), path)
    assert list(path.parent.iterdir()) == [written]


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS, errno.EACCES, errno.EIO])
def test_a_disk_that_refuses_leaves_the_old_export_whole(kind, path, monkeypatch, number):
    written = EXPORTERS[kind].write(small(), path)
    files = sorted(path.parent.iterdir())

    def refuse(descriptor):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "fsync", refuse)
    with pytest.raises(ExportError, match=os.strerror(number)) as caught:
        EXPORTERS[kind].write(small(phases=np.ones((3, 4, 5), dtype=np.uint8)), path)
    assert "\n" not in str(caught.value)
    assert verify(written)["voxel_sha256"] == small().sha256
    assert sorted(path.parent.iterdir()) == files


@pytest.mark.skipif(os.name != "posix", reason="limits are a POSIX thing")
def test_a_disk_full_halfway_leaves_nothing_behind(kind, path, files_of_at_most):
    noise = np.random.default_rng(0).integers(0, 2, (64, 64), dtype=np.uint8)
    structure = Microstructure(noise, (1e-6, 1e-6), ("a", "b"), (True, True))
    with files_of_at_most(300), pytest.raises(ExportError, match="File too large"):
        EXPORTERS[kind].write(structure, path)
    assert not list(path.parent.iterdir())


@pytest.mark.parametrize("remove", ["", ".json"])
def test_verify_names_the_missing_file(kind, path, remove):
    path = EXPORTERS[kind].write(small(), path)
    gone = path.with_name(path.name + remove)
    gone.unlink()
    with pytest.raises(ExportError, match=re.escape(str(gone))):
        verify(path)

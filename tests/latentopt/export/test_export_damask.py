"""Files for DAMASK, read by the rules of the solver's own reader (DAMASK src/VTI.f90)."""

import base64
import zlib

import damask
import numpy as np
import pytest
import pyvista

from latentopt.errors import ExportError
from latentopt.export import EXPORTERS
from latentopt.microstructure import Microstructure


class Error844(Exception):
    """What DAMASK_grid stops with on a geometry it cannot read."""


def attribute(line, key):
    """Value after the last ``key=`` of a line that follows a space; empty where there is none."""
    start = line.rfind(f" {key}")
    if start < 0:
        return ""
    name, _, rest = line[start:].partition("=")
    return rest[1:].partition(rest[0])[0] if name.strip() == key else ""


def check(holds, message):
    if not holds:
        raise Error844(message)


def read_strictly(path):
    """Material (x, y, z) and size of a grid, by every rule any release of DAMASK_grid has had."""
    lines = iter(path.read_text(encoding="latin-1").split("\n"))
    header = next((line for line in lines if "<VTKFile" in line), "")
    check(attribute(header, "type") == "ImageData", "file format")
    check(attribute(header, "byte_order") == "LittleEndian", "file format")
    check(attribute(header, "compressor") in ("", "vtkZLibDataCompressor"), "file format")

    image = next((line for line in lines if "<ImageData" in line), "")
    check(attribute(image, "Direction") == "1 0 0 0 1 0 0 0 1", "coordinate order")
    extent = [int(n) for n in attribute(image, "WholeExtent").split()]
    check(extent[::2] == [0, 0, 0], "coordinate start")
    cells = extent[1::2]
    check(cells[0] > 1, "cells(1) must be larger than 1")
    size = np.array([float(edge) for edge in attribute(image, "Spacing").split()]) * cells

    check(any("<CellData>" in line for line in lines), "material data not found")
    for line in lines:
        check("</CellData>" not in line, "material data not found")
        if "<DataArray" in line and attribute(line, "Name") == "material":
            break
    check(attribute(line, "format") == "binary", "format (material)")
    types = {"Int32": "<i4", "Int64": "<i8", "Float32": "<f4", "Float64": "<f8"}
    check(attribute(line, "type") in types, "unknown data type")
    data = inflate(next(lines).lstrip(" \t"), header)
    material = np.frombuffer(data, types[attribute(line, "type")]).astype(int)
    check(material.size == np.prod(cells), "size(material)")
    check(material.min() >= 0, "material ID < 0")
    return material.reshape(cells, order="F"), size


def inflate(text, header):
    """Bytes behind one line of base64: block count, block size, last size, compressed sizes."""
    check(set(text) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/="), "")
    word = np.dtype("<u8" if attribute(header, "header_type") == "UInt64" else "<u4")

    def words(count):
        characters = -(-count * word.itemsize // 3) * 4
        raw = base64.b64decode(text[:characters])[: count * word.itemsize]
        return np.frombuffer(raw, word).astype(int), characters

    if attribute(header, "compressor") == "":
        size = words(1)[0][0]
        return base64.b64decode(text)[word.itemsize :][:size]
    blocks = words(1)[0][0]
    (_, full, last, *compressed), characters = words(3 + blocks)
    data = base64.b64decode(text[characters:])
    ends = np.cumsum(compressed)
    inflated = [zlib.decompress(data[e - n : e]) for e, n in zip(ends, compressed, strict=True)]
    sizes = [full] * (blocks - 1) + [last or full]
    check([len(block) for block in inflated] == sizes, "block size")
    return b"".join(inflated)


def structure(shape, seed=0, **changes):
    fields = {
        "phases": np.random.default_rng(seed).integers(0, 3, shape, dtype=np.uint8),
        "voxel_size_m": (5e-7, 1e-6, 2e-6)[: len(shape)],
        "phase_names": ("pore", "Matrix α", "<fibre>"),
        "periodic": (True,) * len(shape),
        "provenance": {"space_id": "ab12", "z": [0.25, -1.5]},
    }
    return Microstructure(**(fields | changes))


@pytest.fixture
def path(tmp_path):
    return tmp_path / "grid.vti"


# The last shape takes more than one compressed block, the one before it exactly one.
@pytest.mark.parametrize(
    "shape", [(5, 9), (1, 2), (1, 1, 2), (12, 9, 5), (3, 4, 2), (64, 64, 64), (65, 64, 67)]
)
def test_the_solver_reads_every_voxel_and_the_size_in_metres(path, shape):
    written = structure(shape)
    EXPORTERS["damask"].write(written, path)
    material, size = read_strictly(path)
    np.testing.assert_array_equal(material.transpose(2, 1, 0).reshape(shape), written.phases)
    edges = np.array(written.voxel_size_m) * shape
    np.testing.assert_allclose(size[: len(shape)], edges[::-1], rtol=1e-14)


def test_damask_shows_names_and_provenance_as_comments(path):
    EXPORTERS["damask"].write(structure((4, 5)), path)
    comments = damask.GeomGrid.load(path).comments
    assert "material 1: Matrix α" in comments
    assert "material 2: <fibre>" in comments
    assert "z: [0.25, -1.5]" in comments


def test_paraview_reads_the_same_cells(path):
    written = structure((3, 4, 5))
    EXPORTERS["damask"].write(written, path)
    cells = pyvista.read(path).cell_data["material"]
    np.testing.assert_array_equal(cells.reshape(written.phases.shape), written.phases)


def test_a_single_cell_along_x_is_refused_as_the_solver_would(path):
    with pytest.raises(ExportError, match="at least 2 cells along x"):
        EXPORTERS["damask"].write(structure((4, 1)), path)


def test_the_skeletons_name_each_phase_as_damask_reads_them(path):
    EXPORTERS["damask"].write(structure((3, 4, 5)), path)
    config = damask.ConfigMaterial.load(path.with_name("material.yaml"))
    assert config.is_valid
    assert config.is_complete
    assert list(config["phase"]) == ["pore", "Matrix α", "<fibre>"]
    materials = [material["constituents"][0]["phase"] for material in config["material"]]
    assert materials == ["pore", "Matrix α", "<fibre>"]
    load = damask.LoadcaseGrid.load(path.with_name("load.yaml"))
    mechanical = load["loadstep"][0]["boundary_conditions"]["mechanical"]
    given = np.array(mechanical["dot_F"]) != "x"
    assert ((np.array(mechanical["P"]) != "x") != given).all()  # each component once


def test_a_completed_skeleton_is_kept(path):
    material = path.with_name("material.yaml")
    material.write_text("mine")
    EXPORTERS["damask"].write(structure((4, 5)), path)
    assert material.read_text() == "mine"
    assert path.with_name("load.yaml").exists()


def test_the_strict_reader_accepts_what_damask_itself_saves(path):
    material = np.random.default_rng(1).integers(0, 3, (4, 3, 2))
    damask.GeomGrid(material=material, size=np.array([4e-6, 3e-6, 2e-6])).save(path)
    np.testing.assert_array_equal(read_strictly(path)[0], material)


def test_the_strict_reader_refuses_appended_data(path):
    import vtk

    image = pyvista.ImageData(dimensions=(5, 4, 3))
    image.cell_data["material"] = np.zeros(24, dtype=np.int32)
    writer = vtk.vtkXMLImageDataWriter()  # appends by default
    writer.SetFileName(str(path))
    writer.SetInputData(image)
    writer.Write()
    with pytest.raises(Error844):
        read_strictly(path)


def test_the_strict_reader_refuses_ascii(path):
    EXPORTERS["damask"].write(structure((4, 5)), path)
    text = path.read_text().replace(
        'Name="material" format="binary"', 'Name="material" format="ascii"'
    )
    path.write_text(text)
    with pytest.raises(Error844, match="format"):
        read_strictly(path)


def test_the_strict_reader_refuses_base64_on_the_line_of_the_tag(path):
    EXPORTERS["damask"].write(structure((4, 5)), path)
    path.write_text(path.read_text().replace('format="binary">\n', 'format="binary">'))
    damask.GeomGrid.load(path)  # valid XML: only the solver objects
    with pytest.raises(Error844):
        read_strictly(path)

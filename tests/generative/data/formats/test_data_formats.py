"""DREAM.3D, VTK image data, MAT 7.3 and RAW: voxels exact, axes right, voxel size known.

The volume has three different sides, an asymmetric content and three different edges.
"""

import h5py
import numpy as np
import pytest
import tifffile
from PIL import Image

from generative.data import load_images, read_dataset
from generative.errors import DataError
from latentopt.export import EXPORTERS
from latentopt.export.damask import DamaskExporter
from latentopt.microstructure import Microstructure

RNG = np.random.default_rng(3)
VOLUME = RNG.integers(0, 2, (5, 6, 8), dtype=np.uint8)  # z, y, x
EDGES = (3e-6, 2e-6, 1e-6)  # z, y, x, in metres


def refusal(path, **options):
    with pytest.raises(DataError) as caught:
        read_dataset(path, **options)
    assert "\n" not in str(caught.value)
    assert path.name in str(caught.value)
    return str(caught.value)


def assert_read(path, volume=VOLUME, edges=EDGES, **options):
    data = read_dataset(path, **options)
    np.testing.assert_array_equal(data.images[0, 0], volume)
    assert data.voxel_size_m == (None if edges is None else pytest.approx(edges, rel=1e-6))
    slices = read_dataset(path, spatial_dims=2, **options)
    np.testing.assert_array_equal(slices.images[:, 0], volume)
    assert set(slices.parents) == {0}
    assert edges is None or slices.voxel_size_m == pytest.approx(edges[1:], rel=1e-6)


def save_vti(path, cells=True, volume=VOLUME, spacing=(1e-6, 2e-6, 3e-6), **modes):
    vtk = pytest.importorskip("vtk")
    from vtk.util.numpy_support import numpy_to_vtk

    image = vtk.vtkImageData()
    image.SetDimensions(*(n + cells for n in volume.shape[::-1]))
    image.SetSpacing(*spacing)
    values = numpy_to_vtk(volume.ravel(), deep=True)
    values.SetName("material")
    (image.GetCellData() if cells else image.GetPointData()).AddArray(values)
    writer = vtk.vtkXMLImageDataWriter()
    writer.SetFileName(str(path))
    writer.SetInputData(image)
    for name, value in modes.items():
        getattr(writer, name)(*value) if isinstance(value, tuple) else getattr(writer, name)(value)
    writer.Write()
    return path


@pytest.mark.parametrize(
    "modes",
    [
        {"SetDataModeToAscii": ()},
        {"SetDataModeToBinary": ()},
        {"SetDataModeToBinary": (), "SetCompressorTypeToNone": ()},
        {"SetDataModeToBinary": (), "SetHeaderTypeToUInt64": ()},
        {"SetDataModeToBinary": (), "SetBlockSize": 64},
        {"SetDataModeToBinary": (), "SetByteOrderToBigEndian": ()},
        {"SetDataModeToAppended": (), "EncodeAppendedDataOff": ()},
        {"SetDataModeToAppended": (), "EncodeAppendedDataOn": ()},
        {"SetDataModeToAppended": (), "EncodeAppendedDataOff": (), "SetCompressorTypeToNone": ()},
        {"SetDataModeToAppended": (), "EncodeAppendedDataOn": (), "SetCompressorTypeToNone": ()},
    ],
    ids=lambda modes: "-".join(name.removeprefix("Set") for name in modes),
)
@pytest.mark.parametrize("dtype", ["u1", "i4", "f8"])
def test_image_data_in_every_mode_of_vtk(tmp_path, modes, dtype):
    assert_read(save_vti(tmp_path / "a.vti", volume=VOLUME.astype(dtype), **modes))


def test_point_data_of_vtk_and_a_spacing_that_says_nothing(tmp_path):
    path = save_vti(tmp_path / "a.vti", cells=False, spacing=(1.0, 1.0, 1.0))
    assert_read(path, edges=None)
    assert_read(path, edges=None, dataset="PointData/material")


def test_files_saved_by_pyvista_and_an_array_chosen_by_name(tmp_path):
    pyvista = pytest.importorskip("pyvista")
    image = pyvista.ImageData(dimensions=(9, 7, 6), spacing=EDGES[::-1])
    image.cell_data["phase"] = VOLUME.ravel()
    image.cell_data["stress"] = RNG.random(VOLUME.size)
    image.cell_data["axis"] = RNG.random((VOLUME.size, 3))
    for binary in (True, False):
        image.save(tmp_path / "a.vti", binary=binary)
        assert_read(tmp_path / "a.vti", dataset="phase")
        assert "CellData/stress (5x6x8)" in refusal(tmp_path / "a.vti")
        assert "several components" in refusal(tmp_path / "a.vti", dataset="axis")


def test_what_the_damask_exporter_writes_is_read_and_a_slice_is_a_picture(tmp_path):
    structure = Microstructure(VOLUME, EDGES, ("a", "b"), (True,) * 3)
    assert_read(DamaskExporter().write(structure, tmp_path / "a.vti"))
    (tmp_path / "a.vti.json").unlink()  # the sidecar knew it as well
    assert_read(tmp_path / "a.vti")
    flat = Microstructure(VOLUME[0], EDGES[1:], ("a", "b"), (True,) * 2)
    data = read_dataset(DamaskExporter().write(flat, tmp_path / "b.vti"))
    np.testing.assert_array_equal(data.images[0, 0], VOLUME[0])
    assert data.voxel_size_m == EDGES[1:]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("ImageData", "PolyData", "expected VTK ImageData"),
        ('Spacing="1e-06', 'Spacing="0', "expected a voxel size of 3 lengths above 0"),
        ("vtkZLib", "vtkLZ4", "save it with zlib"),
        ("1 0 0 0 1", "0 1 0 1 0", "its axes are turned"),
        ('Piece Extent="0 8', 'Piece Extent="0 4', "expected one piece"),
        ('type="Int32"', 'type="Bit"', "save it as Int32"),
        ('Extent="0 8', 'Extent="0 8000000', "larger than the limit"),
        ('Extent="0 8', 'Extent="0 9', "cannot be read (its array has 1 blocks"),
        ("<VTKFile", "<!DOCTYPE a [<!ENTITY b 'c'>]>\n<VTKFile", "declares a document type"),
    ],
)
def test_image_data_that_is_not_what_we_read(tmp_path, old, new, message):
    structure = Microstructure(VOLUME, EDGES, ("a", "b"), (True,) * 3)
    path = DamaskExporter().write(structure, tmp_path / "a.vti")
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
    path.with_name("a.vti.json").unlink()
    assert message in refusal(path)


def save_dream3d(path, version, arrays, units=None, spacing=(1, 2, 3)):
    with h5py.File(path, "w") as file:
        file.attrs["FileVersion"] = np.bytes_(version)
        if version == "7.0":
            grid = file.create_group("DataContainers/image")
            about = grid.create_group("_SIMPL_GEOMETRY")
            about["DIMENSIONS"] = np.array(VOLUME.shape[::-1], np.int64)
            about["SPACING"] = np.array(spacing, np.float32)
        else:
            grid = file.create_group("DataStructure/image")
            grid.attrs["_DIMENSIONS"] = np.array(VOLUME.shape[::-1], np.uint64)
            grid.attrs["_SPACING"] = np.array(spacing, np.float32)
            if units is not None:
                grid.attrs["Units"] = np.uint32(units)
        for name, array in arrays.items():
            grid[f"CellData/{name}"] = array[..., None]
        grid["CellData/EulerAngles"] = np.zeros((*VOLUME.shape, 3), np.float32)
    return path


@pytest.mark.parametrize("version", ["7.0", "8.0"])
def test_dream3d_phases_are_read_with_spacing_in_micrometres(tmp_path, version):
    arrays = {"Phases": VOLUME.astype("i4") + 1, "FeatureIds": np.arange(240).reshape(5, 6, 8)}
    assert_read(save_dream3d(tmp_path / "a.dream3d", version, arrays))


def test_dream3d_spacing_below_an_atom_is_in_metres(tmp_path):
    spacing = EDGES[::-1]
    assert_read(save_dream3d(tmp_path / "a.dream3d", "7.0", {"Phases": VOLUME}, spacing=spacing))


@pytest.mark.parametrize("kind", ["hdf5", "npz", "tiff", "damask", "dream3d7", "dream3d8"])
@pytest.mark.parametrize("sidecar", [True, False])
def test_what_we_export_is_read_again(tmp_path, kind, sidecar):
    exporter = EXPORTERS[kind]() if isinstance(EXPORTERS[kind], type) else EXPORTERS[kind]
    path = tmp_path / f"a{exporter.suffix}"
    exporter.write(Microstructure(VOLUME, EDGES, ("a", "b"), (True,) * 3), path)
    if not sidecar:
        path.with_name(path.name + ".json").unlink()
    data = read_dataset(path, spatial_dims=3)
    np.testing.assert_array_equal(data.images[0, 0], VOLUME)
    known = sidecar or kind != "npz"
    assert data.voxel_size_m == (pytest.approx(EDGES, rel=1e-6) if known else None)


@pytest.mark.parametrize(("unit", "factor"), [(5, 1e-3), (6, 1), (10, 1e6)])
def test_dream3d_of_version_8_says_its_unit(tmp_path, unit, factor):
    path = save_dream3d(tmp_path / "a.dream3d", "8.0", {"FeatureIds": VOLUME}, units=unit)
    assert_read(path, edges=tuple(edge * factor for edge in EDGES))


@pytest.mark.parametrize("version", ["7.0", "8.0"])
def test_dream3d_files_that_cannot_be_used(tmp_path, version):
    arrays = {"FeatureIds": VOLUME, "Mask": VOLUME}
    path = save_dream3d(tmp_path / "a.dream3d", version, arrays)
    assert "choose one with dataset=" in refusal(path)
    assert_read(path, dataset="Mask")
    save_dream3d(path, version, {"Phases": VOLUME}, spacing=(0, 1, 1))
    assert "voxel size of 3 lengths above 0" in refusal(path)
    save_dream3d(path, version, {"Phases": VOLUME[:-1]})
    assert "got no arrays" in refusal(path)
    save_dream3d(path, "6.0", {"Phases": VOLUME})
    assert "version 7.0 or 8.0, got 6.0" in refusal(path)
    with h5py.File(path, "w") as file:
        file.attrs["FileVersion"] = version
    assert "holds no image geometry" in refusal(path)


def save_mat(path, **variables):
    """As MATLAB does: 512 bytes of text first, and arrays column by column."""
    with h5py.File(path, "w", userblock_size=512) as file:
        for name, array in variables.items():
            file[name] = array.transpose()  # h5py writes (z, x, y) of A(y, x, z)
            file[name].attrs["MATLAB_class"] = np.bytes_("double")
    with open(path, "r+b") as stream:
        stream.write(b"MATLAB 7.3 MAT-file, Platform: GLNXA64".ljust(116) + bytes(8) + b"\0\2IM")
    return path


def test_mat_files_keep_rows_columns_and_slices(tmp_path):
    matlab = np.moveaxis(VOLUME, 0, -1).astype(float)  # A(y, x, z)
    path = save_mat(tmp_path / "a.mat", A=matlab, scale=np.array([[0.5]]))
    np.testing.assert_array_equal(load_images(path, spatial_dims=3)[0, 0], VOLUME)
    np.testing.assert_array_equal(load_images(path)[:, 0], VOLUME)
    path = save_mat(tmp_path / "b.mat", A=matlab[..., 0], B=matlab)
    np.testing.assert_array_equal(load_images(path, dataset="A")[0, 0], VOLUME[0])
    assert "choose one with dataset=" in refusal(path)


def test_old_mat_files_are_named(tmp_path):
    from scipy.io import savemat

    savemat(tmp_path / "a.mat", {"A": VOLUME})
    assert "save it in MATLAB with '-v7.3'" in refusal(tmp_path / "a.mat")


@pytest.mark.parametrize(
    ("name", "dtype"),
    [
        ("rock_8x6x5_uint8.raw", "u1"),
        ("rock-3um_8x6x5_16bit.raw", "<u2"),
        ("a_8x6x5_uint16_be.raw", ">u2"),
        ("8x6x5-float32.raw", "<f4"),
    ],
)
def test_raw_files_are_understood_by_their_name(tmp_path, name, dtype):
    VOLUME.astype(dtype).tofile(tmp_path / name)
    assert_read(tmp_path / name, edges=None)


def test_raw_files_by_arguments_and_what_is_refused(tmp_path):
    path = tmp_path / "a.raw"
    VOLUME.astype(">i2").tofile(path)
    assert_read(path, edges=None, shape=(5, 6, 8), dtype=">i2")
    rows = load_images(path, shape=(5, 1, 6, 8), dtype=">i2")
    np.testing.assert_array_equal(rows[:, 0], VOLUME)
    assert "does not say its shape; pass" in refusal(path)
    assert "does not say its type" in refusal(path, shape=(5, 6, 8))
    assert "expected 240 bytes for 5x6x8 uint8" in refusal(path, shape=(5, 6, 8), dtype="u1")
    assert "expected a type such as uint8" in refusal(path, shape=(5, 6, 8), dtype="grey")
    assert "real numbers" in refusal(path, shape=(5, 6, 8), dtype="O")
    assert "sizes above 0" in refusal(path, shape=(0, 6, 8), dtype="u1")


def test_soft_and_external_links_of_hdf5_are_not_followed(tmp_path):
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["images"] = VOLUME
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["real"] = VOLUME
        file["soft"] = h5py.SoftLink("/real")
        file["away"] = h5py.ExternalLink(str(tmp_path / "other.h5"), "/images")
    assert "soft is a link, which is not followed" in refusal(tmp_path / "a.h5", dataset="soft")
    assert "away is a link" in refusal(tmp_path / "a.h5", dataset="away")
    np.testing.assert_array_equal(load_images(tmp_path / "a.h5")[:, 0], VOLUME)


def test_any_dataset_path_of_hdf5_and_its_voxel_size(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["scan/1/phase"] = VOLUME
        file["scan/2/phase"] = VOLUME
        file["scan/2/phase"].attrs["voxel_size_m"] = EDGES
    data = read_dataset(tmp_path / "a.h5", dataset="/scan/2/phase", spatial_dims=3)
    assert data.voxel_size_m == EDGES


@pytest.mark.parametrize(
    ("options", "edges"),
    [
        (
            {"imagej": True, "resolution": (1e0, 0.5), "metadata": {"spacing": 3, "unit": "um"}},
            EDGES,
        ),
        (
            {
                "ome": True,
                "metadata": {"axes": "ZYX", "PhysicalSizeZ": 3, "PhysicalSizeY": 2000,
                             "PhysicalSizeYUnit": "nm", "PhysicalSizeX": 1},
            },
            EDGES,
        ),
        ({"imagej": True, "resolution": (1, 1), "metadata": {"unit": "um"}}, None),
        ({"resolution": (300, 300), "resolutionunit": "INCH"}, None),
    ],
)  # fmt: skip
def test_voxel_sizes_in_tiff_stacks(tmp_path, options, edges):
    tifffile.imwrite(tmp_path / "a.tif", VOLUME * np.uint8(255), **options)
    assert read_dataset(tmp_path / "a.tif").voxel_size_m == (
        None if edges is None else pytest.approx(edges)
    )


@pytest.mark.parametrize(
    ("about", "resolution", "edges"),
    [
        ({"unit": "nm", "zunit": "micron", "spacing": 0.025}, (0.0625, 0.125), (25, 8, 16)),
        ({"unit": "micron", "yunit": "nm", "spacing": 0.5}, (2.0, 0.125), (500, 8, 500)),
        ({"unit": "\\u00B5m", "spacing": 0.5}, (2.0, 2.0), (500, 500, 500)),
        ({"unit": "nanometres", "spacing": 5}, (0.2, 0.2), (5, 5, 5)),
        ({"unit": "um", "zunit": "pixel", "spacing": 0.5}, (2.0, 2.0), None),
        ({"unit": "inch", "spacing": 0.01}, (300.0, 300.0), None),
        ({"unit": "inch", "spacing": 0.01}, (5000.0, 5000.0), None),
        ({"unit": "pixel", "spacing": 1}, (1.0, 1.0), None),
        ({"spacing": 1}, (1.0, 1.0), None),
    ],
)
def test_imagej_says_a_unit_for_each_axis_and_inches_are_those_of_a_print(
    tmp_path, about, resolution, edges
):
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, VOLUME, imagej=True, resolution=resolution, metadata=about)
    expected = None if edges is None else pytest.approx([1e-9 * edge for edge in edges])
    assert read_dataset(path).voxel_size_m == expected


@pytest.mark.parametrize("spacing", [-2.0, 0.0, float("nan"), float("inf")])
def test_lengths_that_are_none_are_refused_by_every_format(tmp_path, spacing):
    path, wrong = tmp_path / "a.tif", "expected a voxel size of 3 lengths above 0"
    about = {"spacing": spacing, "unit": "um"}
    tifffile.imwrite(path, VOLUME, imagej=True, resolution=(1.0, 1.0), metadata=about)
    assert wrong in refusal(path)
    about = {"axes": "ZYX", "PhysicalSizeZ": 1, "PhysicalSizeY": 1, "PhysicalSizeX": spacing}
    tifffile.imwrite(path, VOLUME, ome=True, metadata=about)
    assert wrong in refusal(path)
    arrays = {"Phases": VOLUME}
    assert wrong in refusal(
        save_dream3d(tmp_path / "a.dream3d", "7.0", arrays, spacing=(spacing, 1, 1))
    )
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["a"] = VOLUME
        file["a"].attrs["voxel_size_m"] = (1.0, 1.0, spacing)
    assert wrong in refusal(tmp_path / "a.h5", spatial_dims=3)


@pytest.mark.parametrize("dots", [72, 96, 300, 600, 1234, 25_400, 2_540_000])
def test_inches_of_a_resolution_are_no_voxel_size_however_many_dots(tmp_path, dots):
    tifffile.imwrite(
        tmp_path / "a.tif", VOLUME[0], resolution=(dots, dots), resolutionunit="INCH", metadata=None
    )
    assert read_dataset(tmp_path / "a.tif").voxel_size_m is None


def test_the_density_of_a_picture_is_no_voxel_size(tmp_path):
    for name in ("a.png", "a.jpg", "a.bmp"):
        Image.fromarray(VOLUME[0] * np.uint8(255)).save(tmp_path / name, dpi=(5000, 5000))
        assert read_dataset(tmp_path / name).voxel_size_m is None


@pytest.mark.parametrize(
    ("resolution", "unit", "edges"),
    [
        ((10000, 5000), "CENTIMETER", (2e-6, 1e-6)),
        ((72, 72), "INCH", None),
        ((118.11, 118.11), "CENTIMETER", None),
        ((10000, 5000), "NONE", None),
        ((0, 0), "CENTIMETER", None),
    ],
)
def test_resolution_tags_are_voxel_sizes_unless_they_are_for_print(
    tmp_path, resolution, unit, edges
):
    path = tmp_path / "a.tif"
    tifffile.imwrite(
        path, VOLUME[0] * np.uint8(255), resolution=resolution, resolutionunit=unit, metadata=None
    )
    assert read_dataset(path).voxel_size_m == (None if edges is None else pytest.approx(edges))


FEI = """[User]\r\nDate=11/22/2026\r\n\r\n[Scan]\r\nPixelWidth=2.5e-08\r\nPixelHeight=5e-08\r\n"""
ZEISS = """\r\nAP_PIXEL_SIZE\r\nPixel Size = {}\r\nDP_ZOOM\r\nZoom Factor = 2\r\n"""


@pytest.mark.parametrize(
    ("tag", "text", "edges"),
    [
        (34682, FEI, (5e-8, 2.5e-8)),
        (34680, FEI, (5e-8, 2.5e-8)),
        (34682, FEI.replace("PixelHeight", "Pixels"), None),
        (34118, ZEISS.format("4.466 nm"), (4.466e-9, 4.466e-9)),
        (34118, ZEISS.format("0.25 \u00b5m"), (2.5e-7, 2.5e-7)),
        (34118, ZEISS.format("3 furlong"), None),
    ],
)
def test_pixel_sizes_that_electron_microscopes_write(tmp_path, tag, text, edges):
    path = tmp_path / "sem.tif"
    data = text.encode("cp1252") + b"\0"
    tifffile.imwrite(
        path, VOLUME[0] * np.uint8(255), metadata=None, extratags=[(tag, 2, len(data), data, True)]
    )
    assert read_dataset(path).voxel_size_m == (None if edges is None else pytest.approx(edges))


def test_a_zero_spacing_is_refused(tmp_path):
    about = {"spacing": 0, "unit": "um"}
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, VOLUME, imagej=True, resolution=(1, 1), metadata=about)
    assert "expected a voxel size of 3 lengths above 0, got 0" in refusal(path)


def test_files_of_two_voxel_sizes_have_none_in_common(tmp_path):
    for name, resolution in (("a", 10000), ("b", 20000)):
        tifffile.imwrite(
            tmp_path / f"{name}.tif", VOLUME[0], resolution=(resolution, resolution),
            resolutionunit="CENTIMETER", metadata=None,
        )  # fmt: skip
    assert read_dataset(tmp_path / "a.tif").voxel_size_m == (1e-6, 1e-6)
    assert read_dataset(tmp_path).voxel_size_m is None

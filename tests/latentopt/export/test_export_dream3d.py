"""DREAM.3D files: the attributes that DREAM.3D asks for and DAMASK does not."""

import h5py
import numpy as np
import pytest

from latentopt.errors import ExportError
from latentopt.export import EXPORTERS
from latentopt.microstructure import Microstructure

SHAPE = (2, 3, 4)


@pytest.fixture
def structure():
    phases = np.random.default_rng(0).integers(0, 3, SHAPE)
    return Microstructure(phases, (1e-6, 2e-6, 3e-6), ("a", "b", "c"), (True,) * 3)


def written(kind, structure, folder):
    return h5py.File(EXPORTERS[kind].write(structure, folder / "any.dream3d"))


def is_(attribute, expected, dtype):
    assert attribute.dtype == np.dtype(dtype)
    np.testing.assert_array_equal(attribute, expected)


def is_text(attribute, expected):
    assert isinstance(attribute, np.bytes_)  # of a fixed length, as DREAM.3D reads them
    assert attribute.decode() == expected


def test_version_8_has_every_attribute_that_simplnx_reads(structure, tmp_path):
    with written("dream3d8", structure, tmp_path) as file:
        is_text(file.attrs["FileVersion"], "8.0")
        is_(file["Pipeline"].attrs["Pipeline Version"], 3, "i4")
        geometry = file["DataStructure/ImageGeom"].attrs
        is_text(geometry["ObjectType"], "ImageGeom")
        is_(geometry["_DIMENSIONS"], SHAPE[::-1], "u8")
        is_(geometry["_SPACING"], np.float32([3e-6, 2e-6, 1e-6]), "f4")
        is_(geometry["_ORIGIN"], [0, 0, 0], "f4")
        is_(geometry["Units"], 10, "u4")  # metre
        cells = file["DataStructure/ImageGeom/CellData"]
        is_text(cells.attrs["ObjectType"], "AttributeMatrix")
        is_(cells.attrs["TupleDims"], SHAPE, "u8")
        is_(geometry["Cell Data ID"], cells.attrs["ObjectId"], "u8")
        for array in cells.values():
            is_text(array.attrs["ObjectType"], "DataArray<int32>")
            is_(array.attrs["TupleDimensions"], SHAPE, "u8")
            is_(array.attrs["ComponentDimensions"], [1], "u8")
            assert (array.shape, array.dtype) == ((*SHAPE, 1), np.int32)


def test_version_8_numbers_its_objects_once_and_says_the_next_number(structure, tmp_path):
    with written("dream3d8", structure, tmp_path) as file:
        objects = []
        file["DataStructure"].visititems(lambda _, item: objects.append(item))
        numbers = sorted(int(item.attrs["ObjectId"]) for item in objects)
        assert numbers == list(range(1, len(objects) + 1))
        is_(file["DataStructure"].attrs["NextObjectId"], len(objects) + 1, "u8")
        for item in objects:
            is_(item.attrs["Importable"], 1, "i4")


def test_version_7_has_every_attribute_that_simpl_reads(structure, tmp_path):
    with written("dream3d7", structure, tmp_path) as file:
        is_text(file.attrs["FileVersion"], "7.0")
        container = file["DataContainers/ImageDataContainer"]
        geometry = container["_SIMPL_GEOMETRY"]
        is_text(geometry.attrs["GeometryTypeName"], "ImageGeometry")
        is_(geometry["DIMENSIONS"], SHAPE[::-1], "i8")
        is_(geometry["SPACING"], np.float32([3e-6, 2e-6, 1e-6]), "f4")
        is_(container["CellData"].attrs["AttributeMatrixType"], 3, "u4")
        is_(container["CellData"].attrs["TupleDimensions"], SHAPE[::-1], "u8")
        for array in container["CellData"].values():
            is_text(array.attrs["ObjectType"], "DataArray<int32_t>")
            is_(array.attrs["TupleDimensions"], SHAPE[::-1], "u8")  # x first, unlike version 8
            is_(array.attrs["ComponentDimensions"], [1], "u8")


@pytest.mark.parametrize("kind", ["dream3d7", "dream3d8"])
@pytest.mark.parametrize("size", [1e-50, 1e50])
def test_a_size_beyond_32_bits_is_refused(kind, size, structure, tmp_path):
    other = Microstructure(structure.phases, (1e-6, 1e-6, size), ("a", "b", "c"), (True,) * 3)
    with pytest.raises(ExportError, match="1e-38 to 3e38 m"):
        EXPORTERS[kind].write(other, tmp_path / "any.dream3d")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("kind", ["dream3d7", "dream3d8"])
def test_no_voxel_has_the_phase_that_dream3d_takes_for_unknown(kind, structure, tmp_path):
    with written(kind, structure, tmp_path) as file:
        arrays = {}
        file.visititems(lambda path, item: arrays.update({path.rsplit("/")[-1]: item}))
        np.testing.assert_array_equal(arrays["Phases"][..., 0], structure.phases + 1)
        np.testing.assert_array_equal(arrays["FeatureIds"][..., 0], structure.phases)

"""DREAM3D-NX: HDF5 in the layout of simplnx, file version 8.0."""

import io
import json
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Int32

from generative.data.check import Limits
from generative.data.formats import hdf5_guard as guard
from latentopt.export.dream3d7 import cells_and_size, compressed, fixed_length
from latentopt.export.reading import EXPORTED, check_promise
from latentopt.export.sidecar import write_with_sidecar
from latentopt.microstructure import Microstructure

if TYPE_CHECKING:
    import h5py

_METRE = 10  # of simplnx's LengthUnit
_PIPELINE = {"isDisabled": False, "name": "latentopt", "pipeline": [], "version": 1}


class DREAM3D8Exporter:
    """Cell data of an image geometry, lengths in metres; a 2-D image is one voxel thick.

    ``FeatureIds`` are the phase labels, from 0 as in DAMASK and in the sidecar; ``Phases`` are the
    labels plus 1, because DREAM.3D takes phase 0 for unknown.
    """

    suffix = ".dream3d"

    def write(self, microstructure: Microstructure, path: Path, *, overwrite: bool = False) -> Path:
        """Write ``path`` and its sidecar; `ExportError` if that cannot be done."""
        data = encode(microstructure)
        return write_with_sidecar(
            microstructure, path, data, kind="dream3d8", suffix=self.suffix, overwrite=overwrite
        )

    def read(self, path: Path, *, limits: Limits = EXPORTED) -> Int32[np.ndarray, "d h w"]:
        """Voxels of a file that `write` made."""
        with guard.opened(path) as file:
            item = guard.own_data_set(file, "DataStructure/ImageGeom/CellData/FeatureIds", path)
            check_promise(item.shape[:-1], path, limits, bytes_a_voxel=4)
            return guard.values(item, path, limits)[..., 0]


def encode(microstructure: Microstructure) -> bytes:
    """The file as bytes."""
    import h5py

    cells, size = cells_and_size(microstructure)
    shape = np.array(cells.shape, dtype=np.uint64)
    buffer = io.BytesIO()
    with h5py.File(buffer, "w") as file:
        file.attrs["FileVersion"] = fixed_length("8.0")
        pipeline = file.create_group("Pipeline")
        pipeline.attrs["Pipeline Version"] = np.int32(3)
        pipeline.attrs["Current Pipeline"] = fixed_length("latentopt")
        pipeline["Pipeline"] = fixed_length(json.dumps(_PIPELINE))

        structure = file.create_group("DataStructure")
        structure.attrs["NextObjectId"] = np.uint64(5)
        geometry = structure.create_group("ImageGeom")
        _identify(geometry, 1, "ImageGeom")
        geometry.attrs["_DIMENSIONS"] = shape[::-1]
        geometry.attrs["_ORIGIN"] = np.zeros(3, dtype=np.float32)
        geometry.attrs["_SPACING"] = size[::-1]
        geometry.attrs["Units"] = np.uint32(_METRE)
        geometry.attrs["Cell Data ID"] = np.uint64(2)

        matrix = geometry.create_group("CellData")
        _identify(matrix, 2, "AttributeMatrix")
        matrix.attrs["TupleDims"] = shape
        for number, name, values in ((3, "FeatureIds", cells), (4, "Phases", cells + 1)):
            array = compressed(matrix, name, values)
            _identify(array, number, "DataArray<int32>")
            array.attrs["TupleDimensions"] = shape
            array.attrs["ComponentDimensions"] = np.array([1], dtype=np.uint64)
    return buffer.getvalue()


def _identify(object: "h5py.Group | h5py.Dataset", number: int, kind: str) -> None:
    """Give it the attributes by which simplnx knows each of its objects."""
    object.attrs["ObjectType"] = fixed_length(kind)
    object.attrs["ObjectId"] = np.uint64(number)
    object.attrs["Importable"] = np.int32(1)

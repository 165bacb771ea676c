"""DREAM.3D 6.5: HDF5 in the layout of SIMPL, file version 7.0."""

import io
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float32, Int32

from generative.data.check import Limits
from generative.data.formats import hdf5_guard as guard
from latentopt.errors import ExportError
from latentopt.export.reading import EXPORTED, check_promise
from latentopt.export.sidecar import write_with_sidecar
from latentopt.microstructure import Microstructure
from latentopt.version import __version__

if TYPE_CHECKING:
    import h5py

_IMAGE_GEOMETRY, _CELL = 0, 3  # of the enumerations of SIMPL


class DREAM3D7Exporter:
    """Cell data of an image geometry, lengths in metres; a 2-D image is one voxel thick.

    ``FeatureIds`` are the phase labels, from 0 as in DAMASK and in the sidecar; ``Phases`` are the
    labels plus 1, because DREAM.3D takes phase 0 for unknown.
    """

    suffix = ".dream3d"

    def write(self, microstructure: Microstructure, path: Path, *, overwrite: bool = False) -> Path:
        """Write ``path`` and its sidecar; `ExportError` if that cannot be done."""
        data = encode(microstructure)
        return write_with_sidecar(
            microstructure, path, data, kind="dream3d7", suffix=self.suffix, overwrite=overwrite
        )

    def read(self, path: Path, *, limits: Limits = EXPORTED) -> Int32[np.ndarray, "d h w"]:
        """Voxels of a file that `write` made."""
        with guard.opened(path) as file:
            item = guard.own_data_set(
                file, "DataContainers/ImageDataContainer/CellData/FeatureIds", path
            )
            check_promise(item.shape[:-1], path, limits, bytes_a_voxel=4)
            return guard.values(item, path, limits)[..., 0]


def encode(microstructure: Microstructure) -> bytes:
    """The file as bytes."""
    import h5py

    cells, size = cells_and_size(microstructure)
    buffer = io.BytesIO()
    with h5py.File(buffer, "w") as file:
        file.attrs["FileVersion"] = fixed_length("7.0")
        file.attrs["DREAM3D Version"] = fixed_length(f"latentopt {__version__}")
        container = file.create_group("DataContainers/ImageDataContainer")
        geometry = container.create_group("_SIMPL_GEOMETRY")
        geometry.attrs["GeometryName"] = fixed_length("ImageGeometry")
        geometry.attrs["GeometryTypeName"] = fixed_length("ImageGeometry")
        geometry.attrs["GeometryType"] = np.uint32(_IMAGE_GEOMETRY)
        geometry.attrs["SpatialDimensionality"] = np.uint32(3)
        geometry.attrs["UnitDimensionality"] = np.uint32(3)
        geometry["DIMENSIONS"] = np.array(cells.shape[::-1], dtype=np.int64)
        geometry["ORIGIN"] = np.zeros(3, dtype=np.float32)
        geometry["SPACING"] = size[::-1]

        matrix = container.create_group("CellData")
        matrix.attrs["AttributeMatrixType"] = np.uint32(_CELL)
        matrix.attrs["TupleDimensions"] = np.array(cells.shape[::-1], dtype=np.uint64)
        for name, values in (("FeatureIds", cells), ("Phases", cells + 1)):
            array = compressed(matrix, name, values)
            array.attrs["ObjectType"] = fixed_length("DataArray<int32_t>")
            array.attrs["DataArrayVersion"] = np.int32(2)
            array.attrs["TupleDimensions"] = np.array(cells.shape[::-1], dtype=np.uint64)
            array.attrs["ComponentDimensions"] = np.array([1], dtype=np.uint64)
            axes = ",".join(f"{axis}={n}" for axis, n in zip("xyz", cells.shape[::-1], strict=True))
            array.attrs["Tuple Axis Dimensions"] = fixed_length(axes)
    return buffer.getvalue()


def cells_and_size(
    microstructure: Microstructure,
) -> tuple[Int32[np.ndarray, "d h w"], Float32[np.ndarray, "3"]]:
    """Labels and voxel size, z, y, x; an image is one voxel thick, as thick as a voxel is wide.

    Raises
    ------
    ExportError
        If the voxel size is beyond the 32 bits that DREAM.3D has for it.
    """
    phases, size = microstructure.phases, microstructure.voxel_size_m
    if microstructure.spatial_dims == 2:
        phases, size = phases[None], (size[-1], *size)
    with np.errstate(over="ignore"):
        size_32 = np.array(size, dtype=np.float32)
    if not (np.isfinite(size_32) & (size_32 > 0)).all():
        raise ExportError(
            f"DREAM.3D takes lengths of 1e-38 to 3e38 m, got {microstructure.voxel_size_m}. "
            "Check the voxel size, or choose another format."
        )
    return phases.astype(np.int32), size_32


def fixed_length(text: str) -> np.ndarray:
    """Text as DREAM.3D and DAMASK read it: bytes of a fixed length, with a final zero."""
    return np.array(text.encode("ascii"), dtype=f"S{len(text) + 1}")


def compressed(
    group: "h5py.Group", name: str, values: Int32[np.ndarray, "d h w"]
) -> "h5py.Dataset":
    """Dataset of one component a voxel, ``(z, y, x, 1)``, by filters that every HDF5 has."""
    return group.create_dataset(
        name, data=values[..., None], compression="gzip", compression_opts=1, shuffle=True
    )

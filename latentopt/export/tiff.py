"""TIFF as ImageJ writes it: one page in 2-D, a stack of z slices in 3-D."""

import io
from pathlib import Path

import numpy as np
from jaxtyping import UInt8

from generative.data.check import Limits
from generative.data.formats.image_files import pillow
from latentopt.errors import ExportError
from latentopt.export.reading import EXPORTED, check_promise
from latentopt.export.sidecar import write_with_sidecar
from latentopt.microstructure import Microstructure

# The tags hold pixels per micrometre as a ratio of 32-bit numbers: to 8 digits in this range.
_SHORTEST_M, _LONGEST_M = 1e-14, 1e3


class TIFFExporter:
    """8-bit pages holding phase labels, with the voxel size in micrometres in ImageJ's tags."""

    suffix = ".tif"

    def write(self, microstructure: Microstructure, path: Path, *, overwrite: bool = False) -> Path:
        """Write ``path`` and its sidecar; `ExportError` if that cannot be done."""
        data = encode(microstructure)
        return write_with_sidecar(
            microstructure, path, data, kind="tiff", suffix=self.suffix, overwrite=overwrite
        )

    def read(self, path: Path, *, limits: Limits = EXPORTED) -> UInt8[np.ndarray, "d h w"]:
        """Voxels of a file that `write` made, by another reader than the one that wrote it."""
        from PIL import ImageSequence
        from PIL.TiffImagePlugin import TiffImageFile

        with pillow(path, "TIFF") as file:
            assert isinstance(file, TiffImageFile)
            check_promise((file.n_frames, *file.size), path, limits)
            return np.stack([np.array(page) for page in ImageSequence.Iterator(file)])


def encode(microstructure: Microstructure) -> bytes:
    """The file as bytes; `ExportError` for a voxel size that its tags cannot hold."""
    import tifffile

    size_m = microstructure.voxel_size_m
    if not all(_SHORTEST_M <= edge <= _LONGEST_M for edge in size_m):
        raise ExportError(
            f"TIFF takes lengths of {_SHORTEST_M:g} to {_LONGEST_M:g} m, got {size_m}. "
            "Check the voxel size, or choose another format."
        )
    size_um = [1e6 * edge for edge in size_m]
    metadata = {
        "axes": "ZYX"[-microstructure.spatial_dims :],
        "unit": "um",
        "min": 0.0,  # the display range, or labels 0 and 1 of 255 look black
        "max": float(max(len(microstructure.phase_names) - 1, 1)),
    }
    if microstructure.spatial_dims == 3:
        metadata["spacing"] = size_um[0]
    buffer = io.BytesIO()
    tifffile.imwrite(
        buffer,
        microstructure.phases,
        imagej=True,
        photometric="minisblack",
        resolution=(1 / size_um[-1], 1 / size_um[-2]),  # pixels per micrometre along x, y
        metadata=metadata,
    )
    return buffer.getvalue()

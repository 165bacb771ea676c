"""NPZ: voxels and what they measure, for NumPy alone."""

import io
from pathlib import Path

import numpy as np
from jaxtyping import UInt8

from generative.data.check import Limits
from generative.data.formats.array_files import npz_shape, read_npz
from latentopt.export.phase_sets import printable_names
from latentopt.export.reading import EXPORTED, check_promise
from latentopt.export.sidecar import write_with_sidecar
from latentopt.microstructure import Microstructure


class NPZExporter:
    """Arrays ``phases`` (uint8, axes z, y, x), ``voxel_size_m``, ``phase_names``, ``periodic``.

    Each is plain data: ``np.load(path)`` reads it, with pickle refused as it is by default. The
    same structure gives the same bytes.
    """

    suffix = ".npz"

    def write(self, microstructure: Microstructure, path: Path, *, overwrite: bool = False) -> Path:
        """Write ``path`` and its sidecar; `ExportError` if that cannot be done."""
        data = encode(microstructure)
        return write_with_sidecar(
            microstructure, path, data, kind="npz", suffix=self.suffix, overwrite=overwrite
        )

    def read(self, path: Path, *, limits: Limits = EXPORTED) -> UInt8[np.ndarray, "*space"]:
        """Voxels of a file that `write` made."""
        check_promise(npz_shape(path, "phases"), path, limits)
        return read_npz(path, "phases", limits)


def encode(microstructure: Microstructure) -> bytes:
    """The file as bytes."""
    buffer = io.BytesIO()
    np.savez_compressed(
        buffer,
        phases=microstructure.phases,
        voxel_size_m=np.array(microstructure.voxel_size_m, dtype=np.float64),
        phase_names=np.array(printable_names(microstructure.phase_names), dtype=np.str_),
        periodic=np.array(microstructure.periodic, dtype=np.bool_),
    )
    return buffer.getvalue()

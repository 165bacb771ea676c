"""HDF5: voxels and all we know of them in one file."""

import io
import json
from pathlib import Path

import numpy as np
from jaxtyping import UInt8

from generative.data.check import Limits
from generative.data.formats import hdf5_guard as guard
from latentopt.export.phase_sets import printable_names
from latentopt.export.reading import EXPORTED, check_promise
from latentopt.export.sidecar import write_with_sidecar
from latentopt.microstructure import Microstructure
from latentopt.version import __version__

SCHEMA = "latentopt.microstructure/1"


class HDF5Exporter:
    """Dataset ``/phase`` (uint8, axes z, y, x) with its sizes and names as attributes.

    ``/provenance`` holds the provenance as JSON text. Lengths are in metres.
    """

    suffix = ".h5"

    def write(self, microstructure: Microstructure, path: Path, *, overwrite: bool = False) -> Path:
        """Write ``path`` and its sidecar; `ExportError` if that cannot be done."""
        data = encode(microstructure)
        return write_with_sidecar(
            microstructure, path, data, kind="hdf5", suffix=self.suffix, overwrite=overwrite
        )

    def read(self, path: Path, *, limits: Limits = EXPORTED) -> UInt8[np.ndarray, "*space"]:
        """Voxels of a file that `write` made."""
        with guard.opened(path) as file:
            item = guard.own_data_set(file, "phase", path)
            check_promise(item.shape, path, limits)
            return guard.values(item, path, limits)


def encode(microstructure: Microstructure) -> bytes:
    """The file as bytes, made in memory so that a full disk cannot leave half of it."""
    import h5py

    buffer = io.BytesIO()
    with h5py.File(buffer, "w") as file:
        file.attrs["schema"] = SCHEMA
        file.attrs["latentopt_version"] = __version__
        # A dataset: attributes hold 64 kB at most.
        file["provenance"] = json.dumps(dict(microstructure.provenance))
        phase = file.create_dataset("phase", data=microstructure.phases, compression="gzip")
        phase.attrs["axes"] = "zyx"[-microstructure.spatial_dims :]
        phase.attrs["voxel_size_m"] = microstructure.voxel_size_m
        phase.attrs["phase_names"] = printable_names(microstructure.phase_names)
        phase.attrs["periodic"] = np.array(microstructure.periodic, dtype=np.uint8)
        phase.attrs["voxel_sha256"] = microstructure.sha256
    return buffer.getvalue()

"""NRRD for 3D Slicer, ITK and Simpleware: a text header, then voxels compressed by gzip."""

import gzip
import math
import re
from pathlib import Path

import numpy as np
from jaxtyping import UInt8

from generative.data.check import Limits
from generative.data.formats.inflate import GZIP, inflated
from latentopt.export.reading import EXPORTED, check_promise
from latentopt.export.sidecar import write_with_sidecar
from latentopt.microstructure import Microstructure


class NRRDExporter:
    """Phase labels (uint8, x fastest) with the edges of a voxel in metres as space directions.

    The header is that of the NRRD definition, version 4 [1]_. VTK takes a first axis of fewer than
    10 voxels for colour channels, whatever the header says.

    References
    ----------
    .. [1] https://teem.sourceforge.net/nrrd/format.html
    """

    suffix = ".nrrd"

    def write(self, microstructure: Microstructure, path: Path, *, overwrite: bool = False) -> Path:
        """Write ``path`` and its sidecar; `ExportError` if that cannot be done."""
        data = encode(microstructure)
        return write_with_sidecar(
            microstructure, path, data, kind="nrrd", suffix=self.suffix, overwrite=overwrite
        )

    def read(self, path: Path, *, limits: Limits = EXPORTED) -> UInt8[np.ndarray, "*space"]:
        """Voxels of a file that `write` made."""
        header, _, data = path.read_bytes().partition(b"\n\n")
        sizes = re.search(rb"^sizes: (.{1,200})$", header, flags=re.MULTILINE)
        if sizes is None:
            raise ValueError("its header has no sizes")
        shape = check_promise([int(size) for size in reversed(sizes[1].split())], path, limits)
        voxels = inflated(data, math.prod(shape), wbits=GZIP)
        return np.frombuffer(voxels, np.uint8).reshape(shape)


def encode(microstructure: Microstructure) -> bytes:
    """The file as bytes."""
    dims = microstructure.spatial_dims
    edges = np.diag(microstructure.voxel_size_m[::-1])  # x first, as all of the header
    header = [
        "NRRD0004",
        "# phase labels; FILE.json beside this file names them",
        "type: uint8",
        f"dimension: {dims}",
        f"space dimension: {dims}",
        f"sizes: {' '.join(str(n) for n in reversed(microstructure.phases.shape))}",
        f"space directions: {' '.join(_vector(row) for row in edges)}",
        f"space origin: {_vector(np.zeros(dims))}",
        "space units: " + " ".join(['"m"'] * dims),
        f"kinds: {' '.join(['domain'] * dims)}",
        "encoding: gzip",
        f"voxel_sha256:={microstructure.sha256}",
    ]
    text = "\n".join([*header, "", ""]).encode("ascii")
    return text + gzip.compress(microstructure.phases.tobytes(), compresslevel=6, mtime=0)


def _vector(row: np.ndarray) -> str:
    return f"({','.join(repr(float(edge)) for edge in row)})"

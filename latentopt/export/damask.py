"""VTK image data for DAMASK, by the rules of its grid solver rather than those of VTK.

DAMASK_grid reads ``.vti`` line by line (src/VTI.f90) and ends with error 844 on files that VTK and
DAMASK's own Python library accept. What it asks, and old releases asked more strictly:
little-endian; no compressor or zlib; extents from 0; ``Direction`` the identity; a bare
``<CellData>`` line; ``format="binary"``; Int32, Int64, Float32 or Float64; and the base64 text on
a line of its own after the ``<DataArray>`` line. Material numbers start at 0, as in the list
``material`` of ``material.yaml``; there are at least two cells along x; lengths are in metres.
"""

import base64
import json
import struct
import zlib
from pathlib import Path

import numpy as np
from jaxtyping import Int32, UInt8

from generative.data.check import Limits
from generative.data.formats.readers import open_source
from generative.data.read import decode
from latentopt.errors import ExportError
from latentopt.export.damask_skeletons import damask_skeletons
from latentopt.export.phase_sets import printable_names
from latentopt.export.reading import EXPORTED
from latentopt.export.sidecar import write_with_sidecar
from latentopt.microstructure import Microstructure
from latentopt.printable import one_line
from latentopt.version import __version__

# The solver's inflate loop is quadratic in the number of blocks, so they are large.
_BLOCK_VOXELS = 1 << 18


class DamaskExporter:
    """Cell data ``material``: the phase label of every voxel; a 2-D image is one voxel thick.

    ``material.yaml`` and ``load.yaml`` are written into the folder where it has none: skeletons
    that name the phases and a load, to be completed once for all structures of the folder.
    """

    suffix = ".vti"

    def write(self, microstructure: Microstructure, path: Path, *, overwrite: bool = False) -> Path:
        """Write ``path``, its sidecar and the skeletons; `ExportError` if that cannot be done."""
        data = encode(microstructure)
        skeletons = {
            Path(path).with_name(name): text
            for name, text in damask_skeletons(microstructure).items()
        }
        return write_with_sidecar(
            microstructure,
            path,
            data,
            kind="damask",
            suffix=self.suffix,
            # An existing one holds what somebody knows of his materials.
            beside={file: text for file, text in skeletons.items() if not file.exists()},
            overwrite=overwrite,
        )

    def read(self, path: Path, *, limits: Limits = EXPORTED) -> Int32[np.ndarray, "d h w"]:
        """Voxels of a file that `write` made, through an XML parser."""
        source = open_source(path, dataset="CellData/material", spatial_dims=3, limits=limits)
        return decode(source, [path.name])[0, 0]


def encode(microstructure: Microstructure) -> bytes:
    """The file as bytes."""
    phases, size = microstructure.phases, microstructure.voxel_size_m
    if microstructure.spatial_dims == 2:
        phases, size = phases[None], (size[-1], *size)  # one voxel thick, as thick as wide
    if phases.shape[-1] < 2:
        raise ExportError(
            f"DAMASK needs at least 2 cells along x, got shape {phases.shape} (z, y, x). "
            "Turn the structure so that x is a longer axis."
        )
    extent = " ".join(f"0 {n}" for n in reversed(phases.shape))
    spacing = " ".join(repr(edge) for edge in reversed(size))
    comments = _comments(microstructure)
    lines = [
        '<?xml version="1.0"?>',
        '<VTKFile type="ImageData" version="0.1" byte_order="LittleEndian" '
        'header_type="UInt32" compressor="vtkZLibDataCompressor">',
        f'  <ImageData WholeExtent="{extent}" Origin="0 0 0" Spacing="{spacing}" '
        'Direction="1 0 0 0 1 0 0 0 1">',
        "    <FieldData>",
        f'      <Array type="String" Name="comments" NumberOfTuples="{len(comments)}" '
        'format="ascii">',
        *(" ".join(str(byte) for byte in (*line.encode(), 0)) for line in comments),
        "      </Array>",
        "    </FieldData>",
        f'    <Piece Extent="{extent}">',
        "      <CellData>",
        '        <DataArray type="Int32" Name="material" format="binary">',
        _encode(phases.ravel()),
        "        </DataArray>",
        "      </CellData>",
        "    </Piece>",
        "  </ImageData>",
        "</VTKFile>",
    ]
    return "\n".join([*lines, ""]).encode("ascii")


def _comments(microstructure: Microstructure) -> list[str]:
    """Lines that `damask.GeomGrid.comments` shows."""
    return [
        f"latentopt {__version__}, lengths in m",
        f"voxel_sha256: {microstructure.sha256}",
        *(
            f"material {label}: {name}"
            for label, name in enumerate(printable_names(microstructure.phase_names))
        ),
        *(f"{one_line(k)}: {json.dumps(value)}" for k, value in microstructure.provenance.items()),
    ]


def _encode(labels: UInt8[np.ndarray, " voxels"]) -> str:
    """VTK's compressed binary: base64 of block count and sizes, then base64 of the blocks."""
    blocks = []
    for start in range(0, labels.size, _BLOCK_VOXELS):
        block = labels[start : start + _BLOCK_VOXELS].astype("<i4")
        blocks.append(zlib.compress(block.tobytes(), level=1))
    last = 4 * (labels.size % _BLOCK_VOXELS)  # 0 says that the last block is full
    header = struct.pack(
        f"<{3 + len(blocks)}I", len(blocks), 4 * _BLOCK_VOXELS, last, *map(len, blocks)
    )
    return (base64.b64encode(header) + base64.b64encode(b"".join(blocks))).decode()

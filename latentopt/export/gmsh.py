"""Gmsh meshes, MSH 2.2: what MOOSE, FEniCS, SfePy, Elmer and meshio read with its phases.

Version 4.1 is left alone: meshio 5.3 loses the physical groups of its files.
"""

import math
from pathlib import Path

import numpy as np
from jaxtyping import Int64

from generative.data.check import Limits
from latentopt.export.meshing.hexahedra import (
    column,
    coordinate_columns,
    element_nodes,
    lines,
    node_grid,
)
from latentopt.export.phase_sets import phase_set_names
from latentopt.export.reading import EXPORTED
from latentopt.export.sidecar import write_with_sidecar
from latentopt.microstructure import Microstructure

_QUADRILATERAL, _HEXAHEDRON = 3, 5  # element types of MSH 2.2


class GmshExporter:
    """One hexahedron (3-D) or quadrilateral (2-D) for each voxel, as text; lengths in metres.

    The phase with label k is the physical group k + 1, since Gmsh reads 0 as no group, and bears
    the name ``phase_<k>_<name>``. A 2-D mesh lies in the plane z = 0.
    """

    suffix = ".msh"

    def write(self, microstructure: Microstructure, path: Path, *, overwrite: bool = False) -> Path:
        """Write ``path`` and its sidecar; `ExportError` if that cannot be done."""
        data = encode(microstructure)
        return write_with_sidecar(
            microstructure, path, data, kind="gmsh", suffix=self.suffix, overwrite=overwrite
        )

    def read(self, path: Path, *, limits: Limits = EXPORTED) -> Int64[np.ndarray, "*space"]:
        """Voxels of a file that `write` made, from its nodes and physical groups."""
        text = Path(path).read_text(encoding="ascii")
        nodes = _section(text, "Nodes").reshape(-1, 4)[:, 1:]
        counts = [np.unique(place).size for place in nodes.T[::-1]]
        shape = tuple(count - 1 for count in counts if count > 1)
        limits.check((1, 1, *shape), str(path))
        elements = _section(text, "Elements").reshape(math.prod(shape), -1)
        return elements[:, 3].astype(np.int64).reshape(shape) - 1


def encode(microstructure: Microstructure) -> bytes:
    """The file as bytes."""
    shape = microstructure.phases.shape
    dims = len(shape)
    nodes = column(range(1, node_grid(shape).size + 1))
    places = coordinate_columns(shape, microstructure.voxel_size_m, ".17g")
    if dims == 2:
        places.append(_constant(0, len(nodes)))
    corners = element_nodes(shape)
    groups = column(range(1, len(microstructure.phase_names) + 1))
    group = groups[microstructure.phases.ravel()]
    elements = [
        column(range(1, len(corners) + 1)),
        _constant(f"{_HEXAHEDRON if dims == 3 else _QUADRILATERAL} 2", len(corners)),
        group,
        group,  # the elementary entity: one a phase
        *(nodes[corner] for corner in corners.T),
    ]
    names = [
        f'{dims} {number} "{name}"\n'
        for number, name in enumerate(phase_set_names(microstructure), 1)
    ]
    return b"".join(
        [
            b"$MeshFormat\n2.2 0 8\n$EndMeshFormat\n",
            f"$Comments\nlengths in m\nvoxel_sha256: {microstructure.sha256}\n".encode(),
            b"$EndComments\n",
            f"$PhysicalNames\n{len(names)}\n{''.join(names)}$EndPhysicalNames\n".encode(),
            f"$Nodes\n{len(nodes)}\n".encode(),
            lines([nodes, *places], " "),
            f"$EndNodes\n$Elements\n{len(corners)}\n".encode(),
            lines(elements, " "),
            b"$EndElements\n",
        ]
    )


def _constant(item: object, count: int) -> np.ndarray:
    return np.repeat(column([item]), count, axis=0)


def _section(text: str, name: str) -> np.ndarray:
    """Numbers of a section without their count, which comes first."""
    body = text.partition(f"${name}\n")[2].partition(f"$End{name}")[0]
    return np.array(body.split()[1:], dtype=float)

"""STL: one closed surface for each phase, for slicers, meshers and CFD; lengths in millimetres.

Together they fill the box: where two phases meet, both surfaces have the same triangles, so that
meshes of the phases conform.

STL has no unit; millimetres are what slicers assume, and metres would leave them with nothing to
see. The header of each file and the sidecar name the unit. Surfaces are smooth and yet keep every
voxel (`latentopt.export.meshing.surface_net`), so `latentopt export verify` compares voxels
as it does for the other formats. A binary file holds one solid, hence a file for each phase.
"""

import hashlib
from pathlib import Path

import numpy as np
from jaxtyping import Float32, Int16

from generative.data.check import Limits
from latentopt.errors import ExportError
from latentopt.export.meshing.solid_voxels import solid_voxels
from latentopt.export.meshing.surface_net import Surface, surface_net
from latentopt.export.phase_sets import phase_of_set, phase_set_names
from latentopt.export.reading import EXPORTED, check_promise, read_sidecar
from latentopt.export.sidecar import (
    as_text,
    check_replaced,
    checked_name,
    other_parts,
    sidecar,
    sidecar_path,
    write_several,
)
from latentopt.microstructure import Microstructure

_MM_PER_M = 1e3
_HEADER_BYTES = 80
_TRIANGLE: np.dtype[np.void] = np.dtype(  # ty: ignore[invalid-assignment]  it takes all for float64
    [("normal", "<f4", 3), ("corners", "<f4", (3, 3)), ("attribute", "<u2")]
)


class STLExporter:
    """Binary files ``best_phase_0_pore.stl``, ``best_phase_1_matrix.stl``, ... of ``best.stl``.

    The sidecar is that of the first, vouches for all of them, and its path is the one to keep. A
    2-D structure is extruded by one voxel, as thick as wide. Phases without voxels have no file.
    Where voxels of a phase touch at an edge or a corner only, either a bridge of a fraction of a
    voxel joins them, or that of another phase parts them: the phase with more voxels is joined.
    """

    suffix = ".stl"

    def write(self, microstructure: Microstructure, path: Path, *, overwrite: bool = False) -> Path:
        """Write the surfaces and one sidecar; the path of the first surface.

        Raises
        ------
        ExportError
            If that cannot be done, or a surface would not be closed and manifold, as when its
            lengths are too small for the numbers of the format.
        """
        path = checked_name(path, kind="stl", suffix=self.suffix)
        names = phase_set_names(microstructure)
        files = {
            path.with_name(f"{path.stem}_{names[label]}{self.suffix}"): encode(
                corners, names[label]
            )
            for label, corners in surfaces_mm(microstructure).items()
        }
        first, *others = files
        check_replaced([first], "stl", microstructure.provenance, overwrite=overwrite)
        record = sidecar(microstructure, first.name, files[first], kind="stl")
        record["surface_unit"] = "mm"
        record["surfaces"] = {f.name: hashlib.sha256(files[f]).hexdigest() for f in others}
        files[sidecar_path(first)] = as_text(record)
        write_several(first, files, overwrite=overwrite)
        return first

    def read(self, path: Path, *, limits: Limits = EXPORTED) -> Int16[np.ndarray, "d h w"]:
        """Voxels whose centres are inside the surfaces that `write` made, by the sidecar's grid."""
        path = Path(path)
        record = read_sidecar(path)
        parts = (path.name, *other_parts(record))
        held = sum(path.with_name(name).stat().st_size for name in parts)
        check_promise(record["shape"], path, limits, bytes_a_voxel=18, held=held)
        size_m = [record["voxel_size"][axis] for axis in record["axes"]]
        shape, size_m = _thick(tuple(record["shape"]), tuple(size_m))
        labels = np.full(shape, -1, dtype=np.int16)
        for name in parts:
            header, corners = decode(path.with_name(name).read_bytes())
            inside = solid_voxels(corners / (_MM_PER_M * np.array(size_m[::-1])), shape)
            labels[inside] = phase_of_set(header)
        if labels.min() < 0:
            raise ValueError("voxels are inside no surface")
        return labels


def surfaces_mm(microstructure: Microstructure) -> dict[int, Float32[np.ndarray, "t 3 3"]]:
    """Corners x, y, z of the triangles around each phase that has voxels, by its label.

    Raises
    ------
    ExportError
        If a surface would not be closed and manifold.
    """
    shape, size_m = _thick(microstructure.phases.shape, microstructure.voxel_size_m)
    scale = _MM_PER_M * np.array(size_m[::-1])
    surfaces = {}
    for label, surface in surface_net(microstructure.phases.reshape(shape)).items():
        with np.errstate(over="ignore"):  # refused below
            vertices = (surface.vertices * scale).astype(np.float32)
        _check_manifold(surface, vertices, microstructure.phase_names[label])
        surfaces[label] = vertices[surface.triangles]
    return surfaces


def encode(corners: Float32[np.ndarray, "t 3 3"], name: str) -> bytes:
    """A binary STL file."""
    triangles = np.zeros(len(corners), dtype=_TRIANGLE)
    triangles["corners"] = corners
    first, second, third = np.moveaxis(corners.astype(np.float64), 1, 0)
    normals = np.cross(second - first, third - first)
    lengths = np.linalg.norm(normals, axis=1, keepdims=True)
    triangles["normal"] = normals / np.where(lengths > 0, lengths, 1)
    header = f"{name} in mm, latentopt".encode("ascii").ljust(_HEADER_BYTES)
    return header + len(corners).to_bytes(4, "little") + triangles.tobytes()


def decode(data: bytes) -> tuple[str, Float32[np.ndarray, "t 3 3"]]:
    """Header and corners of a binary STL file."""
    count = int.from_bytes(data[_HEADER_BYTES : _HEADER_BYTES + 4], "little")
    triangles = np.frombuffer(data, _TRIANGLE, count, offset=_HEADER_BYTES + 4)
    return data[:_HEADER_BYTES].decode("ascii"), triangles["corners"]


def _thick(
    shape: tuple[int, ...], size: tuple[float, ...]
) -> tuple[tuple[int, int, int], tuple[float, float, float]]:
    """Shape and voxel size in 3-D; a 2-D structure is one voxel thick, as thick as wide."""
    if len(shape) == 2:
        shape, size = (1, *shape), (size[-1], *size)
    depth, height, width = shape
    dz, dy, dx = size
    return (depth, height, width), (dz, dy, dx)


def _check_manifold(surface: Surface, vertices: Float32[np.ndarray, "v 3"], phase: str) -> None:
    """Refuse a surface that has an edge without exactly one triangle on each side.

    Programs know vertices by their coordinates, so those must differ as written.
    """
    corner, count = surface.triangles, len(vertices)
    start, end = corner.ravel(), np.roll(corner, -1, axis=1).ravel()
    forth, back = np.sort(start * count + end), np.sort(end * count + start)
    closed = (forth == back).all() and (np.diff(forth) > 0).all()
    if not closed or len(np.unique(vertices, axis=0)) < count or not np.isfinite(vertices).all():
        raise ExportError(
            f"the surface of phase {phase!r} should be closed with two triangles at every edge, "
            "and is not in the 32-bit numbers of STL. Check the voxel size, or export voxels."
        )

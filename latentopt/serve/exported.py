"""Structures of points as files of a simulator, packed into one."""

import io
import tempfile
import zipfile
from pathlib import Path

import numpy as np
from jaxtyping import Float64

from latentopt.export.exporters import EXPORTERS
from latentopt.export.sidecar import exported_files
from latentopt.microstructure import Microstructure, to_phases
from latentopt.serve.asked import ExportRequest
from latentopt.serve.problems import Problem
from latentopt.serve.spaces import ServedSpace

__all__ = ["exported_zip"]


def exported_zip(served: ServedSpace, z: Float64[np.ndarray, "n d"], asked: ExportRequest) -> bytes:
    """A ZIP file of the structures of points, each with the sidecar that vouches for it.

    Raises
    ------
    Problem
        (422.) There is no such format, or the names of phases do not fit.
    ExportError
        A structure cannot be written in the format.
    """
    if asked.format not in EXPORTERS:
        raise Problem(422, f"format: should be one of {', '.join(EXPORTERS)}")
    exporter, structures = EXPORTERS[asked.format], to_phases(served.space.decode(z))
    count = max(2, served.space.image_shape[0])
    names = asked.phase_names or [f"phase {k}" for k in range(count)]
    if len(names) != count:
        raise Problem(422, f"phase_names: should be {count} names, got {len(names)}")
    packed = io.BytesIO()
    with (
        tempfile.TemporaryDirectory(prefix="latentopt-") as folder,
        zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive,
    ):
        for row, (phases, point) in enumerate(zip(structures, z, strict=True)):
            dims = phases.ndim
            try:
                structure = Microstructure(
                    phases,
                    (asked.voxel_size_um * 1e-6,) * dims,
                    tuple(names),
                    (asked.periodic,) * dims,
                    {"space_id": served.id, "z": point.tolist()},
                )
            except ValueError as error:
                raise Problem(422, str(error)) from None
            first = exporter.write(structure, Path(folder, f"structure_{row:04d}{exporter.suffix}"))
            for file in exported_files(first):
                archive.write(file, file.name)
    return packed.getvalue()

"""Structures of points as files of a simulator, packed into one."""

import io
import tempfile
import zipfile
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, Float64

from generative.model import Refining
from latentopt.export.exporters import EXPORTERS
from latentopt.export.sidecar import exported_files
from latentopt.microstructure import Microstructure, to_phases
from latentopt.serve.asked import ExportRequest, Refinement
from latentopt.serve.problems import Problem
from latentopt.serve.spaces import ServedSpace

__all__ = ["exported_zip", "refining_model"]


def refining_model(served: ServedSpace) -> Refining:
    """The model of a space, if it refines; a `Problem` (422) if not."""
    if not isinstance(served.space.model, Refining):
        raise Problem(422, "this space refines nothing; one of a latent diffusion does")
    return served.space.model


def exported_zip(served: ServedSpace, z: Float64[np.ndarray, "n d"], asked: ExportRequest) -> bytes:
    """A ZIP file of the structures of points, each with the sidecar that vouches for it.

    Raises
    ------
    Problem
        (422.) There is no such format, the names of phases do not fit, or the space does not
        refine.
    ExportError
        A structure cannot be written in the format.
    """
    if asked.format not in EXPORTERS:
        raise Problem(422, f"format: should be one of {', '.join(EXPORTERS)}")
    refinements = [None] * len(z) if asked.refine is None else asked.refine
    if len(refinements) != len(z):
        raise Problem(422, f"refine: should be one for each of {len(z)} points, or null")
    exporter, images = EXPORTERS[asked.format], served.space.decode(z)
    structures = to_phases(_refined(served, images, refinements))
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
            dims, how = phases.ndim, refinements[row]
            origin = {"space_id": served.id, "z": point.tolist()}
            if how is not None:  # so that nobody takes it for what z decodes to
                origin["refined"] = how.model_dump()
            try:
                structure = Microstructure(
                    phases,
                    (asked.voxel_size_um * 1e-6,) * dims,
                    tuple(names),
                    (asked.periodic,) * dims,
                    origin,
                )
            except ValueError as error:
                raise Problem(422, str(error)) from None
            first = exporter.write(structure, Path(folder, f"structure_{row:04d}{exporter.suffix}"))
            for file in exported_files(first):
                archive.write(file, file.name)
    return packed.getvalue()


def _refined(
    served: ServedSpace,
    images: Float[np.ndarray, "n c *space"],
    refinements: list[Refinement | None],
) -> Float[np.ndarray, "n c *space"]:
    """Images, refined where it is asked for: each by itself, as a request for it alone is."""
    found = images.copy()
    for row, how in enumerate(refinements):
        if how is not None:
            with torch.no_grad():
                image = torch.from_numpy(images[row : row + 1])
                refined = refining_model(served).refine(image, how.strength, seed=how.seed)
            found[row] = refined.float().numpy()[0]
    return found

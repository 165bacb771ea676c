"""Does a file still hold what its sidecar says?"""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from generative.data.check import Limits
from latentopt.errors import ExportError
from latentopt.export.exporters import EXPORTERS
from latentopt.export.reading import EXPORTED, check_promise, read_sidecar
from latentopt.export.sidecar import other_parts, sidecar_path
from latentopt.microstructure import voxel_sha256

if TYPE_CHECKING:
    from latentopt.run import Run


def verify(path: Path, run: "Run | None" = None, *, limits: Limits = EXPORTED) -> dict:
    """Read an exported file again and compare it with its sidecar, byte by byte and voxel by voxel.

    Parameters
    ----------
    path
        Data file, with ``<path>.json`` beside it; the first of pictures or surfaces.
    run
        The campaign that it should come from: its journal has to have the sidecar's trial, with
        the same z and voxels. Without, the sidecar is trusted.
    limits
        Largest sizes accepted.

    Returns
    -------
    The sidecar's content, once everything agrees.

    Raises
    ------
    ExportError
        If a file is missing or unreadable, a hash differs, or the sidecar is another file's.
    """
    path = Path(path)
    record = read_sidecar(path)
    if record["file"] != path.name:
        raise ExportError(
            f"{sidecar_path(path)} describes {record['file']!r}, not {path.name}: one of them was "
            "renamed or copied. Give both their names back, or export again."
        )
    parts = {path.name: str(record["file_sha256"]), **other_parts(record)}
    for name, sha256 in parts.items():
        _check_file(path.with_name(name), sha256)
    if not isinstance(record["format"], str) or record["format"] not in EXPORTERS:
        raise ExportError(
            f"{sidecar_path(path)} should name a format of {', '.join(EXPORTERS)}, "
            f"got {record['format']!r}. Use the version of latentopt that wrote it."
        )
    try:
        held = sum(path.with_name(name).stat().st_size for name in parts)
        shape = check_promise(record["shape"], path, limits, held=held)
        voxels = EXPORTERS[record["format"]].read(path, limits=limits).reshape(shape)
    except Exception as error:  # decoders raise all kinds on damaged bytes
        reason = " ".join(str(error).split()).removeprefix(f"{path}: ") or type(error).__name__
        raise ExportError(
            f"{path} cannot be read as {record['format']}: {reason.removesuffix('.')}."
        ) from error
    if voxel_sha256(voxels.astype(np.uint8)) != record["voxel_sha256"]:
        raise ExportError(f"{path} holds other voxels than its sidecar says. Export it again.")
    if run is not None:
        _check_trial(path, record, run)
    return record


def _check_trial(path: Path, record: Mapping[str, Any], run: "Run") -> None:
    """Refuse a file whose sidecar names another z, or other voxels, than the journal has."""
    index = (record.get("provenance") or {}).get("trial")
    trial = next((trial for trial in run.trials if trial.index == index), None)
    if trial is None:
        raise ExportError(
            f"{path} is of trial {index!r}, which {run.folder} does not have. Give the folder of "
            "the campaign that it was exported from."
        )
    digest = trial.voxel_sha256
    if digest is None:  # written by an older version: the file of the structure has to do
        digest = voxel_sha256(run.structure(trial))
    if record.get("z") != trial.z.tolist() or record["voxel_sha256"] != digest:
        raise ExportError(
            f"{path} is not the structure of trial {index}, as its sidecar says: the journal of "
            f"{run.folder} has another z or other voxels. Export it again."
        )


def _check_file(path: Path, sha256: str) -> None:
    try:
        with path.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise ExportError(f"cannot read {path}: {error.strerror}. Export it again.") from error
    if found != sha256:
        raise ExportError(f"{path} is not the file its sidecar describes. Export it again.")

"""The folder of one simulation: the structure, and the task that says what is wanted of it."""

import errno
import json
import os
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from latentopt.export.exporters import EXPORTERS
from latentopt.files import replacing
from latentopt.microstructure import Microstructure

__all__ = ["RESULT", "SCHEMA", "TASK", "write_task"]

SCHEMA = "latentopt.task/1"
TASK, RESULT = "task.json", "result.json"


def write_task(
    folder: Path, microstructure: Microstructure, format: str, metrics: Iterable[str]
) -> Path:
    """Make the folder of a simulation anew: ``structure.<suffix>``, its sidecar and ``task.json``.

    Parameters
    ----------
    folder
        Emptied first, if it is that of an earlier run, whose answer is not to be taken for this.
    microstructure
        Structure to simulate.
    format
        A row of `EXPORTERS`.
    metrics
        Names of the values wanted.

    Returns
    -------
    The file of the structure; the first where a format takes several.

    Raises
    ------
    OSError, ExportError
        The disk refuses; or the folder holds files, and not those of a simulation.
    """
    _make_empty(folder)
    exporter = EXPORTERS[format]
    structure = folder / f"structure{exporter.suffix}"
    task = task_of(microstructure, structure.name, format, metrics)
    _write(task, folder)  # first: it marks the folder as one of ours
    written = exporter.write(microstructure, structure)
    if written != structure:  # the first of several files
        _write(task | {"structure": written.name}, folder)
    return written


def _write(task: dict[str, Any], folder: Path) -> None:
    with replacing(folder / TASK) as file:
        file.write(json.dumps(task, indent=2, allow_nan=False).encode() + b"\n")


def _make_empty(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    if not _is_ours(folder / TASK) and any(not _is_part(path) for path in folder.iterdir()):
        # Anyone may call a simulator with a folder: one of his own is not ours to empty.
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(folder))
    shutil.rmtree(folder)
    folder.mkdir()


def _is_ours(task: Path) -> bool:
    try:
        return json.loads(task.read_bytes()).get("schema") == SCHEMA
    except (OSError, ValueError, AttributeError, RecursionError):
        return False


def _is_part(path: Path) -> bool:
    return path.name.startswith(".") and path.name.endswith(".part")


def task_of(
    microstructure: Microstructure, structure: str, format: str, metrics: Iterable[str]
) -> dict[str, Any]:
    """Content of ``task.json``, schema ``latentopt.task/1``."""
    provenance, axes = microstructure.provenance, "zyx"[-microstructure.spatial_dims :]
    return {
        "schema": SCHEMA,
        "trial": provenance.get("trial"),
        "z": provenance.get("z"),
        "structure": structure,
        "format": format,
        "voxel_sha256": microstructure.sha256,
        "axes": axes,
        "shape": list(microstructure.phases.shape),
        "voxel_size": dict(zip(axes, microstructure.voxel_size_m, strict=True)),
        "voxel_size_unit": "m",
        "periodic": dict(zip(axes, microstructure.periodic, strict=True)),
        "phases": list(microstructure.phase_names),
        "metrics": list(metrics),
        "result": RESULT,
    }


def check_format(format: str) -> str:
    """The format if there is such an exporter, else a ``ValueError`` that names those there are."""
    if format not in EXPORTERS:
        raise ValueError(f"should be one of {', '.join(EXPORTERS)}, got {format!r}")
    return format

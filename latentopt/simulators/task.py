"""The folder of one simulation: the structure, and the task that says what is wanted of it."""

import json
import shutil
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

from latentopt.disk import replacing
from latentopt.export.exporters import EXPORTERS
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
        Emptied first: what an earlier, interrupted run left there is not taken for an answer.
    microstructure
        Structure to simulate.
    format
        A row of `EXPORTERS`.
    metrics
        Names of the values wanted.

    Returns
    -------
    The file of the structure.

    Raises
    ------
    OSError, ExportError
        The disk refuses.
    """
    with suppress(FileNotFoundError):
        shutil.rmtree(folder)
    folder.mkdir(parents=True)
    exporter = EXPORTERS[format]
    structure = exporter.write(microstructure, folder / f"structure{exporter.suffix}")
    with replacing(folder / TASK) as file:
        task = task_of(microstructure, structure.name, format, metrics)
        file.write(json.dumps(task, indent=2, allow_nan=False).encode() + b"\n")
    return structure


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

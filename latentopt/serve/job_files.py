"""What a job holds: the task, and the files of its structure, read under names of ours."""

import base64
import binascii
import math
import re
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from jaxtyping import UInt8
from pydantic import BaseModel, Field

from latentopt.errors import ExportError
from latentopt.export.exporters import EXPORTERS
from latentopt.export.reading import EXPORTED, read_sidecar
from latentopt.export.sidecar import as_text, other_parts, sidecar_path
from latentopt.microstructure import voxel_sha256
from latentopt.printable import one_line
from latentopt.serve.problems import Problem

__all__ = ["BY_SIDECAR", "Submission", "Task", "phases_of"]

MOST_METRICS = 100
MOST_FILES = 1024  # a stack of pictures has one for each slice
# A picture has grey levels, a surface lengths: which phases and voxels they mean is in the sidecar.
BY_SIDECAR = ("png", "stl")
# What readers raise on files and sidecars of any kind.
_READING = (
    *(OSError, ValueError, RuntimeError, LookupError),
    *(TypeError, AttributeError, ArithmeticError),
)


class JobFile(BaseModel):
    """A file of a job's structure."""

    name: Annotated[str, Field(max_length=255)]
    base64: str


class Task(BaseModel):
    """What a job asks for, as ``task.json`` says it; other fields are left alone."""

    format: Annotated[str, Field(max_length=40)]
    structure: Annotated[str, Field(max_length=255)]
    voxel_sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
    axes: Annotated[str, Field(pattern="^(yx|zyx)$")]
    shape: Annotated[list[Annotated[int, Field(ge=1, le=4096)]], Field(min_length=2, max_length=3)]
    voxel_size: dict[str, Annotated[float, Field(gt=0, lt=1, allow_inf_nan=False)]]
    periodic: dict[str, bool]
    phases: Annotated[list[str], Field(min_length=1, max_length=255)]
    metrics: Annotated[list[Annotated[str, Field(max_length=200)]], Field(max_length=MOST_METRICS)]


class Submission(BaseModel):
    """A job as it is submitted."""

    task: Task
    files: Annotated[list[JobFile], Field(min_length=1, max_length=MOST_FILES)]


def phases_of(asked: Submission) -> UInt8[np.ndarray, "*space"]:
    """The voxels of a job, compared with the digest that the task has.

    Raises
    ------
    Problem, ExportError
        It is no such file, or not this structure; or its format needs a sidecar that is not there.
    """
    task, most = asked.task, math.prod(asked.task.shape)
    if task.format not in EXPORTERS:
        raise Problem(422, f"format should be one of {', '.join(EXPORTERS)}")
    with tempfile.TemporaryDirectory(prefix="latentopt-") as folder:
        path = _written(asked, Path(folder))
        try:
            limits = replace(EXPORTED, image_voxels=most)
            voxels = EXPORTERS[task.format].read(path, limits=limits)
        except _READING as error:
            reason = one_line(str(error).replace(folder, ""))
            raise Problem(422, f"the structure cannot be read as {task.format}: {reason}") from None
    if voxels.size != math.prod(task.shape) or voxels.max(initial=0) > 254 or voxels.min() < 0:
        raise Problem(422, f"the structure should have {task.shape} voxels of labels 0 to 254")
    phases = np.ascontiguousarray(voxels.reshape(task.shape), dtype=np.uint8)
    if voxel_sha256(phases) != task.voxel_sha256:
        raise Problem(422, "the voxels are not those of voxel_sha256; export them again")
    return phases


def _written(asked: Submission, folder: Path) -> Path:
    """The structure in a folder, under a name of ours, with its sidecar where it is read by it."""
    task = asked.task
    path = folder / f"structure{EXPORTERS[task.format].suffix}"
    path.write_bytes(_bytes_of(asked, task.structure))
    if task.format not in BY_SIDECAR:
        return path
    sidecar = sidecar_path(Path(task.structure)).name
    if all(one.name != sidecar for one in asked.files):
        others = ", ".join(name for name in EXPORTERS if name not in BY_SIDECAR)
        raise Problem(
            422,
            f"a job in {task.format} needs the sidecar among its files, by the name {sidecar!r}; "
            f"without one send {others}",
        )
    sidecar_path(path).write_bytes(_bytes_of(asked, sidecar))
    try:
        record = read_sidecar(path)
        parts = _renamed(record, path.suffix)
    except ExportError as error:
        raise Problem(422, one_line(str(error).replace(f"{folder}/", ""))) from None
    for name, ours in parts.items():
        (folder / ours).write_bytes(_bytes_of(asked, name))
    sidecar_path(path).write_bytes(as_text(record))
    return path


def _renamed(record: dict[str, Any], suffix: str) -> dict[str, str]:
    """Names of ours by the names of further parts, which the sidecar has from now on."""
    parts = {name: f"part_{k}{suffix}" for k, name in enumerate(other_parts(record))}
    for key in ("slices", "surfaces"):
        if key in record:
            record[key] = {parts[name]: sha256 for name, sha256 in record[key].items()}
    return parts


def _bytes_of(asked: Submission, name: str) -> bytes:
    """Content of a file of the job; a `Problem` if it is not there once."""
    held = [one for one in asked.files if one.name == name]
    if len(held) != 1 or not re.fullmatch(r"[\w.-]{1,255}", name):
        raise Problem(422, f"files should hold the structure once, by the name {name!r}")
    try:
        return base64.b64decode(held[0].base64, validate=True)
    except (binascii.Error, ValueError):
        raise Problem(422, f"the file {name!r} of the structure is not base64") from None

"""Exported files are read again as if a stranger had written them."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from generative.data.check import Limits, by
from generative.files.json_text import parse_json
from latentopt.errors import ExportError
from latentopt.export.sidecar import SCHEMA, record_sha256, sidecar_path

# zlib makes up to 1,032 bytes of one, which a structure of a single phase does.
EXPORTED = Limits(ratio=1100)

_NEEDED = (
    *("format", "file", "shape", "file_sha256", "voxel_sha256"),
    *("axes", "voxel_size", "periodic", "phases"),
)
_MOST_SIDECAR_BYTES = 2**24


def check_promise(
    shape: Sequence[int],
    path: Path,
    limits: Limits,
    *,
    bytes_a_voxel: int = 1,
    held: int | None = None,
) -> tuple[int, ...]:
    """The shape, if voxels of it are no more than ``limits`` allow for a file of this length.

    Parameters
    ----------
    shape
        Voxels along (z,) y, x.
    path
        The file.
    limits
        Largest sizes accepted.
    bytes_a_voxel
        What a voxel takes in memory while it is read.
    held
        Bytes of all files of the export, where they are several.

    Raises
    ------
    DataError
        If they are more.
    ValueError
        If it is no shape of two or three sizes above 0.
    """
    sizes = tuple(int(size) for size in shape)
    if len(sizes) not in (2, 3) or min(sizes) < 1:
        raise ValueError(f"its shape is {by(sizes)}")
    limits.check((1, 1, *sizes), str(path))
    limits.check_ratio(bytes_a_voxel * math.prod(sizes), path, held)
    return sizes


def read_sidecar(path: Path) -> dict[str, Any]:
    """Content of the sidecar of a data file.

    Raises
    ------
    ExportError
        If it is missing, no JSON, not of the schema that is written today, or changed since it
        was written: its ``record_sha256`` is of its content. Older ones have none.
    """
    sidecar = sidecar_path(path)
    try:
        if sidecar.stat().st_size > _MOST_SIDECAR_BYTES:
            raise ValueError("too large")
        record = parse_json(sidecar.read_bytes())
    except OSError as error:
        raise ExportError(f"cannot read {sidecar}: {error.strerror}. Export again.") from error
    except ValueError as error:
        raise ExportError(f"{sidecar} is not JSON: {error}. Export again.") from error
    record = record if isinstance(record, dict) else {}
    if record.get("schema") != SCHEMA:
        raise ExportError(
            f"{sidecar} should have schema {SCHEMA}, got {record.get('schema')!r}. "
            "Export again, or use the version of latentopt that wrote it."
        )
    missing = [key for key in _NEEDED if key not in record]
    if missing:
        raise ExportError(f"{sidecar} lacks {', '.join(missing)}. Export again.")
    if record.get("record_sha256", own := record_sha256(record)) != own:
        raise ExportError(
            f"{sidecar} was changed since it was written (its record_sha256 differs). Export again."
        )
    return record

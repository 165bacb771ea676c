"""The JSON file beside every export: what the voxels are, where they came from, how to check them.

Written as ``<file>.json``, so ``best.vti`` has ``best.vti.json``.
"""

import hashlib
import json
import platform
from collections.abc import Iterable, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from generative.files.json_text import parse_json
from latentopt.errors import ExportError, OutputError
from latentopt.export.whole_file import write_whole
from latentopt.microstructure import Microstructure
from latentopt.version import __version__

SCHEMA = "latentopt.export/1"
_ORIGIN = ("campaign", "created", "trial")  # which structure of which campaign


def sidecar_path(path: Path) -> Path:
    """The sidecar of a data file.

    >>> sidecar_path(Path("best.vti")).name
    'best.vti.json'
    """
    return path.with_name(path.name + ".json")


def other_parts(record: Mapping[str, Any]) -> dict[str, str]:
    """SHA-256 by name of the files beside the first, for formats that take several.

    Raises
    ------
    ExportError
        If a name leads out of the folder.
    """
    parts = {}
    for key in ("slices", "surfaces"):
        some = record.get(key, {})
        if not isinstance(some, dict) or not all(isinstance(sha, str) for sha in some.values()):
            raise ExportError(
                f"the sidecar of {record.get('file')} should map files to hashes in {key}. "
                "Export it again."
            )
        parts |= some
    for name in parts:
        if name in ("", ".", "..") or Path(name).name != name:
            raise ExportError(
                f"the sidecar of {record.get('file')} should name files beside it, got {name!r}. "
                "Export it again."
            )
    return parts


def exported_files(path: Path) -> list[Path]:
    """All files of an export: the one that `write` answered, its sidecar, and further parts."""
    record = parse_json(sidecar_path(path).read_bytes())
    return [path, sidecar_path(path), *(path.with_name(name) for name in other_parts(record))]


def check_replaced(
    files: Iterable[Path], kind: str, provenance: Mapping[str, object], *, overwrite: bool = False
) -> None:
    """Refuse to replace an export of another format, or of another campaign's or another trial.

    Parameters
    ----------
    files
        Data files that will be written, whose sidecars say what is there now.
    kind, provenance
        Format and origin of what will be written.
    overwrite
        Replace whatever is there.

    Raises
    ------
    OutputError
        Naming what is there.
    """
    new = {"format": kind} | {key: provenance.get(key) for key in _ORIGIN}
    for path in [] if overwrite else files:
        try:
            record = parse_json(sidecar_path(path).read_bytes())
            origin = record["provenance"] or {}
            old = {"format": record["format"]} | {key: origin.get(key) for key in _ORIGIN}
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            continue  # nothing of ours is there
        if path.is_file() and any(old[key] != new[key] for key in new):
            what = ", ".join(f"{key} {old[key]}" for key in new if old[key] != new[key])
            raise OutputError(
                f"{path}: is an export of another origin ({what}); choose another folder, or "
                "replace it with --overwrite (overwrite=True)."
            )


def write_several(first: Path, files: Mapping[Path, bytes], *, overwrite: bool = False) -> None:
    """Write all files of an export of several, or none, and remove parts of the one before it.

    What an earlier export of this name left and the new one does not replace, such as the slices
    of a longer stack, would be read along with it; it is removed unless somebody changed it.

    Parameters
    ----------
    first
        The file whose sidecar vouches for all.
    files
        Bytes of each, the sidecar among them.
    overwrite
        Replace files that are not ours, too.

    Raises
    ------
    ExportError
        If the files cannot be written; then nothing is removed.
    """
    stale = _unreplaced_parts(first, files)
    write_whole(files, overwrite=overwrite)
    for path in stale:
        with suppress(OSError):
            path.unlink()


def _unreplaced_parts(first: Path, files: Mapping[Path, bytes]) -> list[Path]:
    try:
        parts = other_parts(parse_json(sidecar_path(first).read_bytes()))
        left = {first.with_name(name): sha256 for name, sha256 in parts.items()}
        return [
            path
            for path, sha256 in left.items()
            if path not in files and hashlib.sha256(path.read_bytes()).hexdigest() == sha256
        ]
    except (OSError, ExportError, ValueError, KeyError, TypeError, AttributeError):
        return []  # no export of ours was here, or not all of it is


def write_with_sidecar(
    microstructure: Microstructure,
    path: Path,
    data: bytes,
    *,
    kind: str,
    suffix: str,
    beside: Mapping[Path, bytes] | None = None,
    overwrite: bool = False,
) -> Path:
    """Write a data file and its sidecar, both or neither.

    Parameters
    ----------
    microstructure
        The structure that `data` holds.
    path
        Data file; it ends in `suffix`, and its folder exists.
    data
        Content of the data file.
    kind
        Name of the format in `latentopt.export.EXPORTERS`.
    suffix
        Ending by which other programs know the format.
    beside
        Content of further files, written with the two. The sidecar does not vouch for them.
    overwrite
        Replace files that are not ours, too.

    Returns
    -------
    `path`.

    Raises
    ------
    ExportError
        If the ending is another, or the files cannot be written.
    OutputError
        A file that is not ours has one of the names, or an export of another origin.
    """
    path = checked_name(path, kind=kind, suffix=suffix)
    check_replaced([path], kind, microstructure.provenance, overwrite=overwrite)
    record = sidecar(microstructure, path.name, data, kind=kind)
    files = {path: data, sidecar_path(path): as_text(record), **(beside or {})}
    write_whole(files, overwrite=overwrite)
    return path


def checked_name(path: Path, *, kind: str, suffix: str) -> Path:
    """The path, if it ends as its format asks; else `ExportError` with a name that does."""
    path = Path(path)
    if path.suffix != suffix:
        raise ExportError(
            f"a {kind} file should end in {suffix}, got {path.name}. "
            f"Name it {path.stem}{suffix}, or choose another format."
        )
    return path


def record_sha256(record: Mapping[str, object]) -> str:
    """Hash of a sidecar's content without ``record_sha256``, whatever its layout and order.

    It is the SHA-256 of the content as JSON with sorted keys, in ASCII and without spaces.
    """
    content = {key: value for key, value in record.items() if key != "record_sha256"}
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode("ascii")).hexdigest()


def as_text(record: Mapping[str, object]) -> bytes:
    """A sidecar's content, with its own hash, as the bytes of its file."""
    record = {**record, "record_sha256": record_sha256(record)}
    text = json.dumps(record, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    return text.encode("utf-8", "backslashreplace")  # half a surrogate pair, as JSON escapes it


def sidecar(microstructure: Microstructure, file: str, data: bytes, *, kind: str) -> dict:
    """Content of the sidecar, schema ``latentopt.export/1``.

    ``file_sha256`` is of the data file; ``voxel_sha256`` is `Microstructure.sha256`, the same in
    every format. ``space_id``, ``z``, ``seed`` come from the provenance, null where not known.
    """
    axes = "zyx"[-microstructure.spatial_dims :]
    provenance = dict(microstructure.provenance)
    fractions = microstructure.phase_fractions
    return {
        "schema": SCHEMA,
        "format": kind,
        "file": file,
        "file_sha256": hashlib.sha256(data).hexdigest(),
        "voxel_sha256": microstructure.sha256,
        "axes": axes,
        "shape": list(microstructure.phases.shape),
        "index_order": "C: x runs fastest",
        "voxel_size": dict(zip(axes, microstructure.voxel_size_m, strict=True)),
        "voxel_size_unit": "m",
        "periodic": dict(zip(axes, microstructure.periodic, strict=True)),
        "phases": {
            str(label): {"name": name, "fraction": fractions[name]}
            for label, name in enumerate(microstructure.phase_names)
        },
        **{name: provenance.pop(name, None) for name in ("space_id", "z", "seed")},
        "provenance": provenance,
        "versions": {
            "latentopt": __version__,
            "python": platform.python_version(),
            "numpy": np.__version__,
        },
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
    }

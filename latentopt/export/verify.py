"""Does a file still hold what its sidecar says?"""

import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np

from generative.data.check import Limits
from generative.files.own_files import sha256_of
from latentopt.errors import CampaignError, ExportError
from latentopt.export.damask_skeletons import SKELETONS
from latentopt.export.exporters import EXPORTERS
from latentopt.export.held import held_in
from latentopt.export.reading import EXPORTED, check_promise, read_sidecar
from latentopt.export.sidecar import other_parts, sidecar_path
from latentopt.microstructure import voxel_sha256
from latentopt.settings.campaign import CampaignConfig

# DREAM.3D has lengths of 32 bits, TIFF ratios of such numbers.
_SAME_LENGTH = 1e-6


@runtime_checkable
class CampaignRead(Protocol):
    """What exports are compared with, of a campaign that was read: a `latentopt.runs.run.Run`."""

    @property
    def folder(self) -> Path:
        """The campaign's folder."""
        ...

    @property
    def config(self) -> CampaignConfig:
        """Its settings."""
        ...

    @property
    def trials(self) -> Sequence[Any]:
        """Its trials, each with ``index``, ``z`` and ``voxel_sha256``."""
        ...

    def structure(self, trial: Any) -> np.ndarray:
        """Phases of a trial's structure."""
        ...


def verify(path: Path, run: CampaignRead | None = None, *, limits: Limits = EXPORTED) -> dict:
    """Read an exported file again and compare it with its sidecar, byte by byte and voxel by voxel.

    Parameters
    ----------
    path
        Data file, with ``<path>.json`` beside it; the first of pictures or surfaces.
    run
        The campaign that it should come from: its journal has to have the sidecar's trial, with
        the same z, voxels, voxel size and periodicity. Without, the sidecar is trusted with what
        the file does not say itself.
    limits
        Largest sizes accepted.

    Returns
    -------
    The sidecar's content, once everything agrees.

    Raises
    ------
    ExportError
        If a file is missing or unreadable, a hash differs, or the sidecar is another file's, was
        changed, or says another voxel size, periodicity or phase fraction than the file.
    """
    path = Path(path)
    if not path.is_file():
        raise ExportError(f"{path}: no such file. Check the name, or export it again.")
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
        held = held_in(path, record["format"], len(shape))
    except Exception as error:  # decoders raise all kinds on damaged bytes
        reason = " ".join(str(error).split()).removeprefix(f"{path}: ") or type(error).__name__
        raise ExportError(
            f"{path} cannot be read as {record['format']}: {reason.removesuffix('.')}."
        ) from error
    if voxel_sha256(voxels.astype(np.uint8)) != record["voxel_sha256"]:
        raise ExportError(f"{path} holds other voxels than its sidecar says. Export it again.")
    _check_phases(path, record, voxels)
    _check_grid(path, record, held.voxel_size_m, held.periodic, "the file itself")
    if run is not None:
        _check_trial(path, record, run)
    return record


def verify_all(
    files: Iterable[Path], run: CampaignRead | None = None, *, limits: Limits = EXPORTED
) -> Iterator[tuple[Path, str, bool]]:
    """What `verify` finds of each file, in one line, whatever it finds of the others.

    A further part of an export, such as the second surface, is verified with the first, whose
    sidecar lists it; so is a sidecar itself. Skeletons that their user completes (``material.yaml``
    and ``load.yaml`` of DAMASK, ``.i`` of MOOSE) are named, and not compared with anything.

    Yields
    ------
    The file, what is to be said of it, and whether it is as it was exported.
    """
    answers: dict[Path, tuple[str, bool]] = {}
    owners: dict[Path, dict[str, str]] = {}
    for file in map(Path, files):
        first = _first_of(file, owners)
        if first is None:
            yield file, f"{file}: a skeleton for its user to complete; not compared", True
            continue
        new = first not in answers
        if new:
            answers[first] = _answer(first, run, limits)
        said, good = answers[first]
        if file == first:
            yield file, said, good
        elif good:
            yield file, f"{file}: part of {first}, as when it was exported", True
        else:
            # Said in full once, also where the first file is not among those that were asked for.
            why = f": {said}" if new else " as it was exported."
            yield file, f"{file} is part of {first}, which is not{why}", False


def _answer(first: Path, run: CampaignRead | None, limits: Limits) -> tuple[str, bool]:
    try:
        record = verify(first, run, limits=limits)
    except (ExportError, CampaignError) as error:
        return str(error), False
    size = "x".join(map(str, record["shape"]))
    return f"{first}: {record['format']}, {size} voxels as when it was exported", True


def _first_of(file: Path, owners: dict[Path, dict[str, str]]) -> Path | None:
    """The file whose sidecar vouches for this one; None for a skeleton that nothing vouches for."""
    if sidecar_path(file).exists() or not file.is_file():
        return file
    if file.suffix == ".json" and (data := file.with_suffix("")).suffix:
        return data  # a sidecar stands for its file
    if file.parent not in owners:
        owners[file.parent] = _parts_in(file.parent)
    listed = owners[file.parent]
    if file.name in listed:
        return file.with_name(listed[file.name])
    if file.name in SKELETONS:
        of_what = r".*\.vti"
    else:
        of_what = rf"{re.escape(file.stem)}(_0+)?\.png" if file.suffix == ".i" else None
    skeleton = of_what is not None and any(re.fullmatch(of_what, name) for name in listed)
    return None if skeleton else file


def _parts_in(folder: Path) -> dict[str, str]:
    """The first file of each file in a folder that a sidecar there lists."""
    found: dict[str, str] = {}
    for sidecar in sorted(folder.glob("*.json")):
        first = sidecar.with_suffix("")
        with suppress(ExportError):
            record = read_sidecar(first)
            found |= dict.fromkeys((first.name, *other_parts(record)), first.name)
    return found


def _check_trial(path: Path, record: Mapping[str, Any], run: CampaignRead) -> None:
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
    dims = len(record["shape"])
    sizes = run.config.grid.edges_um(dims)
    whose = f"the journal of {run.folder}"
    _check_grid(path, record, tuple(s / 1e6 for s in sizes), (run.config.periodic,) * dims, whose)


def _check_grid(
    path: Path,
    record: Mapping[str, Any],
    voxel_size_m: tuple[float, ...] | None,
    periodic: tuple[bool, ...] | None,
    whose: str,
) -> None:
    """Refuse a sidecar with another voxel size or periodicity; None is not compared."""
    try:
        axes = record["axes"]
        size = tuple(float(record["voxel_size"][axis]) for axis in axes)
        repeats = tuple(bool(record["periodic"][axis]) for axis in axes)
        if not len(axes) == len(size) == len(record["shape"]):
            raise ValueError(f"axes {axes!r}")
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise ExportError(
            f"{sidecar_path(path)} should have axes, and voxel_size and periodic for each of them "
            f"({error}). Export it again."
        ) from error
    if voxel_size_m is not None and not (
        len(size) == len(voxel_size_m)
        and all(map(lambda a, b: math.isclose(a, b, rel_tol=_SAME_LENGTH), size, voxel_size_m))
    ):
        raise ExportError(
            f"{path}: its sidecar says a voxel of {_lengths(size)}, {whose} "
            f"{_lengths(voxel_size_m)}. Export it again."
        )
    if periodic is not None and repeats != periodic:
        raise ExportError(
            f"{path}: its sidecar says periodic {repeats}, {whose} {periodic} along {axes}. "
            "Export it again."
        )


def _check_phases(path: Path, record: Mapping[str, Any], voxels: np.ndarray) -> None:
    counts = np.bincount(voxels.ravel().astype(np.int64)) / voxels.size
    found = {str(label): share for label, share in enumerate(counts.tolist()) if share}
    phases = record["phases"] if isinstance(record["phases"], dict) else {}
    try:
        said = {label: float(phase["fraction"]) for label, phase in phases.items()}
    except (KeyError, TypeError, ValueError, OverflowError):
        said = {}
    for label in {**found, **said}:
        if not math.isclose(said.get(label, -1), found.get(label, 0), abs_tol=1e-9):
            raise ExportError(
                f"{sidecar_path(path)} has another fraction of phase {label[:20]} than the voxels "
                f"of {path.name}, which is {found.get(label, 0):g}. Export it again."
            )


def _lengths(edges: tuple[float, ...]) -> str:
    return f"{' x '.join(f'{edge:g}' for edge in edges)} m"


def _check_file(path: Path, sha256: str) -> None:
    try:
        found = sha256_of(path)
    except OSError as error:
        raise ExportError(f"cannot read {path}: {error.strerror}. Export it again.") from error
    if found != sha256:
        raise ExportError(f"{path} is not the file its sidecar describes. Export it again.")

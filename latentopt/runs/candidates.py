"""The decoded structure of each trial, one file a trial, whole or not there.

A file is a trial's if it holds the trial's z and the voxels whose digest the journal has. Whoever
reads a structure asks `read_structure`, which refuses any other file.
"""

import os
import re
import shlex
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

import numpy as np

from generative.data.formats.array_files import npz_shape, read_npz
from latentopt.errors import CampaignError
from latentopt.export.reading import EXPORTED, check_promise
from latentopt.files import replacing
from latentopt.microstructure import voxel_sha256
from latentopt.runs.trial import Trial

__all__ = [
    "candidate_path",
    "kept_trials",
    "point_of",
    "read_phases",
    "read_structure",
    "set_aside",
    "settle_waiting",
    "write_candidate",
]

_WAITING = ".import"  # ends the name of a structure until its trial is written down
_DIGITS = 8  # of a digest, in messages


def candidate_path(folder: Path, index: int) -> Path:
    """File of a trial's structure: NPZ with ``phases`` (uint8) and ``z`` (float64)."""
    return folder / "candidates" / f"{index:04d}.npz"


def write_candidate(
    folder: Path, index: int, phases: np.ndarray, z: np.ndarray, *, waiting: bool = False
) -> Path:
    """Write the structure of a trial under a temporary name, then put it in place.

    Parameters
    ----------
    folder
        The campaign's folder.
    index, phases, z
        The trial, its structure and its point.
    waiting
        The journal does not have the trial yet: until `settle_waiting` the file has another name.

    Raises
    ------
    CampaignError
        The disk is full or read-only; an older file of this trial is untouched.
    """
    path = candidate_path(folder, index)
    path = _waiting(path) if waiting else path
    try:
        with replacing(path, alone=True) as file:  # one process at a time: the journal has a lock
            np.savez_compressed(file, phases=phases, z=z)
    except OSError as error:
        raise CampaignError(
            f"{path}: cannot be written ({error.strerror}); make room or give a folder you may "
            "write to, and run the same command again: what the journal holds is kept."
        ) from None
    return path


def settle_waiting(folder: Path, trials: Iterable[Trial]) -> None:
    """Put waiting structures in place whose trials are written down by now; remove the others."""
    of_file = {_waiting(candidate_path(folder, trial.index)): trial for trial in trials}
    for path in sorted((folder / "candidates").glob(f"*.npz{_WAITING}")):
        trial = of_file.get(path)
        if trial is None or isinstance(_load(path, trial), str):
            path.unlink()
        else:
            os.replace(path, candidate_path(folder, trial.index))


def kept_trials(folder: Path) -> list[int]:
    """Indices of trials for which there is a file, whatever is in it."""
    try:
        names = os.listdir(folder / "candidates")
    except OSError:
        return []
    return sorted(int(name[:-4]) for name in names if re.fullmatch(r"\d{4,9}\.npz", name))


def set_aside(path: Path) -> Path:
    """Give a file that is not what its name says a new name beside it, which is returned."""
    number = 1
    while (other := path.with_name(f"{path.name}.other{number}")).exists():
        number += 1
    with suppress(FileNotFoundError):
        os.replace(path, other)
    return other


def point_of(folder: Path, index: int) -> bytes | None:
    """The z in the file of a trial, as the bytes of its float64 numbers; None if it has none."""
    found = _load(candidate_path(folder, index))
    return None if isinstance(found, str) else found[1].tobytes()


def read_phases(folder: Path, index: int) -> np.ndarray:
    """What is in the file of a trial, whosever structure it is; see `read_structure`.

    Raises
    ------
    CampaignError
        The file is missing or damaged.
    """
    path = candidate_path(folder, index)
    found = _load(path)
    if isinstance(found, str):
        raise CampaignError(f"{path}: {found}; {_remedy(folder, index)}")
    return found[0]


def read_structure(
    folder: Path,
    trial: Trial,
    *,
    phases: int | None = None,
    dims: int | None = None,
    shape: tuple[int, ...] | None = None,
) -> np.ndarray:
    """The structure of a trial, uint8; any file that is not its structure is refused.

    Parameters
    ----------
    folder
        The campaign's folder.
    trial
        Its z and digest are those of the file. Trials of older versions have no digest.
    phases, dims, shape
        Number of phases and of axes, and shape of the structure, as far as they are known.

    Raises
    ------
    CampaignError
        The file is missing, damaged, or not the structure of this trial.
    """
    path = candidate_path(folder, trial.index)
    found = _load(path if path.exists() else _waiting(path), trial)
    if not isinstance(found, str):
        found = _misfit(found[0], phases, dims, shape) or found
    if isinstance(found, str):
        raise CampaignError(f"{path}: {found}; {_remedy(folder, trial.index, trial.imported)}")
    return found[0]


def _load(path: Path, trial: Trial | None = None) -> "tuple[np.ndarray, np.ndarray] | str":
    """Phases and z of a file, or why they are not those of the trial."""
    if not path.exists():
        return "is missing"
    try:
        check_promise(npz_shape(path, "phases"), path, EXPORTED)
        phases, z = (read_npz(path, name, EXPORTED) for name in ("phases", "z"))
    except ValueError as error:
        reason = " ".join(str(error).split()).removeprefix(f"{path}: ")
        return f"is damaged ({reason.removesuffix('.')})"
    if phases.dtype != np.uint8 or phases.ndim not in (2, 3) or phases.size == 0:
        return f"is damaged (its phases are {phases.dtype} of shape {phases.shape})"
    if z.dtype != np.float64 or z.ndim != 1:
        return f"is damaged (its z is {z.dtype} of shape {z.shape})"
    if trial is None:
        return phases, z
    if not np.array_equal(z, trial.z):
        return f"is not the structure of trial {trial.index}: it holds another z"
    digest = voxel_sha256(phases)
    if trial.voxel_sha256 not in (None, digest):
        return (
            f"is not the structure of trial {trial.index}: its voxels have the digest "
            f"{digest[:_DIGITS]}..., those of the trial {trial.voxel_sha256[:_DIGITS]}..."
        )
    return phases, z


def _misfit(
    found: np.ndarray, phases: int | None, dims: int | None, shape: tuple[int, ...] | None
) -> str | None:
    """What of a structure cannot be so in its campaign; None if all can."""
    if shape is not None and found.shape != shape:
        return f"is damaged (it has shape {found.shape}, structures here have {shape})"
    if dims is not None and found.ndim != dims:
        return f"is damaged (it has {found.ndim} axes, structures here have {dims})"
    if phases is not None and found.max() >= phases:
        return f"is damaged (it has label {found.max()}, structures here have {phases} phases)"
    return None


def _remedy(folder: Path, index: int, imported: bool = False) -> str:
    if imported:
        return "import the measured data again, which puts it back, or restore it from a copy."
    return (
        f"decode z of trial {index}, which the journal holds, to have it again "
        f"(latentopt repair {shlex.quote(str(folder))})."
    )


def _waiting(path: Path) -> Path:
    return path.with_name(path.name + _WAITING)

"""The decoded structure of each trial, one file a trial, whole or not there."""

from pathlib import Path

import numpy as np

from latentopt.disk import replacing
from latentopt.errors import CampaignError


def candidate_path(folder: Path, index: int) -> Path:
    """File of a trial's structure: NPZ with ``phases`` (uint8) and ``z`` (float64)."""
    return folder / "candidates" / f"{index:04d}.npz"


def write_candidate(folder: Path, index: int, phases: np.ndarray, z: np.ndarray) -> Path:
    """Write the structure of a trial under a temporary name, then put it in place.

    Raises
    ------
    CampaignError
        The disk is full or read-only; an older file of this trial is untouched.
    """
    path = candidate_path(folder, index)
    try:
        with replacing(path, alone=True) as file:  # one process at a time: the journal has a lock
            np.savez_compressed(file, phases=phases, z=z)
    except OSError as error:
        raise CampaignError(
            f"{path}: cannot be written ({error.strerror}); make room or give a folder you may "
            "write to, and run the same command again: what the journal holds is kept."
        ) from None
    return path


def drop_candidates(folder: Path, first: int) -> None:
    """Remove the structures of trials from `first` on: they belong to none yet."""
    index = first
    while (path := candidate_path(folder, index)).exists():
        path.unlink()
        index += 1


def read_phases(folder: Path, index: int) -> np.ndarray:
    """Phases of a trial's structure.

    Raises
    ------
    CampaignError
        The file is missing or damaged.
    """
    path = candidate_path(folder, index)
    try:
        with np.load(path, allow_pickle=False) as file:
            return file["phases"]
    except FileNotFoundError:
        reason = "is missing"
    except Exception as error:  # a damaged zip raises one of a dozen kinds
        reason = f"is damaged ({error})"
    raise CampaignError(
        f"{path}: {reason}; decode z of trial {index}, which the journal holds, to have it again."
    )

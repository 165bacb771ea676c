"""A campaign's folder put in order: its journal accepted as it is, its structures made again."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from latentopt.campaign.kept_structures import space_of
from latentopt.errors import CampaignError, EvaluationError, ModelFileError
from latentopt.evaluation.evaluation import Evaluation
from latentopt.microstructure import voxel_sha256
from latentopt.runs.candidates import (
    candidate_path,
    set_aside,
    settle_waiting,
    write_candidate,
)
from latentopt.runs.journal import Journal, read_events
from latentopt.runs.journal_check import look
from latentopt.runs.run import Run, Trial
from latentopt.space.latent_space import LatentSpace

__all__ = ["Repaired", "repair"]


@dataclass(frozen=True)
class Repaired:
    """What was done to a folder.

    Parameters
    ----------
    given_up
        What the journal lacked and was given up, in a line; None if nothing.
    torn_bytes
        Bytes that were moved from its end to ``journal.torn``.
    decoded
        Trials whose structures were made again from their points.
    lost
        A line for each structure that cannot be made again.
    """

    given_up: str | None
    torn_bytes: int
    decoded: tuple[int, ...]
    lost: tuple[str, ...]


def repair(
    folder: Path | str,
    *,
    space: LatentSpace | None = None,
    accept_shorter_past: bool = False,
) -> Repaired:
    """Put a campaign's folder in order, as far as that can be done without guessing.

    A torn last line is moved to ``journal.torn``. A structure that is missing, or is not that of
    its trial, is decoded again from the z in the journal, and written if it has the digest that
    the journal has; the file that was there keeps a name of its own.

    Parameters
    ----------
    folder
        The campaign's folder, which no process may be running.
    space
        The space it began in, where it was given in Python.
    accept_shorter_past
        Go on from the lines that the journal has, although others are missing or damaged. What
        follows them goes to ``journal.torn``; evaluations that are given up are run again.

    Raises
    ------
    CampaignError
        There is no campaign, it is running, or its journal lacks lines and that was not accepted.
    """
    folder = Path(folder)
    problem = look(folder).problem
    if problem is None:
        read_events(folder)  # says so where there is no campaign
    with Journal(folder, accept_shorter_past=accept_shorter_past) as journal:
        decoded, lost = (), ()
        if journal.events:
            run = Run.of_events(folder, journal.events)
            settle_waiting(folder, run.trials)
            decoded, lost = _make_again(run, _wrong(run), space)
        return Repaired(problem, journal.repaired_bytes, decoded, lost)


def _wrong(run: Run) -> list[Trial]:
    """Trials whose structure is missing, or another's."""
    wrong = []
    for trial in run.trials:
        there = candidate_path(run.folder, trial.index).exists()
        if there or trial.voxel_sha256 is not None or trial.status in ("completed", "pending"):
            try:
                run.structure(trial)
            except CampaignError:
                wrong.append(trial)
    return wrong


def _make_again(
    run: Run, trials: Iterable[Trial], space: LatentSpace | None
) -> tuple[tuple[int, ...], tuple[str, ...]]:
    """Decode and write the structures of these trials; those written, and lines on the others."""
    spaces: dict[str, LatentSpace] = {} if space is None else {space.id: space}
    decoded, lost = [], []
    for trial in trials:
        path = candidate_path(run.folder, trial.index)
        try:
            phases = _decode(run, trial, spaces)
        except (CampaignError, EvaluationError, ModelFileError, OSError) as error:
            lost.append(f"{path}: cannot be made again: {error}")
            continue
        if path.exists():
            set_aside(path)
        write_candidate(run.folder, trial.index, phases, trial.z)
        decoded.append(trial.index)
    return tuple(decoded), tuple(lost)


def _decode(run: Run, trial: Trial, spaces: dict[str, LatentSpace]) -> np.ndarray:
    """What the trial's z decodes to in the space of the trial, if that is what it was."""
    if trial.imported:
        raise CampaignError(
            "it was measured and not decoded. Import the measured data again, or restore it from "
            "a copy."
        )
    wanted = trial.space_id or run.space_id
    if wanted not in spaces:
        spaces[wanted] = space_of(run, wanted)
    phases = Evaluation(spaces[wanted], ()).phases(trial.z)
    if trial.voxel_sha256 not in (None, voxel_sha256(phases)):
        raise CampaignError(
            "its z decodes to other voxels here than it did when it was evaluated, as it may with "
            "another version of torch or on another machine. Repair the folder there, or restore "
            "the file from a copy."
        )
    return phases

"""Structures measured before a campaign, as trials that it need not pay for.

Each is given the point whose decoded structure comes nearest to it (`latentopt.space.inversion`).
What is kept as its candidate is the structure that was measured, not the decoded one.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from latentopt.errors import CampaignError, DataError
from latentopt.evaluation.evaluation import Evaluation
from latentopt.history import parted
from latentopt.microstructure import to_phases, voxel_sha256
from latentopt.runs.candidates import candidate_path, set_aside, settle_waiting, write_candidate
from latentopt.runs.run import IMPORTED, Run, Trial
from latentopt.space.arguments import AnyArray, checked_images
from latentopt.space.inversion import InversionConfig, describe_misfits, invert
from latentopt.wording import nearest

__all__ = ["TOLERANCE", "ImportPlan", "Imported", "plan_import", "write_down"]

TOLERANCE = 0.15  # share of voxels; unrelated structures with equal phases differ in half of them


@dataclass(frozen=True, eq=False)
class Imported:
    """What became of the rows of an import.

    Parameters
    ----------
    trials
        Index of each new trial.
    known
        A line for each row that was left out because the campaign has its structure already.
    too_far
        A line for each row that was left out because no point decodes to anything near it.
    misfit
        Share of the voxels in which each new trial's decoded structure differs from its own.
    """

    trials: tuple[int, ...]
    known: tuple[str, ...]
    too_far: tuple[str, ...]
    misfit: tuple[float, ...]


@dataclass(frozen=True, eq=False)
class ImportPlan:
    """Points to be written down, the structure of each, and what to tell of it.

    `lost` holds structures, by trial, that the campaign knew and whose files are not there or not
    theirs any more: they can be put back.
    """

    points: tuple[Mapping[str, Any], ...]
    structures: tuple[np.ndarray, ...]
    lost: Mapping[int, np.ndarray]
    imported: Imported


def plan_import(
    run: Run,
    evaluation: Evaluation,
    images: AnyArray,
    metrics: Mapping[str, Any],
    *,
    names: Sequence[str] | None = None,
    tolerance: float = TOLERANCE,
    inversion: InversionConfig | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> ImportPlan:
    """The trials that `Campaign.import_data` will add; nothing is written yet.

    Parameters
    ----------
    run
        The campaign so far: its goal, and the structures that it has already.
    evaluation
        In the space that is searched.
    images
        Structures ``(n, c, *space)`` in [0, 1], of the space's size.
    metrics
        Measured values ``(n,)`` by name, those that the goal needs among them. In place of values
        there may be a tuple of values and standard errors, nan where one is not known.
    names
        What to call each row in a message.
    tolerance
        Rows whose nearest decoded structure differs in a larger share of the voxels are left out.
    inversion
        How points are fitted.
    progress
        Called with the rows fitted and all rows.

    Raises
    ------
    ValueError
        For images of another shape or not in [0, 1].
    DataError
        (A ``ValueError``.) A metric is missing, not finite or one that the campaign computes
        itself, a standard error is negative or infinite, or two rows give one structure different
        values.
    """
    images = checked_images(images, evaluation.space.image_shape)
    names = [f"row {row}" for row in range(len(images))] if names is None else list(names)
    values, errors = parted(metrics, {})
    columns = _checked_metrics(run, evaluation, values, names)
    sems = {name: _checked_sem(name, column, names) for name, column in errors.items()}
    phases = np.asarray(to_phases(images))
    rows, lost, known = _new_rows(phases, columns, names, _structures(run))
    found = invert(evaluation.space, images[rows], inversion, progress=progress)
    near = [i for i, share in enumerate(found.voxels_after.tolist()) if share <= tolerance]
    points = []
    for index, i in enumerate(near, start=len(run.trials)):
        z = found.z[i].cpu().numpy()
        measured = {name: float(column[rows[i]]) for name, column in columns.items()}
        values = {**evaluation.latent_metrics(z), **measured}
        digest = voxel_sha256(phases[rows[i]])
        point = {"index": index, "z": z.tolist(), "metrics": values, "voxel_sha256": digest}
        sem = {name: float(column[rows[i]]) for name, column in sems.items()}
        sem = {name: error for name, error in sem.items() if not np.isnan(error)}
        points.append({**point, "sem": sem} if sem else point)
    imported = Imported(
        trials=tuple(range(len(run.trials), len(run.trials) + len(near))),
        known=tuple(known),
        too_far=tuple(describe_misfits(found, tolerance, [names[row] for row in rows])),
        misfit=tuple(found.voxels_after[near].tolist()),
    )
    return ImportPlan(tuple(points), tuple(phases[rows[i]] for i in near), lost, imported)


def write_down(
    plan: ImportPlan,
    folder: Path,
    trials: Mapping[int, Trial],
    space_id: str,
    record: Callable[[dict[str, Any]], Any],
) -> None:
    """Write the trials of a plan to the journal, and their structures to ``candidates/``.

    The structures are on the disk before the line of the journal, under names of their own: a kill
    in between leaves files of no trial, which the next opening removes, and one after the line
    leaves files that it puts in place.

    Raises
    ------
    CampaignError
        The disk is full or read-only; nothing is imported.
    """
    for index, structure in plan.lost.items():
        path = candidate_path(folder, index)
        if path.exists():
            set_aside(path)
        write_candidate(folder, index, structure, trials[index].z)
    if not plan.points:
        return
    try:
        for point, structure in zip(plan.points, plan.structures, strict=True):
            z = np.array(point["z"])
            write_candidate(folder, point["index"], structure, z, waiting=True)
        event = {"kind": "ask", "strategy": IMPORTED, "trials": list(plan.points)}
        record({**event, "space_id": space_id})
    except CampaignError:  # nothing was written
        settle_waiting(folder, trials.values())
        raise
    settle_waiting(folder, trials.values())


def _checked_metrics(
    run: Run, evaluation: Evaluation, metrics: Mapping[str, Any], names: Sequence[str]
) -> dict[str, np.ndarray]:
    """Columns of finite numbers, those that the goal needs among them."""
    columns = {}
    for name, values in metrics.items():
        column = np.asarray(values, dtype=np.float64)
        if column.shape != (len(names),):
            raise DataError(
                f"metric {name} should hold one value for each of {len(names)} images, got shape "
                f"{column.shape}."
            )
        if not np.isfinite(column).all():
            row = int(np.flatnonzero(~np.isfinite(column))[0])
            raise DataError(
                f"{names[row]}: {name} is {column[row]}, expected a finite number; complete the "
                "row or leave it out."
            )
        columns[name] = column
    computed = evaluation.latent_metrics(np.zeros(evaluation.space.latent_dim))
    for name in computed.keys() & columns.keys():
        raise DataError(f"metric {name} is computed for every trial; leave that column out.")
    for name in run.config.goal.metrics:
        if name not in columns and name not in computed:
            raise DataError(
                f"metric {name}, which the goal needs, was not given; {nearest(name, columns)}"
            )
    return columns


def _checked_sem(name: str, given: Any, names: Sequence[str]) -> np.ndarray:
    """A column of standard errors, 0 or more; nan where one is not known."""
    column = np.asarray(given, dtype=np.float64)
    if column.shape != (len(names),):
        raise DataError(
            f"metric {name} should have one standard error for each of {len(names)} images, got "
            f"shape {column.shape}."
        )
    wrong = np.flatnonzero((column < 0) | np.isinf(column))
    if len(wrong):
        raise DataError(
            f"{names[wrong[0]]}: the standard error of {name} is {column[wrong[0]]}, expected 0 or "
            "more; correct the row or leave it out."
        )
    return column


def _structures(run: Run) -> dict[str, tuple[int, bool]]:
    """Trial of each structure that the campaign has, and if its file is there, by its digest."""
    found = {}
    for trial in run.trials:
        digest, there = trial.voxel_sha256, True
        try:
            digest = voxel_sha256(run.structure(trial))
        except CampaignError:  # a file that is missing, damaged or another's
            there = False
        if digest is not None:
            found[digest] = trial.index, there
    return found


def _new_rows(
    phases: np.ndarray,
    columns: Mapping[str, np.ndarray],
    names: Sequence[str],
    known: Mapping[str, tuple[int, bool]],
) -> tuple[list[int], dict[int, np.ndarray], list[str]]:
    """Rows whose structure is new, structures that were lost, a line for each row left out."""
    rows, lost, lines, row_of = [], {}, [], {}
    for row, structure in enumerate(phases):
        digest = voxel_sha256(structure)
        if digest in known:
            trial, there = known[digest]
            if not there:
                lost[trial] = structure
            again = "" if there else "; its file is put back"
            lines.append(f"{names[row]}: is the structure of trial {trial} already{again}")
        elif digest in row_of:
            first = row_of[digest]
            for name, column in columns.items():
                if column[first] != column[row]:
                    raise DataError(
                        f"{names[row]}: shows the same structure as {names[first]}, with another "
                        f"{name} ({column[row]:g} and {column[first]:g}); keep one, or their mean."
                    )
            lines.append(f"{names[row]}: shows the same structure as {names[first]}")
        else:
            row_of[digest] = row
            rows.append(row)
    return rows, lost, lines

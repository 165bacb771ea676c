"""Structures measured before a campaign, as trials that it need not pay for.

Each is given the point whose decoded structure comes nearest to it (`latentopt.inversion`). What is
kept as its candidate is the structure that was measured, not the decoded one.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from latentopt.candidate_files import drop_candidates, read_phases, write_candidate
from latentopt.errors import CampaignError, DataError
from latentopt.expressions import nearest
from latentopt.inversion import InversionConfig, describe_misfits, invert
from latentopt.microstructure import to_phases, voxel_sha256
from latentopt.space_arguments import Array, checked_images

if TYPE_CHECKING:
    from latentopt.campaign import Campaign
    from latentopt.run import Run

__all__ = ["TOLERANCE", "ImportPlan", "Imported", "candidates_kept", "plan_import"]

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
    """Points to be written down, the structure of each, and what to tell of it."""

    points: tuple[Mapping[str, Any], ...]
    structures: tuple[np.ndarray, ...]
    imported: Imported


def plan_import(
    campaign: "Campaign",
    images: Array,
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
    campaign
        Knows the space, the goal and the structures it has already.
    images
        Structures ``(n, c, *space)`` in [0, 1], of the space's size.
    metrics
        Measured values ``(n,)`` by name, those that the goal needs among them.
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
        itself, or two rows give one structure different values.
    """
    images = checked_images(images, campaign.space.image_shape)
    names = [f"row {row}" for row in range(len(images))] if names is None else list(names)
    columns = _checked_metrics(campaign, metrics, names)
    phases = np.asarray(to_phases(images))
    run = campaign.result
    rows, known = _new_rows(phases, columns, names, _structures(run))
    found = invert(campaign.space, images[rows], inversion, progress=progress)
    near = [i for i, share in enumerate(found.voxels_after.tolist()) if share <= tolerance]
    points = []
    for index, i in enumerate(near, start=len(run.trials)):
        z = found.z[i].cpu().numpy()
        measured = {name: float(column[rows[i]]) for name, column in columns.items()}
        values = {**campaign.evaluation.latent_metrics(z), **measured}
        points.append({"index": index, "z": z.tolist(), "metrics": values})
    imported = Imported(
        trials=tuple(point["index"] for point in points),
        known=tuple(known),
        too_far=tuple(describe_misfits(found, tolerance, [names[row] for row in rows])),
        misfit=tuple(found.voxels_after[near].tolist()),
    )
    return ImportPlan(tuple(points), tuple(phases[rows[i]] for i in near), imported)


@contextmanager
def candidates_kept(folder: Path, plan: ImportPlan) -> Iterator[None]:
    """The structures are in ``candidates/`` while they are written down, and stay if they were.

    A kill in between leaves files of no trial, which `drop_candidates` removes at the next opening.
    """
    try:
        for point, structure in zip(plan.points, plan.structures, strict=True):
            write_candidate(folder, point["index"], structure, np.array(point["z"]))
        yield
    except CampaignError:
        drop_candidates(folder, plan.points[0]["index"])
        raise


def _checked_metrics(
    campaign: "Campaign", metrics: Mapping[str, Any], names: Sequence[str]
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
    computed = campaign.evaluation.latent_metrics(np.zeros(campaign.space.latent_dim))
    for name in computed.keys() & columns.keys():
        raise DataError(f"metric {name} is computed for every trial; leave that column out.")
    for name in campaign.config.goal.metrics:
        if name not in columns and name not in computed:
            raise DataError(
                f"metric {name}, which the goal needs, was not given; {nearest(name, columns)}"
            )
    return columns


def _structures(run: "Run") -> dict[str, int]:
    """Trial of each structure that the campaign has, by the hash of its voxels."""
    found = {}
    for trial in run.trials:
        with suppress(CampaignError):  # a file that is missing or damaged
            found[voxel_sha256(read_phases(run.folder, trial.index))] = trial.index
    return found


def _new_rows(
    phases: np.ndarray,
    columns: Mapping[str, np.ndarray],
    names: Sequence[str],
    known: Mapping[str, int],
) -> tuple[list[int], list[str]]:
    """Rows whose structure is new, and a line for each other one."""
    rows, lines, row_of = [], [], {}
    for row, structure in enumerate(phases):
        digest = voxel_sha256(np.ascontiguousarray(structure))
        if digest in known:
            lines.append(f"{names[row]}: is the structure of trial {known[digest]} already")
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
    return rows, lines

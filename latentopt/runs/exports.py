"""The structures of a campaign's trials, as files for a simulator."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from generative.files.json_text import parse_json
from generative.files.own_files import check_outputs
from latentopt.export.exporters import EXPORTERS
from latentopt.export.sidecar import SCHEMA, check_replaced, sidecar_path
from latentopt.export.whole_file import make_folder
from latentopt.runs.run import Run


def export_candidates(
    run: Run, trials: Iterable[int], format: str, folder: Path, *, overwrite: bool = False
) -> list[Path]:
    """Write the structures of some trials in one format.

    Parameters
    ----------
    run
        A campaign, running or finished.
    trials
        Their indices.
    format
        A row of `EXPORTERS`.
    folder
        Made if need be. An earlier export of the same trial and format is replaced, another file
        is not.
    overwrite
        Replace files that are not ours, too.

    Returns
    -------
    The data files, ``trial_0012.vti`` and so on, each with its JSON sidecar beside it; the first
    where a format takes several.

    Raises
    ------
    OutputError
        A file that is not ours has one of the names, or an export in another format or of another
        campaign.
    ExportError
        If the folder or a file cannot be written; the files before it stay.
    CampaignError
        If there is no such trial, or its structure is missing.
    """
    exporter, trials = EXPORTERS[format], list(trials)
    files = [folder / f"trial_{index:04d}{exporter.suffix}" for index in trials]
    # Formats of several files have other names, which only their structures tell.
    check_outputs((f for file in files for f in (file, sidecar_path(file))), overwrite=overwrite)
    for index, file in zip(trials, files, strict=True):
        origin = {**run.provenance, "campaign": run.config.name, "trial": index}
        check_replaced([file], format, origin, overwrite=overwrite)
    make_folder(folder)
    return [
        exporter.write(run.candidate(index).microstructure, file, overwrite=overwrite)
        for index, file in zip(trials, files, strict=True)
    ]


@dataclass(frozen=True)
class Export:
    """A file that holds the structure of a trial.

    Parameters
    ----------
    trial
        Index of the trial.
    format
        A row of `EXPORTERS`.
    path
        The data file; its sidecar lies beside it.
    """

    trial: int
    format: str
    path: Path


def exports_of(run: Run) -> list[Export]:
    """Files in ``exports/`` of the campaign's folder that its sidecars call its own, by trial.

    Files of another campaign, and those without a sidecar, are left out. What the files hold is not
    checked: that is `latentopt.export.verify`.
    """
    found = []
    for sidecar in sorted((run.folder / "exports").glob("*.json")):
        path = sidecar.with_suffix("")
        try:
            record = parse_json(sidecar.read_bytes())
            origin = record["provenance"]
            is_own = record["schema"] == SCHEMA and origin["campaign"] == run.config.name
            if is_own and origin["created"] == run.provenance.get("created") and path.is_file():
                found.append(Export(int(origin["trial"]), str(record["format"]), path))
        except (OSError, ValueError, KeyError, TypeError):
            continue
    return sorted(found, key=lambda export: (export.trial, export.path.name))

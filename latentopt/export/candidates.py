"""The structures of a campaign's trials, as files for a simulator."""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from latentopt.export.exporters import EXPORTERS
from latentopt.export.whole_file import make_folder

if TYPE_CHECKING:
    from latentopt.run import Run


def export_candidates(run: "Run", trials: Iterable[int], format: str, folder: Path) -> list[Path]:
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
        Made if need be.

    Returns
    -------
    The data files, ``trial_0012.vti`` and so on, each with its JSON sidecar beside it; the first
    where a format takes several.

    Raises
    ------
    ExportError
        If the folder or a file cannot be written; the files before it stay.
    CampaignError
        If there is no such trial, or its structure is missing.
    """
    exporter = EXPORTERS[format]
    make_folder(folder)
    return [
        exporter.write(
            run.candidate(index).microstructure, folder / f"trial_{index:04d}{exporter.suffix}"
        )
        for index in trials
    ]

"""Options of the commands that run campaigns, and of those that read and export them."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from latentopt.cli.options.shared import (
    AxesOption,
    CampaignArgument,
    GreyOption,
    LimitOption,
    OverwriteOption,
    RunArgument,
    SeedOption,
)

__all__ = [
    "CandidatesOptions",
    "ImportOptions",
    "OptimizeOptions",
    "QuickstartOptions",
    "RepairOptions",
    "ReportOptions",
    "StatusOptions",
    "VerifyOptions",
]


@dataclass(frozen=True, kw_only=True)
class OptimizeOptions:
    """Run a campaign; the same command goes on with one that was stopped or killed."""

    config: CampaignArgument
    out: Annotated[Path | None, typer.Option(help="Folder of the campaign.")] = None
    trials: Annotated[int | None, typer.Option(help="Evaluations in all.")] = None
    seed: Annotated[int | None, typer.Option(help="Fixes every random choice.")] = None
    repeats: Annotated[
        int | None, typer.Option(help="Trials that evaluate the best structures again, at the end.")
    ] = None
    retry_failed: Annotated[
        bool, typer.Option(help="Evaluate the trials that failed again, at no charge.")
    ] = False


@dataclass(frozen=True, kw_only=True)
class StatusOptions:
    """What a campaign has found so far and what it is doing; safe while it runs."""

    run: RunArgument
    watch: Annotated[bool, typer.Option("--watch", help="Go on until the campaign ends.")] = False
    every: Annotated[float, typer.Option(min=0.1, help="Seconds between two looks.")] = 2.0
    json: Annotated[bool, typer.Option("--json", help="Print JSON, one line a look.")] = False


@dataclass(frozen=True, kw_only=True)
class ReportOptions:
    """Write one HTML page that opens without a network."""

    run: RunArgument
    out: Annotated[Path | None, typer.Option(help="HTML file; RUN/report.html if absent.")] = None
    baseline: Annotated[
        list[Path] | None,
        typer.Option(help="Folder of a campaign to compare with; may be repeated."),
    ] = None
    overwrite: OverwriteOption = False


@dataclass(frozen=True, kw_only=True)
class CandidatesOptions:
    """Write candidates for a simulator, each with a JSON sidecar."""

    run: RunArgument
    best: Annotated[int, typer.Option(min=1, help="How many of the best candidates.")] = 1
    trial: Annotated[list[int] | None, typer.Option(help="These trials instead.")] = None
    front: Annotated[
        bool, typer.Option("--front", help="All that nothing surpasses in every objective instead.")
    ] = False
    format: Annotated[
        str,
        typer.Option(
            help="Name of a format, as in docs/exports.md. A name that is none is answered with "
            "all there are."
        ),
    ] = "hdf5"
    out: Annotated[Path | None, typer.Option(help="Folder; RUN/exports if absent.")] = None
    overwrite: OverwriteOption = False


@dataclass(frozen=True, kw_only=True)
class VerifyOptions:
    """Read exported files again and compare them with their sidecars, voxel by voxel.

    All files are compared, and what is wrong with any of them is said at the end.
    """

    files: Annotated[list[Path], typer.Argument(help="Exported files.")]
    run: Annotated[
        Path | None,
        typer.Option(help="Folder of their campaign: compare them with its journal, too."),
    ] = None
    limit: LimitOption = None


@dataclass(frozen=True, kw_only=True)
class QuickstartOptions:
    """Run the whole job on an embedded space: search, export, report."""

    out: Annotated[Path, typer.Option(help="Folder for everything it writes.")] = Path(
        "runs/quickstart"
    )
    trials: Annotated[int, typer.Option(min=1, help="Evaluations.")] = 30
    seed: SeedOption = 0
    space: Annotated[str, typer.Option(help="Embedded space: default or ldm.")] = "default"
    overwrite: OverwriteOption = False


@dataclass(frozen=True, kw_only=True)
class ImportOptions:
    """Add structures measured before to a campaign: its search begins with them, free of charge.

    Each row is given the point that decodes to its structure most nearly. The same file can be
    imported again after rows were added to it.
    """

    config: CampaignArgument
    data: Annotated[
        Path,
        typer.Argument(
            help="CSV file: a column image, one for each metric, METRIC_sem its standard errors."
        ),
    ]
    images: Annotated[
        Path | None,
        typer.Option(help="Folder of images, or one array file; beside the CSV if absent."),
    ] = None
    metric: Annotated[
        list[str] | None, typer.Option(help="Take this column; may be repeated. All if absent.")
    ] = None
    tolerance: Annotated[
        float | None,
        typer.Option(min=0, max=1, help="Largest share of voxels that may differ; 0.15 if absent."),
    ] = None
    out: Annotated[Path | None, typer.Option(help="Folder of the campaign.")] = None
    grey: GreyOption = "auto"
    axes: AxesOption = None
    limit: LimitOption = None


@dataclass(frozen=True, kw_only=True)
class RepairOptions:
    """Decode structures again that are missing or wrong; accept a journal that lacks its end.

    Nothing is deleted: lines that are given up go to journal.torn, and files that are not the
    structure of their trial keep another name.
    """

    run: Annotated[Path, typer.Argument(help="Folder of a campaign that no process runs.")]
    accept_shorter_past: Annotated[
        bool,
        typer.Option(
            "--accept-shorter-past",
            help="Give up lines of the journal that are missing or damaged, and what follows them.",
        ),
    ] = False
    space: Annotated[
        str | None,
        typer.Option(help="Folder of the space it began in, if that was given in Python."),
    ] = None

"""The commands ``latentopt export``: candidates as files for a simulator, and a check of files.

``latentopt export RUN`` is short for ``latentopt export candidates RUN``. Each command imports what
it needs when it runs, so that ``--help`` answers at once.
"""

from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from latentopt.cli.output import OverwriteOption
from latentopt.cli.reading import LimitOption, read_limits
from latentopt.printing import print

__all__ = ["CandidatesByDefault", "candidates", "verify"]


class CandidatesByDefault(TyperGroup):
    """Takes what is not the name of one of its commands for the arguments of ``candidates``."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Arguments that begin with the name of a command."""
        if not args or args[0] not in {*self.commands, *ctx.help_option_names}:
            args = ["candidates", *args]
        return super().parse_args(ctx, args)


def candidates(
    run: Annotated[Path, typer.Argument(help="Folder of a campaign.")],
    best: Annotated[int, typer.Option(min=1, help="How many of the best candidates.")] = 1,
    trial: Annotated[list[int] | None, typer.Option(help="These trials instead.")] = None,
    front: Annotated[
        bool, typer.Option("--front", help="All that nothing surpasses in every objective instead.")
    ] = False,
    format: Annotated[
        str,
        typer.Option(
            help="hdf5, npz, tiff, png, nrrd, damask, dream3d7, dream3d8, spparks, abaqus, gmsh or "
            "stl."
        ),
    ] = "hdf5",
    out: Annotated[Path | None, typer.Option(help="Folder; RUN/exports if absent.")] = None,
    overwrite: OverwriteOption = False,
) -> None:
    """Write candidates for a simulator, each with a JSON sidecar."""
    from latentopt.errors import CampaignError, ConfigError
    from latentopt.export.exporters import EXPORTERS
    from latentopt.runs.exports import export_candidates
    from latentopt.runs.run import Run
    from latentopt.runs.shortfall import none_best

    if format not in EXPORTERS:
        raise ConfigError(f"--format should be one of {', '.join(EXPORTERS)}, got {format!r}.")
    read = Run.read(run)
    indices = trial or [t.index for t in (read.pareto() if front else read.best(best))]
    if not indices:
        raise CampaignError(f"{run}: {none_best(read)}; name some with --trial.")
    folder = out or run / "exports"
    for path in export_candidates(read, indices, format, folder, overwrite=overwrite):
        print(path)


def verify(
    files: Annotated[list[Path], typer.Argument(help="Exported files.")],
    run: Annotated[
        Path | None,
        typer.Option(help="Folder of their campaign: compare them with its journal, too."),
    ] = None,
    limit: LimitOption = None,
) -> None:
    """Read exported files again and compare them with their sidecars, voxel by voxel.

    All files are compared, and what is wrong with any of them is said at the end.
    """
    from latentopt.errors import ExportError
    from latentopt.export.verify import verify_all
    from latentopt.runs.run import Run

    read = None if run is None else Run.read(run)
    limits = {"limits": read_limits(limit)} if limit else {}
    problems = []
    for _, said, good in verify_all(files, read, **limits):
        if good:
            print(said)
        else:
            problems.append(said)
    if problems:
        raise ExportError("\n".join(problems))

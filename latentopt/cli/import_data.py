"""The command ``latentopt import``: structures measured before become trials of a campaign."""

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from latentopt.cli.grey import GreyOption
from latentopt.cli.reading import AxesOption, LimitOption, reading_options
from latentopt.printing import print

if TYPE_CHECKING:
    from latentopt.campaign.imports import Imported

__all__ = ["import_measured"]

SHOWN = 5  # lines of one kind; the rest are counted


def import_measured(
    config: Annotated[Path, typer.Argument(help="YAML file of the campaign.")],
    data: Annotated[
        Path,
        typer.Argument(
            help="CSV file: a column image, one for each metric, METRIC_sem its standard errors."
        ),
    ],
    images: Annotated[
        Path | None,
        typer.Option(help="Folder of images, or one array file; beside the CSV if absent."),
    ] = None,
    metric: Annotated[
        list[str] | None, typer.Option(help="Take this column; may be repeated. All if absent.")
    ] = None,
    tolerance: Annotated[
        float | None,
        typer.Option(min=0, max=1, help="Largest share of voxels that may differ; 0.15 if absent."),
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Folder of the campaign.")] = None,
    grey: GreyOption = "auto",
    axes: AxesOption = None,
    limit: LimitOption = None,
) -> None:
    """Add structures measured before to a campaign: its search begins with them, free of charge.

    Each row is given the point that decodes to its structure most nearly. The same file can be
    imported again after rows were added to it.
    """
    from latentopt.campaign.campaign import Campaign
    from latentopt.campaign.imports import TOLERANCE
    from latentopt.campaign.load import load_config
    from latentopt.measured.structures import read_measured
    from latentopt.space.named import load_space

    reading = reading_options(grey, axes, limit)
    settings = load_config(config, {"folder": str(out)} if out is not None else {})
    space = load_space(settings.space)
    # Read before the campaign is made: bad data leave no folder behind.
    read = read_measured(
        data,
        space.image_shape,
        [name for name in settings.goal.metrics if name != "distance_from_data"],
        images=images,
        columns=metric,
        reading=reading,
    )
    with Campaign(settings, space=space) as campaign:
        imported = campaign.import_data(
            read.images,
            {
                name: (values, read.sem[name]) if name in read.sem else values
                for name, values in read.metrics.items()
            },
            names=read.names,
            tolerance=TOLERANCE if tolerance is None else tolerance,
            progress=_show if sys.stderr.isatty() else None,
        )
        _tell(imported, campaign.config.path, read.unmeasured)


def _show(done: int, rows: int) -> None:
    print(f"fitted {done} of {rows}", end="\n" if done == rows else "\r", file=sys.stderr)


def _tell(imported: "Imported", folder: Path, unmeasured: Iterable[str]) -> None:
    """What was imported on standard output; what was not, row by row, on standard error."""
    _list("known", imported.known)
    _list("left out", imported.too_far)
    _list("has no row", unmeasured)
    print(f"{folder}: {len(imported.trials)} structures imported", end="")
    if imported.trials:
        mean = sum(imported.misfit) / len(imported.misfit)
        print(
            f" as trials {imported.trials[0]} to {imported.trials[-1]}; decoded from their points "
            f"they differ in {mean:.1%} of the voxels, at most in {max(imported.misfit):.1%}",
            end="",
        )
    if imported.too_far:
        print(f"; {len(imported.too_far)} lie too far from the space (--tolerance)", end="")
    print()


def _list(kind: str, lines: Iterable[str]) -> None:
    lines = list(lines)
    for line in lines[:SHOWN]:
        print(f"latentopt: {kind}: {line}", file=sys.stderr)
    if len(lines) > SHOWN:
        print(f"latentopt: {kind}: {len(lines) - SHOWN} more", file=sys.stderr)

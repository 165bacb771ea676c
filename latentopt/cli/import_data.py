"""The command ``latentopt import``: structures measured before become trials of a campaign."""

import sys
from collections.abc import Iterable
from pathlib import Path

from latentopt.campaign.campaign import Campaign
from latentopt.campaign.imports import TOLERANCE, Imported
from latentopt.campaign.load import load_config
from latentopt.cli.options.campaigns import ImportOptions
from latentopt.cli.progress import over_itself
from latentopt.cli.reading import reading_options
from latentopt.measured.structures import read_measured
from latentopt.printing import print
from latentopt.space.named import load_space

__all__ = ["import_measured"]

SHOWN = 5  # lines of one kind; the rest are counted


def import_measured(options: ImportOptions) -> None:
    """Import a table; print what became trials, and which rows did not."""
    reading = reading_options(options.grey, options.axes, options.limit)
    out = options.out
    settings = load_config(options.config, {"folder": str(out)} if out is not None else {})
    space = load_space(settings.space)
    # Read before the campaign is made: bad data leave no folder behind.
    read = read_measured(
        options.data,
        space.image_shape,
        [name for name in settings.goal.metrics if name != "distance_from_data"],
        images=options.images,
        columns=options.metric,
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
            tolerance=TOLERANCE if options.tolerance is None else options.tolerance,
            progress=over_itself("fitted"),
        )
        _tell(imported, campaign.config.path, read.unmeasured)


def _tell(imported: Imported, folder: Path, unmeasured: Iterable[str]) -> None:
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

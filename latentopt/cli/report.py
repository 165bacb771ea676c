"""The command ``latentopt report``: a campaign as one HTML page."""

import sys

from latentopt.cli.options.campaigns import ReportOptions
from latentopt.errors import CampaignError, ModelFileError
from latentopt.printing import print
from latentopt.report.page import write_report
from latentopt.runs.run import Run
from latentopt.space.latent_space import LatentSpace
from latentopt.space.named import load_space

__all__ = ["report"]


def report(options: ReportOptions) -> None:
    """Write the page and print its path."""
    run = Run.read(options.run)
    page = write_report(
        run,
        options.out,
        space=_space_of(run),
        baselines=options.baseline or (),
        overwrite=options.overwrite,
    )
    print(page)


def _space_of(run: Run) -> LatentSpace | None:
    """The space of a run, whose data the report draws; None if it cannot be had any more."""
    try:
        place = str(run.retrained[-1][1]) if run.retrained else run.config.space
        wanted = run.retrained[-1][0] if run.retrained else run.space_id
        space, problem = load_space(place), "is another one now"
        if space.id == wanted:
            return space
    except (CampaignError, ModelFileError, OSError) as error:
        problem = f"cannot be loaded ({error})"
    print(
        f"latentopt: space {run.space_id} {problem}; the page leaves its data out.",
        file=sys.stderr,
    )
    return None

"""The command ``latentopt report``: a campaign as one HTML page."""

from latentopt.cli.options.campaigns import ReportOptions
from latentopt.cli.run_space import space_of
from latentopt.printing import print
from latentopt.report.page import write_report
from latentopt.runs.run import Run

__all__ = ["report"]


def report(options: ReportOptions) -> None:
    """Write the page and print its path."""
    run = Run.read(options.run)
    page = write_report(
        run,
        options.out,
        space=space_of(run),
        baselines=options.baseline or (),
        overwrite=options.overwrite,
    )
    print(page)

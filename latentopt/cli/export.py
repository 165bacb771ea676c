"""The commands ``latentopt export``: candidates as files for a simulator, and a check of files."""

from latentopt.cli.options.campaigns import CandidatesOptions, VerifyOptions
from latentopt.cli.reading import read_limits
from latentopt.errors import CampaignError, ConfigError, ExportError
from latentopt.export.exporters import EXPORTERS
from latentopt.export.reading import EXPORTED
from latentopt.export.verify import verify_all
from latentopt.printing import print
from latentopt.runs.exports import export_candidates
from latentopt.runs.run import Run
from latentopt.runs.shortfall import none_best

__all__ = ["candidates", "verify"]


def candidates(options: CandidatesOptions) -> None:
    """Write the files of candidates and print their paths."""
    if options.format not in EXPORTERS:
        raise ConfigError(
            f"--format should be one of {', '.join(EXPORTERS)}, got {options.format!r}."
        )
    run = Run.read(options.run)
    best = run.pareto() if options.front else run.best(options.best)
    indices = options.trial or [trial.index for trial in best]
    if not indices:
        raise CampaignError(f"{options.run}: {none_best(run)}; name some with --trial.")
    folder = options.out or options.run / "exports"
    for path in export_candidates(
        run, indices, options.format, folder, overwrite=options.overwrite
    ):
        print(path)


def verify(options: VerifyOptions) -> None:
    """Print what is right of each file; an `ExportError` says what is wrong with any of them."""
    run = None if options.run is None else Run.read(options.run)
    limits = read_limits(options.limit)
    limits = EXPORTED if limits is None else limits
    problems = []
    for _, said, good in verify_all(options.files, run, limits=limits):
        if good:
            print(said)
        else:
            problems.append(said)
    if problems:
        raise ExportError("\n".join(problems))

"""The command line: the table of commands, and the exit codes of what they refuse.

Exit codes: 0 done, 2 wrong usage or configuration, 3 data or model files, 4 campaign or export.
The work of a command is imported when it is called, so that ``--help`` and completion answer at
once.
"""

import sys
from typing import Annotated

import typer

from latentopt import errors
from latentopt.cli.answers import refusal, say_plainly, stop
from latentopt.cli.commands import Command, add_commands
from latentopt.cli.groups import CandidatesByDefault, InterruptibleGroup, MakeCommand
from latentopt.cli.options.campaigns import (
    CandidatesOptions,
    ImportOptions,
    OptimizeOptions,
    QuickstartOptions,
    RepairOptions,
    ReportOptions,
    StatusOptions,
    VerifyOptions,
)
from latentopt.cli.options.data import InspectOptions, MakeOptions, PrepareOptions
from latentopt.cli.options.serving import ExploreOptions, ServeOptions
from latentopt.cli.options.spaces import (
    AnalyseOptions,
    DecodeOptions,
    EncodeOptions,
    EvaluateOptions,
    ExportModelOptions,
    InterpolateOptions,
    SampleOptions,
    TrainOptions,
    TraverseOptions,
)
from latentopt.cli.options.surrogates import FitOptions, MeasureOptions
from latentopt.interrupts import INTERRUPTED, say_interrupted
from latentopt.printing import print
from latentopt.version import __version__

__all__ = ["COMMANDS", "GROUPS", "app", "main"]

USAGE, DATA, CAMPAIGN = 2, 3, 4
EXIT_CODES: dict[type[Exception], int] = {
    errors.ConfigError: USAGE,
    errors.OutputError: USAGE,
    errors.DataError: DATA,
    errors.ModelFileError: DATA,
    errors.CampaignError: CAMPAIGN,
    errors.ExportError: CAMPAIGN,
    errors.ConvergenceError: CAMPAIGN,
    errors.EvaluationError: CAMPAIGN,
    FloatingPointError: DATA,
}

HERE = "latentopt.cli"
COMMANDS = {
    "train": Command(TrainOptions, f"{HERE}.train:train"),
    "encode": Command(EncodeOptions, f"{HERE}.points:encode"),
    "decode": Command(DecodeOptions, f"{HERE}.points:decode"),
    "analyse": Command(AnalyseOptions, f"{HERE}.points:analyse"),
    "optimize": Command(OptimizeOptions, f"{HERE}.optimize:optimize", on_a_campaign=True),
    "status": Command(StatusOptions, f"{HERE}.status:status", on_a_campaign=True),
    "report": Command(ReportOptions, f"{HERE}.report:report", on_a_campaign=True),
    "quickstart": Command(QuickstartOptions, f"{HERE}.quickstart:quickstart", on_a_campaign=True),
    "evaluate": Command(EvaluateOptions, f"{HERE}.evaluate:evaluate"),
    "interpolate": Command(InterpolateOptions, f"{HERE}.interpolate:interpolate"),
    "sample": Command(SampleOptions, f"{HERE}.sample:sample"),
    "traverse": Command(TraverseOptions, f"{HERE}.traverse:traverse"),
    "serve": Command(ServeOptions, f"{HERE}.serve:serve"),
    "explore": Command(ExploreOptions, f"{HERE}.explore:explore"),
    "export-model": Command(ExportModelOptions, f"{HERE}.export_model:export_model"),
    "import": Command(ImportOptions, f"{HERE}.import_data:import_measured", on_a_campaign=True),
    "repair": Command(RepairOptions, f"{HERE}.repair:repair", on_a_campaign=True),
}
GROUPS = {
    "export": {
        "candidates": Command(CandidatesOptions, f"{HERE}.export:candidates", on_a_campaign=True),
        "verify": Command(VerifyOptions, f"{HERE}.export:verify", on_a_campaign=True),
    },
    "data": {
        "make": Command(MakeOptions, f"{HERE}.data.make:make", kind=MakeCommand),
        "prepare": Command(PrepareOptions, f"{HERE}.data.prepare:prepare"),
        "inspect": Command(InspectOptions, f"{HERE}.data.inspect:inspect"),
    },
    "surrogate": {
        "fit": Command(FitOptions, f"{HERE}.surrogate:fit_surrogate"),
        "test": Command(MeasureOptions, f"{HERE}.surrogate:measure_surrogate"),
    },
}

app = typer.Typer(
    cls=InterruptibleGroup,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Search for microstructures in a 64-number latent space.",
)
export = typer.Typer(
    cls=CandidatesByDefault, help="Write candidates (export RUN), or verify what was written."
)
data = typer.Typer(no_args_is_help=True, help="Look at images, prepare them, make synthetic ones.")
surrogate = typer.Typer(no_args_is_help=True, help="Learn properties of images, with uncertainty.")
add_commands(app, COMMANDS)
for name, group in (("export", export), ("data", data), ("surrogate", surrogate)):
    add_commands(group, GROUPS[name])
    app.add_typer(group, name=name)


def main() -> None:
    """Run a command; answer a known error in one line and with its exit code."""
    say_plainly()
    try:
        try:
            app(prog_name="latentopt")  # also where Python runs it by -m
        finally:
            print(end="", flush=True)  # or a full disk is found only when Python shuts down
    except tuple(EXIT_CODES) as error:
        code = next(code for kind, code in EXIT_CODES.items() if isinstance(error, kind))
        stop(str(error), code)
    except OSError as error:
        stop(refusal(error), DATA)
    except MemoryError:
        stop("there is not enough memory for this; give less data, or a smaller model.", DATA)
    except RecursionError:
        stop("what was given is nested too deeply; simplify it.", DATA)
    except OverflowError as error:
        stop(f"a number is too large ({error}); give a smaller one.", USAGE)
    except KeyboardInterrupt:  # while typer was still reading the command
        say_interrupted()
        sys.exit(INTERRUPTED)


def _print_version(wanted: bool) -> bool:
    if wanted:
        print(f"latentopt {__version__}")
        raise typer.Exit
    return wanted


@app.callback()
def of_all_commands(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version."
        ),
    ] = False,
) -> None:
    """Take the options that stand before a command."""


if __name__ == "__main__":
    main()

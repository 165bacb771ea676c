"""The command line: one function a command, from `train` to `optimize`, `report` and `repair`.

Exit codes: 0 done, 2 wrong usage or configuration, 3 data or model files, 4 campaign or export.
Each command imports what it needs when it runs, so that ``--help`` answers at once.
"""

import errno
import os
import sys
from collections.abc import Callable
from functools import partial, wraps
from pathlib import Path
from typing import Annotated, Any

import typer

from latentopt.cli.data import app as data
from latentopt.cli.evaluate import evaluate
from latentopt.cli.export import CandidatesByDefault, candidates, verify
from latentopt.cli.grey import GreyOption
from latentopt.cli.import_data import import_measured
from latentopt.cli.interpolate import interpolate
from latentopt.cli.interrupt import InterruptibleGroup
from latentopt.cli.output import OverwriteOption
from latentopt.cli.reading import (
    AxesOption,
    LimitOption,
    read_limits,
    reading_options,
    tell_readings,
)
from latentopt.cli.repair import repair
from latentopt.cli.sample import sample
from latentopt.cli.status import print_status, status
from latentopt.cli.surrogate import app as surrogate
from latentopt.interrupts import INTERRUPTED, say_interrupted
from latentopt.printable import printable
from latentopt.printing import print, print_logs_plainly

app = typer.Typer(
    cls=InterruptibleGroup,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Search for microstructures in a 64-number latent space.",
)

USAGE, DATA, CAMPAIGN = 2, 3, 4
OURS = ("latentopt", "generative", "objectives")

SpaceArgument = Annotated[
    str, typer.Argument(help='Folder of a latent space, or "default" or "ldm".')
]
RunArgument = Annotated[Path, typer.Argument(help="Folder of a campaign.")]


def main() -> None:
    """Run a command; answer a known error in one line and with its exit code."""
    import logging
    import warnings

    from latentopt import errors

    warnings.showwarning = partial(_say_warning, warnings.showwarning)
    print_logs_plainly()
    # It logs lines of its own on damaged files, which are answered below in one.
    logging.getLogger("tifffile").setLevel(logging.CRITICAL)
    tell_readings()
    codes = {
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
    try:
        try:
            app()
        finally:
            print(end="", flush=True)  # or a full disk is found only when Python shuts down
    except tuple(codes) as error:
        code = next(code for kind, code in codes.items() if isinstance(error, kind))
        _stop(str(error), code)
    except OSError as error:
        _stop(_refusal(error), DATA)
    except MemoryError:
        _stop("there is not enough memory for this; give less data, or a smaller model.", DATA)
    except RecursionError:
        _stop("what was given is nested too deeply; simplify it.", DATA)
    except OverflowError as error:
        _stop(f"a number is too large ({error}); give a smaller one.", USAGE)
    except KeyboardInterrupt:  # while typer was still reading the command
        say_interrupted()
        sys.exit(INTERRUPTED)


def _say_warning(others: Callable[..., None], message: Warning | str, *about: Any) -> None:
    """A warning of ours in one line, as errors are; those of other packages as they come."""
    category, filename = about[:2]
    ours = Path(filename).parent.parent.name in OURS or Path(filename).parent.name in OURS
    if category is UserWarning and ours:
        print(f"latentopt: {message}", file=sys.stderr)
    else:
        others(printable(message), *about)


def _stop(message: str, code: int) -> None:
    from latentopt.settings.credentials import without_secrets

    for line in without_secrets(message).splitlines():
        print(f"latentopt: {line}", file=sys.stderr)
    sys.exit(code)


def _refusal(error: OSError) -> str:
    """One line for what a disk refused; none for a reader that has gone (``status RUN | head``)."""
    from latentopt.files import explain_refusal

    if error.filename is not None:
        return explain_refusal(error.filename, error)
    place = "a file" if _output_takes_more() else "standard output"
    return "" if error.errno == errno.EPIPE else explain_refusal(place, error)


def _output_takes_more() -> bool:
    """Whether what was printed can be written; if not it is dropped, or the exit would fail too."""
    try:
        print(end="", flush=True)
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.__stdout__.fileno())
        return False
    return True


def _of_a_campaign(command: Callable[..., None]) -> Callable[..., None]:
    """The command, with the exit code of campaigns where a disk refuses."""

    @wraps(command)
    def run(**arguments: Any) -> None:
        from latentopt.errors import CampaignError

        try:
            command(**arguments)
            print(end="", flush=True)
        except OSError as error:
            raise CampaignError(_refusal(error)) from error

    return run


@app.command()
def train(
    source: Annotated[
        Path | None,
        typer.Argument(help="Folder of PNG or TIFF files, or one NPY, NPZ or HDF5 file."),
    ] = None,
    out: Annotated[Path, typer.Option(help="Folder for the space; a killed run goes on in it.")] = (
        Path("space")
    ),
    config: Annotated[Path | None, typer.Option(help="YAML file with all settings.")] = None,
    model: Annotated[
        str | None, typer.Option(help="vae, pca, resnet_vae, vae_gan, ldm or lsgm.")
    ] = None,
    patch: Annotated[int | None, typer.Option(help="Cut patches of this side.")] = None,
    grey: Annotated[str | None, typer.Option(help="auto, otsu, labels or keep.")] = None,
    axes: AxesOption = None,
    limit: LimitOption = None,
    steps: Annotated[int | None, typer.Option(help="Training steps.")] = None,
    seed: Annotated[int | None, typer.Option(help="Fixes every random choice.")] = None,
    overwrite: OverwriteOption = False,
) -> None:
    """Train a 64-number latent space on your images."""
    from latentopt.training.train_space import TrainingSettings, train_space

    if source is None and config is None:
        raise typer.BadParameter("give a folder or file of images, or --config.")
    limits = read_limits(limit)
    data = _given(patch=patch, grey=grey, axes=axes, limits=limits and vars(limits))
    if source is not None:
        data |= {"kind": "files", "path": str(source)}
    training = _given(steps=steps, seed=seed)
    changes = _given(data=data or None, training=training or None, model=model)
    read = TrainingSettings.checked if config is None else partial(TrainingSettings.read, config)
    inputs = [] if config is None else [config]
    space = train_space(read(changes), out, inputs=inputs, overwrite=overwrite)
    size = "x".join(map(str, space.image_shape[1:]))
    print(f"{out}: a space of {space.latent_dim} numbers for {size} images; see {out}/README.md")


@app.command()
def encode(
    space: SpaceArgument,
    images: Annotated[Path, typer.Argument(help="Folder or file of images.")],
    out: Annotated[Path, typer.Option(help="NPY or CSV file for the latent points.")] = Path(
        "z.npy"
    ),
    grey: GreyOption = "auto",
    axes: AxesOption = None,
    limit: LimitOption = None,
    overwrite: OverwriteOption = False,
) -> None:
    """Images to latent points."""
    from generative.data import load_images
    from generative.data.outputs import check_outputs
    from latentopt.space.named import load_space
    from latentopt.space.point_files import write_points

    reading = reading_options(grey, axes, limit)
    check_outputs([out], inputs=[space], images=[images], overwrite=overwrite)
    loaded = load_space(space)
    channels, dims = loaded.image_shape[0], len(loaded.image_shape) - 1
    pictures = load_images(images, spatial_dims=dims, channels=channels, **reading)
    z = _as_data_error(images, loaded.encode, pictures)
    write_points(z, out, overwrite=overwrite)
    print(f"{out}: {len(z)} points of {z.shape[1]} numbers")


@app.command()
def decode(
    space: SpaceArgument,
    points: Annotated[Path, typer.Argument(help="NPY or CSV file of latent points.")],
    out: Annotated[Path, typer.Option(help="NPY file for the images.")] = Path("images.npy"),
    phases: Annotated[bool, typer.Option(help="Write phases instead of soft images.")] = False,
    overwrite: OverwriteOption = False,
) -> None:
    """Latent points to images."""
    import numpy as np

    from generative.files.own_files import check_outputs
    from latentopt.errors import DataError
    from latentopt.files import output_file
    from latentopt.microstructure import to_phases
    from latentopt.space.named import load_space
    from latentopt.space.point_files import read_points

    check_outputs([out], inputs=[space, points], overwrite=overwrite)
    loaded, z = load_space(space), read_points(points)
    images = _as_data_error(points, loaded.decode, z)
    broken = np.flatnonzero(~np.isfinite(images).reshape(len(z), -1).all(axis=1))
    if len(broken):
        raise DataError(
            f"{points}: row {broken[0]} is too far from the data to be decoded; keep points within "
            f"the radius of the space, {loaded.radius:.3g}."
        )
    images = to_phases(images) if phases else images
    with output_file(out, overwrite=overwrite) as file:
        np.save(file, images, allow_pickle=False)
    print(f"{out}: {images.dtype} array of shape {images.shape}")


@app.command()
@_of_a_campaign
def optimize(
    config: Annotated[Path, typer.Argument(help="YAML file of the campaign.")],
    out: Annotated[Path | None, typer.Option(help="Folder of the campaign.")] = None,
    trials: Annotated[int | None, typer.Option(help="Evaluations in all.")] = None,
    seed: Annotated[int | None, typer.Option(help="Fixes every random choice.")] = None,
    repeats: Annotated[
        int | None, typer.Option(help="Trials that evaluate the best structures again, at the end.")
    ] = None,
    retry_failed: Annotated[
        bool, typer.Option(help="Evaluate the trials that failed again, at no charge.")
    ] = False,
) -> None:
    """Run a campaign; the same command goes on with one that was stopped or killed."""
    from latentopt.campaign.campaign import Campaign
    from latentopt.campaign.load import load_config
    from latentopt.errors import CampaignError, ExhaustedError

    changes = _given(
        folder=None if out is None else str(out), trials=trials, seed=seed, repeats=repeats
    )
    campaign = Campaign(load_config(config, changes))
    if retry_failed:
        print(f"{len(campaign.retry_failed())} failed trials are evaluated again.")
    try:
        run = campaign.run()
    except ExhaustedError:
        print_status(campaign.config.path)
        raise
    print_status(campaign.config.path)
    ended = [trial for trial in run.trials if trial.status in ("completed", "failed")]
    if ended and all(trial.status == "failed" for trial in ended):
        raise CampaignError(
            f"no evaluation succeeded; the last one failed: {ended[-1].reason}. Mend it, and go on "
            "with --retry-failed."
        )


app.command()(_of_a_campaign(status))


@app.command()
@_of_a_campaign
def report(
    run: RunArgument,
    out: Annotated[Path | None, typer.Option(help="HTML file; RUN/report.html if absent.")] = None,
    baseline: Annotated[
        list[Path] | None,
        typer.Option(help="Folder of a campaign to compare with; may be repeated."),
    ] = None,
    overwrite: OverwriteOption = False,
) -> None:
    """Write one HTML page that opens without a network."""
    from latentopt.report.page import write_report
    from latentopt.runs.run import Run

    read, options = Run.read(run), {"baselines": baseline or (), "overwrite": overwrite}
    print(write_report(read, out, space=_space_of(read), **options))


exports = typer.Typer(
    cls=CandidatesByDefault, help="Write candidates (export RUN), or verify what was written."
)
exports.command()(_of_a_campaign(candidates))
exports.command()(_of_a_campaign(verify))
app.add_typer(exports, name="export")


@app.command()
@_of_a_campaign
def quickstart(
    out: Annotated[Path, typer.Option(help="Folder for everything it writes.")] = Path(
        "runs/quickstart"
    ),
    trials: Annotated[int, typer.Option(min=1, help="Evaluations.")] = 30,
    seed: Annotated[int, typer.Option(min=0, max=2**63 - 1, help="Fixes every random choice.")] = 0,
    space: Annotated[str, typer.Option(help="Embedded space: default or ldm.")] = "default",
    overwrite: OverwriteOption = False,
) -> None:
    """Run the whole job on an embedded space: search, export, report."""
    from latentopt.cli.quickstart import run_quickstart

    run_quickstart(out, trials=trials, seed=seed, space=space, overwrite=overwrite)


app.command()(evaluate)
app.command()(interpolate)
app.command()(sample)
app.command("import")(_of_a_campaign(import_measured))
app.command()(_of_a_campaign(repair))
app.add_typer(data, name="data")
app.add_typer(surrogate, name="surrogate")


def _given(**options: Any) -> dict[str, Any]:
    """The options that were given."""
    return {name: value for name, value in options.items() if value is not None}


def _space_of(run: Any) -> Any:
    """The space of a run, whose data the report draws; None if it cannot be had any more."""
    from latentopt.errors import CampaignError, ModelFileError
    from latentopt.space.named import load_space

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


def _as_data_error(path: Path, function: Any, array: Any) -> Any:
    """``function(array)``, a refusal of the array named after the file it came from."""
    from latentopt.errors import DataError

    try:
        return function(array)
    except (TypeError, ValueError) as error:
        raise DataError(f"{path}: {error}") from error


if __name__ == "__main__":
    main()

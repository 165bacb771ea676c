"""The commands ``latentopt surrogate fit`` and ``test``: learn a property of images, and check it.

Each imports what it needs when it runs, so that ``--help`` answers at once.
"""

import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from latentopt.cli.grey import GreyOption
from latentopt.cli.output import OverwriteOption
from latentopt.cli.reading import AxesOption, LimitOption, reading_options
from latentopt.printing import print

if TYPE_CHECKING:
    from generative.data import Dataset
    from objectives.grid import Grid
    from objectives.surrogates import Surrogate

__all__ = ["app"]

app = typer.Typer(no_args_is_help=True, help="Learn properties of images, with uncertainty.")

SECONDS_BETWEEN_LINES = 5.0
ImagesArgument = Annotated[Path, typer.Argument(help="Folder or file of images.")]
TableOption = Annotated[
    Path | None, typer.Option("--y", help="CSV or NPY file of values, a row an image.")
]
ObjectiveOption = Annotated[
    str | None, typer.Option(help="Compute the values: an objective, or a YAML file of one.")
]
SpaceOption = Annotated[
    str | None, typer.Option(help='Latent space of a latent_gp: a folder, or "default".')
]


@app.command("fit")
def fit_surrogate(
    images: ImagesArgument,
    y: TableOption = None,
    objective: ObjectiveOption = None,
    output: Annotated[
        list[str] | None, typer.Option(help="Learn this output alone; may be repeated.")
    ] = None,
    kind: Annotated[
        str | None,
        typer.Option(
            help="two_point_gp, cnn, pymks_pipeline, latent_gp; pymks_localization by --config."
        ),
    ] = None,
    config: Annotated[Path | None, typer.Option(help="YAML file: kind and its settings.")] = None,
    log_target: Annotated[
        bool | None, typer.Option(help="Model the logarithm of values above 0.")
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Fixes every random choice.")] = None,
    folds: Annotated[int, typer.Option(min=2, help="Parts of the cross-validation.")] = 5,
    space: SpaceOption = None,
    voxel_size_um: Annotated[
        str | None,
        typer.Option(help="Edge of a voxel, or z,y,x or y,x; by default as the images' file says."),
    ] = None,
    not_periodic: Annotated[
        bool, typer.Option("--not-periodic", help="The images do not repeat.")
    ] = False,
    out: Annotated[Path, typer.Option(help="Folder for the surrogate.")] = Path("surrogate"),
    grey: GreyOption = "auto",
    axes: AxesOption = None,
    limit: LimitOption = None,
    overwrite: OverwriteOption = False,
) -> None:
    """Cross-validate a surrogate, fit it to all images and save it with its figures."""
    from latentopt.measured.seen_images import SEEN_IMAGES, digests_text
    from latentopt.measured.surrogate_card import figures_text, surrogate_card
    from latentopt.measured.surrogate_progress import fit_progress
    from latentopt.settings.yaml_files import read_yaml
    from objectives.surrogates import accuracy, cross_validate

    spec = {} if config is None else read_yaml(config, keys="kind")
    given = {"kind": kind, "log_target": log_target, "seed": seed}
    spec |= {name: value for name, value in given.items() if value is not None}
    inputs = [path for path in (y, config, objective, space) if path is not None]
    _check_out(out, inputs=inputs, images=[images], overwrite=overwrite)
    spec |= _grid_of_options(voxel_size_um, not_periodic)
    surrogate = _build({"kind": "two_point_gp"} | spec, space)
    dataset = _read(images, reading_options(grey, axes, limit))
    surrogate = _on_grid_of(dataset, surrogate)
    targets, where = _targets(dataset, y, objective, output or (), surrogate.grid)
    out.mkdir(parents=True, exist_ok=True)  # refused now, not after the work
    with _one_line(where), fit_progress(_now_and_then(), folds) as on_fold:
        predicted = cross_validate(
            surrogate,
            dataset.images,
            targets,
            folds=folds,
            groups=dataset.parents,
            on_fold=on_fold,
        )
        figures = accuracy(predicted, targets)
        surrogate.fit(dataset.images, targets)
    card = surrogate_card(surrogate, figures, _described(images, dataset), where, folds)
    documents = {SEEN_IMAGES: digests_text(dataset.images)}
    surrogate.save(out, card=card, documents=documents, overwrite=overwrite)
    print(f"{folds}-fold cross-validation of {surrogate.kind} on {len(dataset)} images:")
    print(figures_text(figures))
    print(f"{out}: fitted to all of them; rank with it, and let the solver decide")


@app.command("test")
def measure_surrogate(
    surrogate: Annotated[Path, typer.Argument(help="Folder of a surrogate.")],
    images: ImagesArgument,
    y: TableOption = None,
    objective: ObjectiveOption = None,
    space: SpaceOption = None,
    grey: GreyOption = "auto",
    axes: AxesOption = None,
    limit: LimitOption = None,
) -> None:
    """Compare a surrogate's predictions with the values of images it was not fitted to."""
    from latentopt.errors import DataError
    from latentopt.measured.seen_images import count_seen
    from latentopt.measured.surrogate_card import figures_text
    from latentopt.measured.targets import choose
    from objectives.surrogates import accuracy, load_surrogate

    given = {} if space is None else {"encode": _encode(space)}
    with _one_line(str(surrogate)):
        loaded = load_surrogate(surrogate, **given)
    dataset = _read(images, reading_options(grey, axes, limit))
    targets, where = _targets(dataset, y, objective, (), loaded.grid)
    if _unnamed(targets) and len(targets) == len(loaded.outputs):
        targets = dict(zip(loaded.outputs, targets.values(), strict=True))
    targets = choose(targets, loaded.outputs, where)
    if (grid := _grid_of(dataset, loaded)) is not None:
        try:
            loaded.check_grid(grid)
        except ValueError as error:
            raise DataError(f"{images}: {error}") from None
    with _one_line(str(images)):
        prediction = loaded.predict(dataset.images)
    with _one_line(where):
        prediction = type(prediction)(*(a.reshape(len(dataset), -1) for a in prediction))
        figures = accuracy(prediction, targets)
    print(f"{surrogate} ({loaded.kind}) on {len(dataset)} images:")
    print(figures_text(figures))
    if seen := count_seen(dataset.images, surrogate):
        print(
            f"latentopt: warning: {images}: {seen} of {len(dataset)} images are among those that "
            f"{surrogate} was fitted to, or are one mirrored or turned: the figures are too good.",
            file=sys.stderr,
        )


def _check_out(out: Path, *, overwrite: bool, **read: Sequence[Any]) -> None:
    """Refuse a folder of something else by an `OutputError`, before the work."""
    from generative.data.outputs import check_outputs
    from latentopt.errors import OutputError
    from latentopt.measured.seen_images import SEEN_IMAGES
    from objectives.errors import SurrogateFileError
    from objectives.surrogates.folder import CARD, CONFIG, MANIFEST, WEIGHTS, check_folder

    names = (WEIGHTS, CONFIG, CARD, SEEN_IMAGES)
    files = [out / name for name in (*names, MANIFEST)]
    check_outputs(files, overwrite=overwrite, **read)
    try:
        if not overwrite:
            check_folder(out, names)
    except SurrogateFileError as error:
        raise OutputError(str(error)) from None


def _build(spec: Mapping[str, Any], space: str | None) -> "Surrogate":
    from pydantic import ValidationError

    from latentopt.errors import ConfigError
    from latentopt.settings.explain import explain
    from latentopt.wording import nearest
    from objectives.surrogates import SURROGATES

    kind = spec["kind"]
    if not isinstance(kind, str) or kind not in SURROGATES:
        raise ConfigError(f"surrogate.kind: {kind!r} is unknown; {nearest(str(kind), SURROGATES)}")
    if (kind == "latent_gp") != (space is not None):
        raise ConfigError("--space goes with kind latent_gp, and latent_gp needs it.")
    given = {} if space is None else {"encode": _encode(space)}
    try:
        return SURROGATES[kind].model_validate({**spec, **given})
    except ValidationError as error:
        raise ConfigError(explain(error, SURROGATES[kind], "surrogate")) from None


def _encode(space: str) -> Callable[..., Any]:
    from latentopt.space.named import load_space

    return load_space(space).encode


def _read(images: Path, reading: Mapping[str, Any]) -> "Dataset":
    from generative.data import read_dataset

    return read_dataset(images, **reading)


def _described(images: Path, dataset: "Dataset") -> str:
    reading = f" ({dataset.reading})" if dataset.reading else ""
    return f"{images}, {len(dataset)} images{reading}"


def _grid_of_options(voxel_size_um: str | None, not_periodic: bool) -> dict[str, Any]:
    from latentopt.cli.data import numbers

    edges = numbers(voxel_size_um, "--voxel-size-um", float)
    if edges is None and not not_periodic:
        return {}
    size = 1.0 if edges is None else edges if len(edges) > 1 else edges[0]
    return {"grid": {"voxel_size_um": size, "periodic": not not_periodic}}


def _on_grid_of(dataset: "Dataset", surrogate: "Surrogate") -> "Surrogate":
    """The surrogate on the grid that options or settings say, or else the images' file."""
    from latentopt.errors import ConfigError

    if surrogate.grid is None:
        return surrogate.model_copy(update={"grid": _grid_of(dataset, surrogate)})
    try:
        surrogate.grid.edges_um(dataset.images.ndim - 2)
    except ValueError as error:
        raise ConfigError(f"surrogate.grid: {error}") from None
    return surrogate


def _grid_of(dataset: "Dataset", surrogate: "Surrogate") -> "Grid | None":
    """The grid of the images, if their file says what a voxel measures."""
    from objectives.grid import Grid

    if dataset.voxel_size_m is None:
        return None
    edges = tuple(float(f"{edge * 1e6:.12g}") for edge in dataset.voxel_size_m)
    return Grid(edges, surrogate.images_repeat)


def _targets(
    dataset: "Dataset",
    y: Path | None,
    objective: str | None,
    wanted: Sequence[str],
    grid: "Grid | None",
) -> tuple[Mapping[str, Any], str]:
    """Values by name, and where they come from."""
    from latentopt.errors import ConfigError
    from latentopt.measured.targets import choose, read_targets, solve_targets

    if (y is None) == (objective is None):
        raise ConfigError("give the values either as a file by --y, or computed by --objective.")
    if y is not None:
        return choose(read_targets(y, dataset.sources), wanted, str(y)), str(y)
    steps = _steps(_now_and_then(), "solved image")
    columns = solve_targets(objective, dataset.images, steps, grid=grid)
    return choose(columns, wanted, objective), objective


def _unnamed(columns: Mapping[str, Any]) -> bool:
    return all(name == "y" or name.removeprefix("y").isdigit() for name in columns)


@contextmanager
def _one_line(where: str) -> Iterator[None]:
    """Answer what the library refuses as data, in one line that names where it came from."""
    from latentopt.errors import ConfigError, DataError, ModelFileError
    from objectives.errors import EvaluationError, SurrogateFileError

    try:
        yield
    except (ConfigError, DataError, ModelFileError, EvaluationError):
        raise
    except SurrogateFileError as error:
        raise ModelFileError(str(error)) from error
    except ImportError as error:
        raise ConfigError(str(error)) from error
    except ValueError as error:
        raise DataError(f"{where}: {' '.join(str(error).split())}") from error


def _now_and_then() -> Callable[[str], None]:
    """A function that shows where a long run is, but not more often than every few seconds."""
    last = time.monotonic()

    def show(text: str) -> None:
        nonlocal last
        if time.monotonic() - last > SECONDS_BETWEEN_LINES:
            last = time.monotonic()
            print(text, file=sys.stderr, flush=True)

    return show


def _steps(show: Callable[[str], None], what: str) -> Callable[[int, int], None]:
    started = time.monotonic()

    def step(done: int, total: int) -> None:
        left = (time.monotonic() - started) / done * (total - done)
        show(f"{what} {done}/{total}, {left:.0f} s left")

    return step

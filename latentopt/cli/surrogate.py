"""The commands ``latentopt surrogate fit`` and ``test``: learn a property of images; check it."""

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from generative.data.dataset import Dataset
from generative.data.outputs import check_outputs
from generative.data.read import read_dataset
from latentopt.cli.options.surrogates import FitOptions, MeasureOptions
from latentopt.cli.progress import now_and_then, time_left
from latentopt.cli.reading import numbers_if_given, reading_options
from latentopt.errors import ConfigError, DataError, ModelFileError, OutputError
from latentopt.measured.seen_images import SEEN_IMAGES, count_seen, digests_text
from latentopt.measured.surrogate_card import figures_text, surrogate_card
from latentopt.measured.surrogate_progress import fit_progress
from latentopt.measured.targets import Columns, choose, read_targets, solve_targets
from latentopt.printing import print
from latentopt.settings.explain import explain
from latentopt.settings.yaml_files import read_yaml
from latentopt.space.named import load_space
from latentopt.wording import nearest
from objectives.errors import EvaluationError, SurrogateFileError
from objectives.grid import Grid
from objectives.surrogates.folder import CARD, CONFIG, MANIFEST, WEIGHTS, check_folder
from objectives.surrogates.registry import SURROGATES, load_surrogate
from objectives.surrogates.surrogate import Surrogate
from objectives.surrogates.validation import accuracy, cross_validate

__all__ = ["fit_surrogate", "measure_surrogate"]


def fit_surrogate(options: FitOptions) -> None:
    """Save a surrogate that was fitted to all images; print how well its folds predicted."""
    images, out, folds = options.images, options.out, options.folds
    spec = {} if options.config is None else read_yaml(options.config, keys="kind")
    given = {"kind": options.kind, "log_target": options.log_target, "seed": options.seed}
    spec |= {name: value for name, value in given.items() if value is not None}
    about = (options.y, options.config, options.objective, options.space)
    inputs = [path for path in about if path is not None]
    _check_out(out, inputs=inputs, images=[images], overwrite=options.overwrite)
    spec |= _grid_of_options(options.voxel_size_um, options.not_periodic)
    surrogate = _build({"kind": "two_point_gp"} | spec, options.space)
    dataset = read_dataset(images, **reading_options(options.grey, options.axes, options.limit))
    surrogate = _on_grid_of(dataset, surrogate)
    targets, where = _targets(
        dataset, options.y, options.objective, options.output or (), surrogate.grid
    )
    out.mkdir(parents=True, exist_ok=True)  # refused now, not after the work
    with _one_line(where), fit_progress(now_and_then(), folds) as on_fold:
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
    surrogate.save(out, card=card, documents=documents, overwrite=options.overwrite)
    print(f"{folds}-fold cross-validation of {surrogate.kind} on {len(dataset)} images:")
    print(figures_text(figures))
    print(f"{out}: fitted to all of them; rank with it, and let the solver decide")


def measure_surrogate(options: MeasureOptions) -> None:
    """Print how well a surrogate predicts; warn of images that it was fitted to."""
    folder, images = options.surrogate, options.images
    given = {} if options.space is None else {"encode": _encode(options.space)}
    with _one_line(str(folder)):
        surrogate = load_surrogate(folder, **given)
    dataset = read_dataset(images, **reading_options(options.grey, options.axes, options.limit))
    targets, where = _targets(dataset, options.y, options.objective, (), surrogate.grid)
    if _unnamed(targets) and len(targets) == len(surrogate.outputs):
        targets = dict(zip(surrogate.outputs, targets.values(), strict=True))
    targets = choose(targets, surrogate.outputs, where)
    if (grid := _grid_of(dataset, surrogate)) is not None:
        try:
            surrogate.check_grid(grid)
        except ValueError as error:
            raise DataError(f"{images}: {error}") from None
    with _one_line(str(images)):
        prediction = surrogate.predict(dataset.images)
    with _one_line(where):
        prediction = type(prediction)(*(a.reshape(len(dataset), -1) for a in prediction))
        figures = accuracy(prediction, targets)
    print(f"{folder} ({surrogate.kind}) on {len(dataset)} images:")
    print(figures_text(figures))
    if seen := count_seen(dataset.images, folder):
        print(
            f"latentopt: warning: {images}: {seen} of {len(dataset)} images are among those that "
            f"{folder} was fitted to, or are one mirrored or turned: the figures are too good.",
            file=sys.stderr,
        )


def _check_out(out: Path, *, overwrite: bool, **read: Sequence[Any]) -> None:
    """Refuse a folder of something else by an `OutputError`, before the work."""
    names = (WEIGHTS, CONFIG, CARD, SEEN_IMAGES)
    files = [out / name for name in (*names, MANIFEST)]
    check_outputs(files, overwrite=overwrite, **read)
    try:
        if not overwrite:
            check_folder(out, names)
    except SurrogateFileError as error:
        raise OutputError(str(error)) from None


def _build(spec: Mapping[str, Any], space: str | None) -> Surrogate:
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
    loaded = load_space(space)
    if not loaded.encodes:
        raise ConfigError(f"--space: the model of {space} has no encoder; give another space.")
    return loaded.encode


def _described(images: Path, dataset: Dataset) -> str:
    reading = f" ({dataset.reading})" if dataset.reading else ""
    return f"{images}, {len(dataset)} images{reading}"


def _grid_of_options(voxel_size_um: str | None, not_periodic: bool) -> dict[str, Any]:
    edges = numbers_if_given(voxel_size_um, "--voxel-size-um", float)
    if edges is None and not not_periodic:
        return {}
    size = 1.0 if edges is None else edges if len(edges) > 1 else edges[0]
    return {"grid": {"voxel_size_um": size, "periodic": not not_periodic}}


def _on_grid_of(dataset: Dataset, surrogate: Surrogate) -> Surrogate:
    """The surrogate on the grid that options or settings say, or else the images' file."""
    if surrogate.grid is None:
        return surrogate.model_copy(update={"grid": _grid_of(dataset, surrogate)})
    try:
        surrogate.grid.edges_um(dataset.images.ndim - 2)
    except ValueError as error:
        raise ConfigError(f"surrogate.grid: {error}") from None
    return surrogate


def _grid_of(dataset: Dataset, surrogate: Surrogate) -> Grid | None:
    """The grid of the images, if their file says what a voxel measures."""
    if dataset.voxel_size_m is None:
        return None
    edges = tuple(float(f"{edge * 1e6:.12g}") for edge in dataset.voxel_size_m)
    return Grid(edges, surrogate.images_repeat)


def _targets(
    dataset: Dataset,
    y: Path | None,
    objective: str | None,
    wanted: Sequence[str],
    grid: Grid | None,
) -> tuple[Columns, str]:
    """Values by name, and where they come from."""
    if y is not None and objective is None:
        return choose(read_targets(y, dataset.sources), wanted, str(y)), str(y)
    if objective is not None and y is None:
        steps = time_left(now_and_then(), "solved image")
        columns = solve_targets(objective, dataset.images, steps, grid=grid)
        return choose(columns, wanted, objective), objective
    raise ConfigError("give the values either as a file by --y, or computed by --objective.")


def _unnamed(columns: Mapping[str, Any]) -> bool:
    return all(name == "y" or name.removeprefix("y").isdigit() for name in columns)


@contextmanager
def _one_line(where: str) -> Iterator[None]:
    """Answer what the library refuses as data, in one line that names where it came from."""
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

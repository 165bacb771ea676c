"""What a surrogate learns: values in a table beside the images, or computed by an objective."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Float64

from generative.data.formats.array_files import read_npy
from latentopt.errors import ConfigError, DataError
from latentopt.evaluation.objectives import fit_objective, resolve_objective
from latentopt.settings.yaml_files import read_yaml
from latentopt.tables import Rows, hint, number_of, read_table
from objectives.grid import Grid, takes_grid

FILE_COLUMN = "file"
AT_ONCE = 16  # images solved between two looks at the progress

Columns = dict[str, Float64[np.ndarray, "n"]]


def read_targets(path: Path, sources: Sequence[str]) -> Columns:
    """Values by name, a row an image, of a NPY or CSV file.

    A CSV file of several columns begins with a line of names; one of a single column may. If one
    of them is ``file``, that column names the image of each row and the order is free; else rows
    are in the order of the images, which is that of their sorted names. Without names the one
    column of a CSV file is y, and those of an NPY file are y, or y0, y1, ...

    Parameters
    ----------
    sources
        File of each image, as `generative.data.Dataset` has them.

    Raises
    ------
    DataError
        The file is missing or no table of numbers, or its rows do not fit the images. A CSV file
        of several columns without names is refused: 0,4211 may be one number or two.
    """
    suffix = path.suffix.lower()
    try:
        if suffix == ".npy":
            return _as_columns(path, read_npy(path), len(sources))
        if suffix == ".csv":
            return _from_table(path, read_table(path), sources)
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror or error}).") from error
    except DataError:
        raise
    except ValueError as error:
        raise DataError(f"{path}: is not a table of numbers ({error}).") from error
    raise DataError(f"{path}: values are read from .npy or .csv files.")


def _as_columns(path: Path, values: np.ndarray, n: int) -> Columns:
    if values.dtype.kind not in "fiub" or values.ndim not in (1, 2) or len(values) != n:
        raise DataError(
            f"{path}: expected numbers of shape ({n},) or ({n}, m), a row for each of {n} images, "
            f"got {values.dtype} of shape {values.shape}."
        )
    values = values.astype(np.float64)
    if values.ndim == 1:
        return {"y": values}
    return {f"y{i}": column for i, column in enumerate(values.T)}


def _from_table(path: Path, lines: Rows, sources: Sequence[str]) -> Columns:
    rows = [list(row) for _, row in lines]
    if not rows:
        raise DataError(f"{path}: is empty; expected a row for each of {len(sources)} images.")
    names = rows[0] if any(number_of(cell) is None for cell in rows[0]) else []
    body = rows[1:] if names else rows
    width = len(rows[0])
    if width > 1 and not names:
        raise DataError(
            f"{path}: has {width} columns and no line of names; begin it with one, such as "
            f"{','.join(f'y{i}' for i in range(width))}. If a comma in {','.join(rows[0][:4])} is "
            "that of a decimal, write a point instead (3.5, not 3,5)."
        )
    if len(set(names)) < len(names) or "" in names:
        raise DataError(f"{path}: expected a different name for each column, got {names}.")
    if FILE_COLUMN in names:
        files = [row.pop(names.index(FILE_COLUMN)).strip() for row in body]
        names.remove(FILE_COLUMN)
        body = _in_order(path, dict(zip(files, body, strict=True)), files, sources)
    if not body or not body[0]:
        raise DataError(f"{path}: holds no values; expected a column of numbers.")
    table = np.array([[_value(path, cell) for cell in row] for row in body])
    columns = _as_columns(path, table if width > 1 else table[:, 0], len(sources))
    return dict(zip(names, columns.values(), strict=True)) if names else columns


def _value(path: Path, cell: str) -> float:
    value = number_of(cell)
    if value is None:
        raise DataError(
            f"{path}: is not a table of numbers ({cell!r} is no finite number; {hint(cell)})."
        )
    return value


def _in_order(
    path: Path, row_of: Mapping[str, list[str]], files: list[str], sources: Sequence[str]
) -> list[list[str]]:
    """Rows in the order of the images they name; every image needs one, and only one."""
    if len(row_of) < len(files):
        twice = next(name for name in files if files.count(name) > 1)
        raise DataError(f"{path}: names {twice!r} twice; leave one of the rows out.")
    missing = [source for source in sources if source not in row_of]
    unknown = sorted(row_of.keys() - set(sources))
    if missing:
        hint = f"; it has {unknown[0]!r}, which is no image" if unknown else ""
        raise DataError(f"{path}: has no row for {missing[0]!r}, one of {len(missing)}{hint}.")
    return [row_of[source] for source in sources]


def solve_targets(
    objective: str,
    images: Float[np.ndarray, "n c *space"],
    on_images: Callable[[int, int], None] | None = None,
    *,
    grid: Grid | None = None,
) -> Columns:
    """Values of an objective: its kind, or a YAML file with its ``kind`` and settings.

    Parameters
    ----------
    objective
        Its kind, such as ``effective_conductivity``, or the path of its YAML file.
    images
        ``(n, c, *space)`` in [0, 1].
    on_images
        Called with the images done and all images.
    grid
        That of the images, for an objective that takes one; by default cubes of 1 um.

    Returns
    -------
    A float64 value an image by the names of the objective, in its units.

    Raises
    ------
    ConfigError
        There is no such objective, or its settings are wrong.
    EvaluationError, ConvergenceError
        The objective cannot evaluate these images.
    """
    spec: Any = objective
    if Path(objective).suffix.lower() in (".yaml", ".yml"):
        spec = read_yaml(Path(objective), keys="kind")
    try:
        found, whole = resolve_objective(spec, "objective")
        solver, _ = fit_objective(found, whole, images.shape[1:], "objective")
    except ConfigError as error:
        raise ConfigError(error.problems, file=objective) from None
    given = {"grid": grid or Grid()} if takes_grid(solver) else {}
    x, answers = torch.from_numpy(images), []
    with torch.no_grad():
        for start in range(0, len(x), AT_ONCE):
            answers.append(solver(x[start : start + AT_ONCE], **given))
            if on_images is not None:
                on_images(min(start + AT_ONCE, len(x)), len(x))
    return {
        name: np.concatenate([np.asarray(answer[name], np.float64) for answer in answers])
        for name in answers[0]
        if name not in getattr(solver, "errors", ())
    }


def choose(columns: Columns, wanted: Sequence[str], where: str) -> Columns:
    """The wanted columns, in that order; all of them where none is wanted.

    Raises
    ------
    DataError
        A wanted one is not there.
    """
    for name in wanted:
        if name not in columns:
            raise DataError(f"{where}: has no {name!r}; its outputs are {', '.join(columns)}.")
    return {name: columns[name] for name in wanted or columns}

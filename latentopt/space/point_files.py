"""Latent points in a file: NPY, or CSV with one row a point."""

from pathlib import Path

import numpy as np
from jaxtyping import Float

from generative.data.formats.array_files import read_npy
from latentopt.errors import DataError
from latentopt.files import output_file
from latentopt.tables import hint, number_of, read_table


def read_points(path: Path | str) -> Float[np.ndarray, "n d"]:
    """Float64 latent points of an NPY or CSV file (a header line is allowed).

    Raises
    ------
    DataError
        Naming the file that is missing, damaged, or not a table of numbers.
    """
    path = Path(path)
    try:
        if path.suffix.lower() == ".npy":
            z = read_npy(path)
        elif path.suffix.lower() == ".csv":
            z = _from_table(path)
        else:
            raise DataError(f"{path}: latent points are read from .npy or .csv files.")
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror or error}).") from error
    except DataError:
        raise
    except ValueError as error:
        raise DataError(f"{path}: is not a table of numbers ({error}).") from error
    if z.dtype.kind not in "fiu" or z.ndim not in (1, 2) or z.size == 0:
        raise DataError(f"{path}: expected numbers (n, d), got {z.dtype} of shape {z.shape}.")
    return np.atleast_2d(z).astype(np.float64)


def write_points(z: Float[np.ndarray, "n d"], path: Path | str, *, overwrite: bool = False) -> Path:
    """Write latent points as NPY, or as CSV with a header z00, z01, ...

    Raises
    ------
    OutputError
        A file that is not ours has the name; ``overwrite`` replaces it, too.
    OSError
        If the disk is full or read-only; a file that was there before is untouched.
    """
    path = Path(path)
    with output_file(path, overwrite=overwrite) as file:
        if path.suffix.lower() == ".csv":
            names = ",".join(f"z{i:02d}" for i in range(z.shape[1]))
            np.savetxt(file, z, delimiter=",", header=names, comments="", fmt="%.17g")
        else:
            np.save(file, z, allow_pickle=False)
    return path


def _from_table(path: Path) -> Float[np.ndarray, "n d"]:
    rows = read_table(path)
    if rows and any(number_of(cell) is None for cell in rows[0][1]):
        rows = rows[1:]  # names
    if not rows:
        raise DataError(f"{path}: holds no latent points, expected one row each.")
    for number, row in rows:
        for cell in row:
            if number_of(cell) is None:
                raise DataError(
                    f"{path}: row {number} has {cell!r}, expected a finite number; {hint(cell)}."
                )
    return np.array([[float(cell) for cell in row] for _, row in rows])

"""Curves as files: CSV with the axis in the first column and the curve in the second."""

import csv
from pathlib import Path

__all__ = ["read_curve"]


def read_curve(path: Path) -> tuple[list[float], list[float]]:
    """Axis and values of a curve in a CSV file, whose first line may hold names.

    Raises
    ------
    ValueError
        It cannot be read, or a line does not hold two numbers; the message names file and line.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            lines = [(row.line_num, cells) for row in [csv.reader(file)] for cells in row]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ValueError(f"{path}: cannot be read as CSV ({error}).") from error
    axis, values = [], []
    for number, cells in lines:
        if not "".join(cells).strip():
            continue
        try:
            place, value = map(float, cells)
        except ValueError:
            if not axis and number == 1:  # names of the columns
                continue
            raise ValueError(
                f"{path}: line {number} should hold two numbers, axis and value, got "
                f"{','.join(cells)[:60]!r}."
            ) from None
        axis.append(place)
        values.append(value)
    if not axis:
        raise ValueError(f"{path}: holds no numbers; give the axis and the curve as two columns.")
    return axis, values

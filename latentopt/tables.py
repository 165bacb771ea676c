"""Tables of values as spreadsheets write them: comma-separated text, numbers with a point."""

import csv
import math
from pathlib import Path

from latentopt.errors import DataError

__all__ = ["hint", "number_of", "read_table"]

_SEPARATORS = {";": "semicolons", "\t": "tabs", "|": "bars"}

Rows = list[tuple[int, list[str]]]  # number of the line in the file, and its cells


def read_table(path: Path) -> Rows:
    """Lines of a CSV file that are not blank, stripped of spaces, each with as many cells.

    Raises
    ------
    DataError
        The file cannot be read or is no such table: other separators and rows of other lengths are
        named.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.reader(file, strict=True)
            lines = [(reader.line_num, [cell.strip() for cell in row]) for row in reader]
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror}); check the path.") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataError(
            f"{path}: is not a CSV file ({error}); save the table as CSV in UTF-8."
        ) from error
    lines = [(number, row) for number, row in lines if any(row)]
    if not lines:
        return []
    (_, first), *others = lines
    _require_commas(path, [row for _, row in lines])
    for number, row in others:
        if len(row) != len(first):
            raise DataError(
                f"{path}: row {number} has {len(row)} cells, the first row {len(first)}; write one "
                "cell for each name, with a point in decimals."
            )
    return lines


def number_of(cell: str) -> float | None:
    """The finite number of a cell; None if it holds none.

    >>> number_of("3.5"), number_of("3,5"), number_of("nan"), number_of("1_000")
    (3.5, None, None, None)
    """
    try:
        value = float(cell)
    except ValueError:
        return None
    return value if math.isfinite(value) and "_" not in cell else None


def hint(cell: str) -> str:
    """What to do about a cell that is no number, where that is plain to see.

    >>> hint("3,5")
    'write 3.5, with a point in decimals'
    """
    for separator, name in _SEPARATORS.items():
        if separator in cell:
            return f"write commas between the columns, not {name}, and points in decimals"
    with_point = cell.replace(",", ".")
    if cell.count(",") == 1 and number_of(with_point) is not None:
        whole, part = cell.split(",")
        if len(part) == 3 and whole.lstrip("+-"):
            return f"write {whole}{part} or {with_point}, whichever is meant"
        return f"write {with_point}, with a point in decimals"
    if number_of(cell.replace(",", "")) is not None:
        return f"write {cell.replace(',', '')}, without marks between thousands"
    return "complete or remove the row"


def _require_commas(path: Path, rows: list[list[str]]) -> None:
    """Refuse a table of other separators, which the commas of its decimals may cut into cells."""
    for separator, name in _SEPARATORS.items():
        more = ",".join(rows[0]).count(separator) > len(rows[0]) - 1
        if more or any(_holds_numbers(cell, separator) for row in rows for cell in row):
            raise DataError(
                f"{path}: its columns are separated by {name}; save it with commas between the "
                "columns, and points in decimals (3.5, not 3,5)."
            )


def _holds_numbers(cell: str, separator: str) -> bool:
    """Whether a cell is several numbers: 0,5;0,25 was cut at its commas into 0, 5;0 and 25."""
    parts = cell.split(separator)
    return len(parts) > 1 and all(number_of(part) is not None for part in parts if part)

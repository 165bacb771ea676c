"""CSV files that a spreadsheet opens without running what a cell says."""

import csv
import io
import re
from collections.abc import Iterable

from latentopt.printable import printable

__all__ = ["csv_table"]

_FORMULAS = ("=", "+", "-", "@", "＝", "＋", "－", "＠")  # what a formula begins with
_NUMBER = re.compile(r"[+-]?((\d+\.?\d*|\.\d+)([eE][+-]?\d+)?|inf|nan)")


def csv_table(rows: Iterable[Iterable[object]], *, end: str = "\n") -> str:
    r"""Rows as the text of a CSV file.

    A text that a spreadsheet would take for a formula gets an apostrophe in front, which it takes
    for the sign of a text; control characters are left out. Numbers stay as they are, also where
    they are texts.

    Parameters
    ----------
    rows
        Cells of each row, the head first.
    end
        Of a line.

    Examples
    --------
    >>> csv_table([["class", "porosity"], ["=cmd|' /C calc'!A1", -0.5], ["-1e-3", "a, b"]])
    'class,porosity\n\'=cmd|\' /C calc\'!A1,-0.5\n-1e-3,"a, b"\n'
    """
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator=end).writerows([_cell(cell) for cell in row] for row in rows)
    return text.getvalue()


def _cell(value: object) -> object:
    if not isinstance(value, str):
        return value
    text = printable(value, lines=False)
    is_formula = text.lstrip().startswith(_FORMULAS) and not _NUMBER.fullmatch(text)
    return f"'{text}" if is_formula else text

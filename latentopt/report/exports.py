"""The files that were exported from a run, as links of its page."""

import os
from pathlib import Path
from urllib.parse import quote

from latentopt.printable import escape_html as escape
from latentopt.report.html import note, scrolled, section
from latentopt.runs.exports import Export, exports_of
from latentopt.runs.run import Run

__all__ = ["exports_section"]

_LISTED = 200


def exports_section(run: Run, beside: Path) -> str:
    """Links to the files of the run's ``exports/``; nothing if there are none.

    Parameters
    ----------
    run
        The run.
    beside
        Folder of the page, from which the links lead.
    """
    exports = exports_of(run)
    if not exports:
        return ""
    rows = "".join(_row(export, beside) for export in exports[:_LISTED])
    heads = "".join(f'<th scope="col">{head}</th>' for head in ("trial", "format", "file"))
    table = f"<table><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table>"
    text = "The links work as long as the page and the files keep their places."
    more = f" {len(exports) - _LISTED} more are not listed." if len(exports) > _LISTED else ""
    return section("Exported files", note(text + more) + scrolled("Exported files", table))


def _row(export: Export, beside: Path) -> str:
    return (
        f'<tr><th scope="row">{export.trial}</th><td>{escape(export.format)}</td>'
        f'<td><a href="{escape(_address(export.path, beside))}">{escape(export.path.name)}</a>'
        "</td></tr>"
    )


def _address(path: Path, beside: Path) -> str:
    """Where a file is, from a page in a folder."""
    try:
        way = os.path.relpath(path.resolve(), beside.resolve())
    except ValueError:  # on another drive
        return path.resolve().as_uri()
    return quote(Path(way).as_posix())

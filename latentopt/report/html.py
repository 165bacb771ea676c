"""Pieces of the page: sections, notes, tables, charts."""

import json
from collections.abc import Iterable, Mapping

from latentopt.printable import escape_html as escape

__all__ = ["breakable", "chart", "note", "number", "scrolled", "section", "table", "warning"]


def section(title: str, body: str) -> str:
    """A part of the page under its title."""
    return f"<section><h2>{title}</h2>\n{body}</section>"


def note(text: str) -> str:
    """A sentence for the reader, in small print."""
    return f'<p class="note">{escape(text)}</p>'


def warning(text: str) -> str:
    """A sentence that should not be overlooked."""
    return f'<p class="warn">{escape(text)}</p>'


def table(
    label: str,
    heads: Iterable[str],
    rows: Iterable[Iterable[str]],
    *,
    numbers_from: int = 99,
    row_heads: bool = False,
) -> str:
    """A table of plain strings, which scrolls by itself where the page is narrower.

    Parameters
    ----------
    label
        What the table is, for readers who do not see it.
    heads
        Title of each column; none makes a table without a head.
    rows
        Cells of each row.
    numbers_from
        First column that is aligned as numbers.
    row_heads
        Whether the first cell of a row names it.
    """

    def row(cells: Iterable[str]) -> str:
        return "".join(
            f'<th scope="row">{breakable(cell)}</th>'
            if row_heads and k == 0
            else f"<td{_align(k, numbers_from)}>{escape(cell)}</td>"
            for k, cell in enumerate(cells)
        )

    titles = "".join(
        f'<th scope="col"{_align(k, numbers_from)}>{breakable(head)}</th>'
        for k, head in enumerate(heads)
    )
    head = f"<thead><tr>{titles}</tr></thead>" if titles else ""
    body = "\n".join(f"<tr>{row(cells)}</tr>" for cells in rows)
    return scrolled(label, f"<table>{head}<tbody>{body}</tbody></table>")


def breakable(text: object) -> str:
    """Escaped text whose lines may break after an underscore, as in the name of a metric."""
    return escape(text).replace("_", "_<wbr>")


def _align(column: int, numbers_from: int) -> str:
    return " class=number" if column >= numbers_from else ""


def scrolled(label: str, body: str, *, tall: bool = False) -> str:
    """Something wide, or `tall`, in a region that the keyboard can reach and scroll."""
    style = "scroll tall" if tall else "scroll"
    return (
        f'<div class="{style}" role="region" aria-label="{escape(label)}" tabindex="0">{body}</div>'
    )


def chart(name: str, drawn: Mapping[str, object], text: str, *, width: int = 0) -> str:
    """A chart of plotly, drawn by the page's own script.

    Parameters
    ----------
    name
        Id of the chart on the page.
    drawn
        ``data`` and ``layout`` as plotly takes them.
    text
        What the chart shows, for readers who do not see it.
    width
        Least width in pixels; on a narrower page it scrolls.
    """
    data, layout = (to_script(drawn[key]) for key in ("data", "layout"))
    style = f' style="min-width: {width}px"' if width else ""
    place = f'<div id="{name}" class="chart" role="group" aria-label="{escape(text)}"{style}></div>'
    return (
        f"{scrolled(text, place) if width else place}"
        f'<script>draw("{name}", {data}, {layout});</script>'
    )


def to_script(value: object) -> str:
    """JSON that may stand in a script."""
    # "<" is escaped: a script ends at "</script>", wherever that stands.
    return json.dumps(value).replace("<", "\\u003c")


def number(value: float) -> str:
    """Four digits."""
    return f"{value:.4g}"

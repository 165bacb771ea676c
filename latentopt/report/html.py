"""Pieces of the page: sections, notes, tables, charts."""

import json
from collections.abc import Iterable, Mapping

from latentopt.printable import escape_html as escape

__all__ = ["chart", "note", "number", "section", "table", "warning"]


def section(title: str, body: str) -> str:
    """A part of the page under its title."""
    return f"<section><h2>{title}</h2>\n{body}</section>"


def note(text: str) -> str:
    """A sentence for the reader, in small print."""
    return f'<p class="note">{escape(text)}</p>'


def warning(text: str) -> str:
    """A sentence that should not be overlooked."""
    return f'<p class="warn">{escape(text)}</p>'


def table(heads: Iterable[str], rows: Iterable[Iterable[str]], numbers_from: int = 99) -> str:
    """A table of plain strings; columns from `numbers_from` on are aligned as numbers."""

    def row(cells: Iterable[str], tag: str) -> str:
        return "".join(
            f"<{tag}{' class=number' if k >= numbers_from else ''}>{escape(cell)}</{tag}>"
            for k, cell in enumerate(cells)
        )

    body = "\n".join(f"<tr>{row(cells, 'td')}</tr>" for cells in rows)
    return f"<table><thead><tr>{row(heads, 'th')}</tr></thead><tbody>{body}</tbody></table>"


def chart(name: str, drawn: Mapping[str, object]) -> str:
    """A chart of plotly, which the page's own script lets show structures under the mouse."""
    data, layout = (to_script(drawn[key]) for key in ("data", "layout"))
    options = json.dumps({"responsive": True, "displaylogo": False, "displayModeBar": "hover"})
    return (
        f'<div id="{name}" class="chart"></div>'
        f'<script>Plotly.newPlot("{name}", {data}, {layout}, {options}).then(preview);</script>'
    )


def to_script(value: object) -> str:
    """JSON that may stand in a script."""
    # "<" is escaped: a script ends at "</script>", wherever that stands.
    return json.dumps(value).replace("<", "\\u003c")


def number(value: float) -> str:
    """Four digits."""
    return f"{value:.4g}"

"""What a notebook shows of an object: a small card of HTML, with pictures in it.

Colours are those of the notebook's theme, light or dark, and every text is escaped. Notebooks that
are not trusted keep inline styles and images of ``data:`` addresses, and nothing else is used.
"""

import base64
from collections.abc import Callable, Iterable, Mapping
from functools import wraps
from typing import TypeVar

from latentopt.pictures import PHASE_COLOURS
from latentopt.printable import escape_html, one_line

__all__ = ["card", "colour_key", "never_raising", "picture", "table"]

_LINE = "1px solid rgba(128, 128, 128, 0.4)"
_CELL = "text-align: left; padding: 2px 12px 2px 0; background: none; color: inherit"
_MOST = 120  # characters of one text

Self = TypeVar("Self")
Answer = TypeVar("Answer")


def card(title: str, facts: Mapping[str, object], *, pictures: str = "", more: str = "") -> str:
    """A title, its facts in a table, and HTML of pictures and of what comes after them.

    Parameters
    ----------
    title, facts
        Plain text; it is cut where it is long.
    pictures, more
        HTML, as the functions of this module make it.
    """
    rows = "".join(
        f'<tr style="background: none"><th scope="row" style="{_CELL}; font-weight: normal; '
        f'opacity: 0.75">{_text(name)}</th><td style="{_CELL}">{_text(value)}</td></tr>'
        for name, value in facts.items()
    )
    facts_table = f'<table style="border: none; margin: 4px 0">{rows}</table>' if rows else ""
    return (
        f'<div style="color: inherit; border: {_LINE}; border-radius: 6px; padding: 8px 12px; '
        f'display: inline-block; max-width: 100%; overflow-x: auto">'
        f"<strong>{_text(title)}</strong>{facts_table}{pictures}{more}</div>"
    )


def picture(png: bytes | None, text: str) -> str:
    """A picture with its text; the text alone where there is no picture."""
    if png is None:
        return f'<p style="margin: 4px 0">No picture: {_text(text)}.</p>'
    data = base64.b64encode(png).decode("ascii")
    return (
        f'<img alt="{_text(text)}" src="data:image/png;base64,{data}" style="display: block; '
        f'max-width: 100%; margin: 4px 0">'
    )


def colour_key(names: Iterable[str]) -> str:
    """The colour of each phase beside its name."""
    keys = (
        f'<span style="display: inline-block; width: 0.8em; height: 0.8em; border: {_LINE}; '
        f'background: {PHASE_COLOURS[phase % len(PHASE_COLOURS)]}"></span> {_text(name)}'
        for phase, name in enumerate(names)
    )
    return f'<p style="margin: 4px 0">{" &nbsp; ".join(keys)}</p>'


def table(heads: Iterable[str], rows: Iterable[Iterable[object]]) -> str:
    """A table of plain texts; one of bytes is a PNG picture."""
    head = "".join(f'<th scope="col" style="{_CELL}">{_text(text)}</th>' for text in heads)
    body = "".join(
        f'<tr style="background: none">{"".join(_cell(value) for value in row)}</tr>'
        for row in rows
    )
    return (
        f'<table style="border: none; margin: 4px 0"><thead><tr style="background: none">{head}'
        f"</tr></thead><tbody>{body}</tbody></table>"
    )


def never_raising(show: Callable[[Self], Answer | None]) -> Callable[[Self], Answer | None]:
    """A method that answers None where it would raise: the notebook then shows the plain text."""

    @wraps(show)
    def shown(self: Self) -> Answer | None:
        try:
            return show(self)
        except Exception:  # a notebook would print the traceback in place of the object
            return None

    return shown


def _cell(value: object) -> str:
    if not isinstance(value, bytes):
        return f'<td style="{_CELL}">{_text(value)}</td>'
    data = base64.b64encode(value).decode("ascii")
    return (
        f'<td style="{_CELL}"><img alt="structure" src="data:image/png;base64,{data}" '
        f'style="width: 64px; image-rendering: pixelated"></td>'
    )


def _text(value: object) -> str:
    return escape_html(one_line(value, _MOST))

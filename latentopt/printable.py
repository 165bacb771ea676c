"""Text from outside as text that can be shown: what a program, a file or a user's code said.

Such text may move the cursor of a terminal, write its clipboard, or turn the order of what follows.
All that prints, and all that keeps a reason in a journal, goes through here.
"""

import html
import re

__all__ = ["escape_html", "is_plain", "one_line", "printable"]

_LONGEST = 100_000  # characters that are looked at
_MOST = 500  # characters of one line, unless asked otherwise

# What a terminal takes for commands (ECMA-48), in 7-bit and 8-bit form.
_STRINGS = "(?:\x1b[\\]PX^_]|[\x90\x98\x9d\x9e\x9f])[^\x07\x1b\x9c]{0,4096}(?:\x07|\x1b\\\\|\x9c)"
_CONTROLS = "(?:\x1b\\[|\x9b)[0-?]*[ -/]*[@-~]"
_OTHERS = "\x1b[ -/]*[0-Z\\\\^-~]"
_COMMANDS = re.compile(f"{_STRINGS}|{_CONTROLS}|{_OTHERS}")


def printable(text: object, *, lines: bool = True) -> str:
    r"""The text without terminal commands, control characters and marks that turn its direction.

    Parameters
    ----------
    text
        Anything; ``str`` is taken of it, which may fail.
    lines
        Keep line breaks and tabs.

    Examples
    --------
    >>> printable("\x1b[31mred\x1b[0m\x07 and \u202eright to left")
    'red  and  right to left'
    """
    text = _text(text)
    if text.isascii() and text.isprintable():
        return text
    kept = "\n\t" if lines else ""
    bare = _COMMANDS.sub("", text.replace("\r\n", "\n"))
    return "".join(c if c.isprintable() or c in kept else " " for c in bare)


def one_line(text: object, most: int = _MOST) -> str:
    """The text as `printable` gives it, in one line of at most `most` characters.

    >>> one_line("no  convergence\\nafter 300 steps", 22)
    'no convergence afte...'
    """
    flat = " ".join(printable(_text(text)[:_LONGEST], lines=False).split())
    return flat if len(flat) <= most else f"{flat[: most - 3]}..."


def _text(value: object) -> str:
    try:
        return str(value)
    except Exception as error:  # of a user's own class, such as that of an error
        return f"a {type(value).__name__}, whose text raises {type(error).__name__}"


def is_plain(name: str) -> bool:
    """Whether a name is some text that can be printed as it is.

    >>> is_plain("k_xx"), is_plain("größe"), is_plain("k\\n"), is_plain(" ")
    (True, True, False, False)
    """
    return bool(name.strip()) and name.isprintable()


def escape_html(text: object) -> str:
    """The text for a page of HTML.

    >>> escape_html("a < b")
    'a &lt; b'
    """
    return html.escape(printable(text))

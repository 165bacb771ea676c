"""Hints in messages: the nearest name to one that is not known."""

from collections.abc import Iterable
from difflib import get_close_matches

__all__ = ["nearest"]


def nearest(name: str, known: Iterable[str]) -> str:
    """The hint after an unknown name: the nearest known one, or all of them.

    >>> nearest("budgte", ["budget", "seed"])
    'did you mean budget?'
    """
    known = sorted(known)
    close = get_close_matches(name, known, n=1)
    return f"did you mean {close[0]}?" if close else f"known: {', '.join(known) or 'none'}."

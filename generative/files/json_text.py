"""JSON that nobody needs to trust: every text is read, or refused by one kind of error."""

import json
from collections import Counter
from collections.abc import Sequence
from typing import Any

MOST_BYTES = 2**26


def parse_json(data: bytes | str, most: int = MOST_BYTES) -> Any:
    """What a text says.

    Parameters
    ----------
    data
        JSON in UTF-8.
    most
        Bytes (or characters) above which it is refused unread; 64 MiB by default.

    Raises
    ------
    ValueError
        If it is no JSON, too long, nested too deeply, or holds a key twice: programs differ in
        which of the two values they take.

    Examples
    --------
    >>> parse_json('{"a": [1, 2]}')
    {'a': [1, 2]}
    >>> parse_json("[" * 100_000)
    Traceback (most recent call last):
    ValueError: nested too deeply
    >>> parse_json('{"a": 1, "a": 2}')
    Traceback (most recent call last):
    ValueError: holds the key 'a' twice
    """
    if len(data) > most:
        raise ValueError(f"{len(data):,} bytes, more than {most:,}")
    try:
        return json.loads(data, object_pairs_hook=_object)
    except RecursionError:
        raise ValueError("nested too deeply") from None


def _object(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        twice = next(key for key, count in Counter(k for k, _ in pairs).items() if count > 1)
        raise ValueError(f"holds the key {twice[:60]!r} twice")
    return found

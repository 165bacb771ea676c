"""JSON that nobody needs to trust: every text is read, or refused by one kind of error."""

import json
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
        If it is no JSON, too long, or nested too deeply.

    Examples
    --------
    >>> parse_json('{"a": [1, 2]}')
    {'a': [1, 2]}
    >>> parse_json("[" * 100_000)
    Traceback (most recent call last):
    ValueError: nested too deeply
    """
    if len(data) > most:
        raise ValueError(f"{len(data):,} bytes, more than {most:,}")
    try:
        return json.loads(data)
    except RecursionError:
        raise ValueError("nested too deeply") from None

"""Passwords and tokens: found in settings, which a journal would keep, and left out of messages.

A secret belongs in an environment variable, which is read where it is needed and written nowhere.
What looks like one is recognized by its name, as far as names tell.
"""

import os
import re
from collections.abc import Mapping
from typing import Any

from latentopt.errors import ConfigError
from latentopt.printable import one_line

__all__ = ["check_no_secrets", "kept_reason", "with_secrets_hidden", "without_secrets"]

_HIDDEN = "***"
_FEWEST = 8  # characters of a variable's value that is looked for in messages
_WORD = "pass[_-]?word|passwd|passphrase|secret|token|(?:api|access|private|secret)[_-]?key"
_NAME = rf"(?:[\w.-]*[_.-])?(?:{_WORD})"
# Given here, and not only named as in $TOKEN, %TOKEN% or {task}.
_GIVEN = r"""(?!["']?[$%{<])(?:"[^"]*"|'[^']*'|[^\s&;,"')]+)"""
_SECRETS = [
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        r"(://)[^\s/?#]*:[^\s/?#]*(?=@)",  # https://user:password@host
        rf"""(\bauthorization["']?\s*[:=]\s*["']?(?:bearer|basic|token)?\s*){_GIVEN}""",
        rf"((?<![\w-])-{{0,2}}{_NAME}\s?=\s?){_GIVEN}",
        rf"((?<![\w-])--?{_NAME}\s+)(?!-){_GIVEN}",
    )
]
# Settings only: in messages of ours a colon follows the name of a setting.
_HEADER = re.compile(rf"((?<![\w-]){_NAME}\s*:\s+){_GIVEN}", re.IGNORECASE)


def check_no_secrets(settings: Any, path: str) -> None:
    """Refuse settings that hold a password or token.

    Parameters
    ----------
    settings
        Mappings, lists and texts within each other.
    path
        Of the settings, for the message.

    Raises
    ------
    ConfigError
        With the dotted path of each, and never the secret.
    """
    found: list[str] = []
    _hidden(settings, path, found)
    if found:
        raise ConfigError(
            "\n".join(
                f"{where}: holds a password or token, which the campaign's journal would keep; "
                "let the program or function read it from an environment variable."
                for where in found
            )
        )


def with_secrets_hidden(settings: Any) -> Any:
    """A copy of the settings with ``***`` in place of what `check_no_secrets` refuses.

    >>> with_secrets_hidden({"command": ["solve", "--token", "abc"], "options": {"password": "x"}})
    {'command': ['solve', '--token', '***'], 'options': {'password': '***'}}
    """
    return _hidden(settings, "", [])


def without_secrets(text: str) -> str:
    """The text with what looks like a password or token replaced by ``***``.

    So is the value of each environment variable that is named like one.

    >>> without_secrets("https://me:pw@host/jobs?api_key=abc failed; --token xyz --n 3")
    'https://***@host/jobs?api_key=*** failed; --token *** --n 3'
    """
    text = _without_named(text)
    for name, value in os.environ.items():
        if _is_name(name) and len(value) >= _FEWEST:
            text = text.replace(value, _HIDDEN)
    return text


def kept_reason(text: object) -> str:
    """Why something failed, as a journal may keep it: one printable line without secrets."""
    return without_secrets(one_line(text))


def _without_named(text: str) -> str:
    for pattern in _SECRETS:
        text = pattern.sub(rf"\1{_HIDDEN}", text)
    return text


def _hidden(settings: Any, path: str, found: list[str]) -> Any:
    """The settings without secrets, whose paths are added to `found`."""
    if isinstance(settings, Mapping):
        return {
            key: _entry(value, _is_name(str(key)), f"{path}.{key}", found)
            for key, value in settings.items()
        }
    if isinstance(settings, list | tuple):
        # An option and its value are neighbours in a command.
        named = [False, *(_is_option(value) for value in settings)]
        pairs = enumerate(zip(settings, named, strict=False))
        return [_entry(value, after, f"{path}[{place}]", found) for place, (value, after) in pairs]
    if isinstance(settings, str):
        hidden = _HEADER.sub(rf"\1{_HIDDEN}", _without_named(settings))
        if hidden != settings:
            found.append(path)
        return hidden
    return settings


def _entry(value: Any, named: bool, path: str, found: list[str]) -> Any:
    if named and _is_given(value):
        found.append(path)
        return _HIDDEN
    return _hidden(value, path, found)


def _is_name(text: str) -> bool:
    return bool(re.fullmatch(_NAME, text, re.IGNORECASE))


def _is_option(value: Any) -> bool:
    return isinstance(value, str) and value.startswith("-") and _is_name(value.lstrip("-"))


def _is_given(value: Any) -> bool:
    if isinstance(value, bool) or not isinstance(value, str | int):
        return False
    text = str(value)
    return text != _HIDDEN and bool(re.match(rf"(?!--?\w){_GIVEN}", text))

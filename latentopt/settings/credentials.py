"""Passwords and tokens: found in settings, which a journal would keep, and left out of messages.

A secret belongs in an environment variable, which is read where it is needed and written nowhere.
What looks like one is recognized by its name, as far as names tell.
"""

import os
import re
from collections.abc import Mapping, Sequence
from typing import Any

from latentopt.errors import ConfigError, Problem
from latentopt.printable import one_line

__all__ = ["check_no_secrets", "kept_reason", "with_secrets_hidden", "without_secrets"]

_HIDDEN = "***"
_FEWEST = 8  # characters of a variable's value that is looked for in messages
# Words that are part of no other, and those that are a word of a name: PGPASSWORD, but not detoken.
_PART = "pass[_-]?word|passwd|passphrase|api[_-]?key"
_WORD = (
    "secret|token|bearer|(?:access|private|secret)[_-]?key"
    # Not pass alone: --pass 2, low_pass.
    "|(?:user|db|login|admin|root|proxy|smtp|ftp|ssh|pg|mysql)[_-]?pass"
)
_BEGIN = r"(?:[\w.-]*(?:[_.-]|(?-i:(?<=[a-z0-9])(?=[A-Z]))))?"  # of DB_TOKEN, db.token, dbToken
_NAME = rf"(?:[\w.-]*(?:{_PART})|{_BEGIN}(?:{_WORD}))"
# Given here, and not only named as in $TOKEN, %TOKEN% or {task}.
_GIVEN = r"""(?!["']?[$%{<])(?:"[^"]*"|'[^']*'|[^\s&;,"')]+)"""
# Names that have other meanings: of a folder or a file, and of a number (a pulse width).
_PATH = r"""["']?(?:[/~.\\]|[a-z]:[/\\]|\S*\.[a-z]\w{1,4}(?!\w))"""
_UNLIKE = {rf"{_BEGIN}(?:pwd|credentials?)": _PATH, rf"{_BEGIN}pw": r"[\d.e+-]+(?!\w)"}
_NAMED = [(_NAME, ""), *((name, f"(?!{other})") for name, other in _UNLIKE.items())]
# User and password of curl and its like, and not the uid:gid of containers or a volume.
_USER = r"(?:-u|--user|--proxy-user|-{1,2}(?:[\w-]*-)?auth)"
_PAIR = r"""(?!\d+:\d+(?!\S))["']?[^\s:/"'$%{<]+:(?!["']?[$%{</\\])[^\s"']+"""
_WITH_P = r"(?:mysql|mariadb)[\w-]*|sshpass"  # programs of which -p is a password
_QUERY = "sig|signature|auth|key|pass|pwd?|sas|code"
_SECRETS = [
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        r"(://)[^\s/?#]*:[^\s/?#]*(?=@|%40)",  # https://user:password@host
        rf"([?&](?:[\w.-]*[_.-])?(?:{_QUERY})=){_GIVEN}",  # https://host/path?sig=...
        rf"((?<![\w.-]){_USER}[ =]+){_PAIR}",
        rf"((?<![\w.-])(?:{_WITH_P})\b[^;|&\n]{{0,300}}?\s-p){_GIVEN}",
        rf"((?<![\w.-])sshpass\s+-p\s+){_GIVEN}",
        rf"""(\bauthorization["']?\s*[:=]\s*["']?(?:bearer|basic|token)?\s*){_GIVEN}""",
        *(rf"((?<![\w.-])-{{0,2}}{name}\s?=\s?){unlike}{_GIVEN}" for name, unlike in _NAMED),
        *(rf"((?<![\w.-])--?{name}\s+)(?!-){unlike}{_GIVEN}" for name, unlike in _NAMED),
    )
]
# Settings only: in messages of ours a colon follows the name of a setting.
_HEADER = re.compile(rf"((?<![\w.-]){_NAME}\s*:\s+){_GIVEN}", re.IGNORECASE)


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
            Problem(
                where,
                "holds a password or token, which the campaign's journal would keep; let the "
                "program or function read it from an environment variable.",
            )
            for where in found
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
        if _is_secret(name, value) and len(value) >= _FEWEST:
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
            key: _entry(value, _is_secret(str(key), value), f"{path}.{key}", found)
            for key, value in settings.items()
        }
    if isinstance(settings, list | tuple):
        return [
            _entry(value, _is_told(settings[:place], value), f"{path}[{place}]", found)
            for place, value in enumerate(settings)
        ]
    if isinstance(settings, str):
        hidden = _HEADER.sub(rf"\1{_HIDDEN}", _without_named(settings))
        if hidden != settings:
            found.append(path)
        return hidden
    return settings


def _entry(value: Any, secret: bool, path: str, found: list[str]) -> Any:
    if secret:
        found.append(path)
        return _HIDDEN
    return _hidden(value, path, found)


def _is_secret(name: str, value: Any) -> bool:
    """Whether a value of this name is a password or token, be it one text or a list of them."""
    if isinstance(value, list | tuple):
        if _matches(rf"{_BEGIN}auth", name):  # user and password
            return len(value) == 2 and all(map(_is_given, value))
        return any(_is_secret(name, item) for item in value)
    if not _is_given(value):
        return False
    if _matches(rf"{_BEGIN}auth", name):
        return _matches(_PAIR, str(value))
    return any(_matches(n, name) and _matches(f"{un}.*", str(value)) for n, un in _NAMED)


def _is_told(before: Sequence[Any], value: Any) -> bool:
    """Whether a word of a command is a secret by the words before it: an option, a program."""
    if not before or not isinstance(value, str | int) or not _is_given(value):
        attached = isinstance(value, str) and _matches(r"-p.+", value)
        return attached and _is_given(value[2:]) and _has_program(before, _WITH_P)
    option = str(before[-1])
    if _matches(_USER, option):
        return _matches(_PAIR, str(value))
    if option == "-p":
        return _has_program(before, "sshpass")
    return option.startswith("-") and _is_secret(option.lstrip("-"), value)


def _has_program(words: Sequence[Any], names: str) -> bool:
    return any(_matches(names, str(word).rpartition("/")[2]) for word in words)


def _matches(pattern: str, text: str) -> bool:
    return bool(re.fullmatch(pattern, text, re.IGNORECASE | re.DOTALL))


def _is_given(value: Any) -> bool:
    if isinstance(value, bool) or not isinstance(value, str | int):
        return False
    text = str(value)
    return text != _HIDDEN and bool(re.match(rf"(?!--?\w){_GIVEN}", text))

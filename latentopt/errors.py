"""Errors a caller of `latentopt` may want to catch; the command line answers each in one line."""

from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from generative.errors import DataError, ModelFileError, OutputError
from objectives.errors import ConvergenceError, EvaluationError

__all__ = [
    "CampaignError",
    "CampaignLockedError",
    "ConfigError",
    "ConvergenceError",
    "DataError",
    "EvaluationError",
    "ExhaustedError",
    "ExportError",
    "JournalError",
    "ModelFileError",
    "OutputError",
    "Problem",
]


class Problem(NamedTuple):
    """What is wrong with one setting."""

    at: str  # dotted path of the setting, such as campaign.evaluate[0].kind; empty without one
    message: str

    def __str__(self) -> str:
        return f"{self.at}: {self.message}" if self.at else self.message


class ConfigError(ValueError):
    """Settings that cannot be used: one line for each problem, with its dotted path and a remedy.

    Parameters
    ----------
    problems
        What is wrong, or all that is.
    at
        Dotted path of the setting, where one problem is given as a text.
    file
        The file that holds the settings; each line begins with it.

    Attributes
    ----------
    problems
        Every `Problem`.
    """

    def __init__(
        self, problems: str | Iterable[Problem], *, at: str = "", file: Path | str | None = None
    ) -> None:
        if isinstance(problems, str):
            problems = (Problem(at, problems),)
        self.problems, self.file = tuple(problems), file
        start = "" if file is None else f"{file}: "
        super().__init__("\n".join(f"{start}{problem}" for problem in self.problems))

    def __reduce__(self) -> tuple[Any, ...]:
        return partial(ConfigError, file=self.file), (self.problems,)


class CampaignError(RuntimeError):
    """A campaign cannot start or go on."""


class CampaignLockedError(CampaignError):
    """Another process is running this campaign."""


class ExhaustedError(CampaignError):
    """A campaign finds no structure that it has not evaluated already."""


class JournalError(CampaignError):
    """A journal is damaged, or its end is missing: the message says what, and how to go on."""


class ExportError(RuntimeError):
    """A microstructure cannot be written in the chosen format."""

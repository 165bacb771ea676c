"""Errors a caller of `latentopt` may want to catch; the command line answers each in one line."""

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
]


class ConfigError(ValueError):
    """A configuration that cannot be read: the message gives dotted path and nearest key."""


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

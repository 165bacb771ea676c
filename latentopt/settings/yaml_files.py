"""Settings in a YAML file, read and not yet checked."""

from pathlib import Path
from typing import Any

import yaml

from latentopt.errors import ConfigError
from latentopt.settings.explain import short
from latentopt.settings.yaml_text import parse_yaml

__all__ = ["read_yaml"]


def read_yaml(path: Path, *, keys: str) -> dict[str, Any]:
    """Settings of a YAML file, unchecked.

    Parameters
    ----------
    path
        YAML file of one mapping.
    keys
        Some keys it should hold, for the message where it holds none.

    Raises
    ------
    ConfigError
        The file cannot be read, or is not such a file.
    """
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise ConfigError(f"{path}: larger than {_MAX_BYTES} bytes; give a file of settings.")
        settings = parse_yaml(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read ({error.strerror}); check the path.") from None
    except UnicodeDecodeError:
        raise ConfigError(
            f"{path}: not YAML (not text in UTF-8); give a file of settings."
        ) from None
    # ValueError: a date such as 2024-13-01; RecursionError: thousands of brackets.
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        line = f", line {mark.line + 1}" if mark else ""
        problem = getattr(error, "problem", None) or "not readable"
        raise ConfigError(f"{path}{line}: not YAML ({problem}).") from None
    if not isinstance(settings, dict):
        raise ConfigError(f"{path}: should hold keys such as {keys}, got {short(settings)}.")
    return {str(key): value for key, value in settings.items()}


_MAX_BYTES = 1_000_000  # a larger file is no settings

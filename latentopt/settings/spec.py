"""A part of a campaign of its spec: from a table by its kind, or what a Python target names."""

import os
import sys
from collections.abc import Mapping
from contextlib import contextmanager
from importlib import import_module
from typing import Any

from pydantic import BaseModel, ValidationError

from latentopt.errors import ConfigError
from latentopt.settings.explain import explain
from latentopt.wording import nearest

__all__ = ["build", "import_target", "spec_of"]


def import_target(target: str, where: str, path: str | None = None) -> Any:
    """What ``package.module:name`` names: in the folder `path` or the working one, or installed.

    Raises
    ------
    ConfigError
        It begins with `where`, the setting that named the target.
    """
    module, _, name = target.partition(":")
    try:
        with _importing_from(path or os.getcwd()):
            found: Any = import_module(module)
        for part in name.split("."):
            found = getattr(found, part)
    except (ImportError, AttributeError, ValueError) as error:
        raise ConfigError(
            f"{target} cannot be imported ({error}); put "
            f"{module.partition('.')[0]}.py beside the settings file or into the working folder, "
            "or install it.",
            at=where,
        ) from None
    return found


def spec_of(part: Any) -> dict[str, Any]:
    """Spec of a part given in Python; a name only, where it is the user's own."""
    if isinstance(part, BaseModel) and hasattr(part, "kind"):
        return part.model_dump(mode="json")
    named = part if hasattr(part, "__qualname__") else type(part)
    return {"kind": "python", "target": f"{named.__module__}:{named.__qualname__}"}


def build(spec: Mapping[str, Any], table: Mapping[str, type[BaseModel]], root: str) -> Any:
    """The part that a spec describes, by the row of the table that its kind names.

    Raises
    ------
    ConfigError
        One line a problem, each beginning with `root`, the setting that holds the spec.
    """
    kind = spec.get("kind")
    if kind == "python" and kind not in table:
        raise ConfigError(
            f"{spec.get('target')} was given in Python and cannot be read from a file; "
            "give it again, or name it with {kind: import, target: package.module:name}.",
            at=root,
        )
    if kind is None:
        raise ConfigError(f"required, and missing; {nearest('', table)}", at=f"{root}.kind")
    if not isinstance(kind, str) or kind not in table:
        raise ConfigError(f"{kind!r} is unknown; {nearest(str(kind), table)}", at=f"{root}.kind")
    try:
        return table[kind].model_validate(dict(spec))
    except ValidationError as error:
        raise ConfigError(explain(error, table[kind], root)) from None


@contextmanager
def _importing_from(folder: str):
    """A folder is searched first, as `python -m` does its own, while this context lasts."""
    sys.path.insert(0, folder)
    try:
        yield
    finally:
        sys.path.remove(folder)

"""How a part of a campaign is named in settings: by its kind, alone or with options."""

from typing import Annotated, Any, TypeVar, overload

from pydantic import BeforeValidator

__all__ = ["DEFAULT_STRATEGY", "GIVEN_IN_PYTHON", "ROOT", "Spec", "as_engine", "as_spec"]


ROOT = "campaign"  # first part of every dotted path


DEFAULT_STRATEGY = "structure"


Given = TypeVar("Given")


@overload
def as_spec(value: str) -> dict[str, Any]: ...
@overload
def as_spec(value: Given) -> Given: ...
def as_spec(value: object) -> object:
    """A bare kind as the spec it is short for."""
    return {"kind": value} if isinstance(value, str) else value


def as_engine(value: object) -> object:
    """The spec of an engine, also where it is written ``import:package.module:factory``."""
    if isinstance(value, str) and value.startswith("import:"):
        return {"kind": "import", "target": value.removeprefix("import:")}
    return as_spec(value)


# One of several parts by its `kind`; a bare string is a kind with its defaults. What else it may
# hold is checked by `latentopt.settings.spec`, which imports torch: reading a campaign should not.
Spec = Annotated[dict[str, Any], BeforeValidator(as_spec)]


GIVEN_IN_PYTHON = "given in Python"  # the space of a config, where no folder was named

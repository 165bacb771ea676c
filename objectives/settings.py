"""What all settings have in common: one class that every other is made from."""

from collections.abc import Mapping
from typing import Any, get_args

from pydantic import BaseModel, ConfigDict, model_validator

__all__ = ["Settings"]


class Settings(BaseModel):
    """Settings by name, as a YAML file gives them.

    Unknown names are refused, and so are numbers that are not finite and ``true`` or ``false``
    where a number is meant: Python reads these as 1 and 0.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    @model_validator(mode="before")
    @classmethod
    def _truth_values_are_no_numbers(cls, data: Any) -> Any:
        if not isinstance(data, Mapping):
            return data
        fields = cls.model_fields
        return {
            name: value
            if name not in fields or _takes_truth_values(fields[name].annotation)
            else _apart(value)
            for name, value in data.items()
        }


class _TruthValue:
    """Stands for one where it is no number: nothing else takes it either."""

    def __init__(self, value: bool) -> None:
        self._value = value

    def __repr__(self) -> str:
        return str(self._value).lower()


def _apart(value: Any) -> Any:
    if isinstance(value, list | tuple):
        return [_apart(part) for part in value] if _has_truth_value(value) else value
    return _TruthValue(value) if isinstance(value, bool) else value


def _has_truth_value(value: Any) -> bool:
    if isinstance(value, list | tuple):
        return any(map(_has_truth_value, value))
    return isinstance(value, bool)


def _takes_truth_values(annotation: Any) -> bool:
    if isinstance(annotation, bool) or annotation in (bool, Any, object):
        return True
    return any(map(_takes_truth_values, get_args(annotation)))

"""What pydantic found wrong, in the user's words: the path as it was typed, and the nearest key."""

from collections.abc import Iterable, Sequence
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError

from latentopt.errors import Problem
from latentopt.settings.credentials import with_secrets_hidden, without_secrets
from latentopt.wording import nearest

__all__ = ["explain", "members", "short"]


def explain(error: ValidationError, model: type[BaseModel], root: str) -> list[Problem]:
    """One for each place where pydantic found a problem: dotted path, what is wrong, a hint.

    Parameters
    ----------
    error
        Raised by validating `model`.
    model
        The pydantic model, which knows the right keys.
    root
        First part of each dotted path.
    """
    found: dict[str, list[str]] = {}
    for problem in error.errors(include_url=False):
        path, message = _path_and_message(problem, model)
        found.setdefault(_dotted(root, path), []).append(message.removesuffix("."))
    # Where one of several types may stand, pydantic says of each why it does not fit.
    return [
        Problem(path, f"{'; or '.join(what)}{'' if what[-1].endswith('?') else '.'}")
        for path, what in found.items()
    ]


def members(annotation: object) -> list[Any]:
    """The types one of which an annotation asks for, None aside.

    >>> members(Annotated[int | None, "a count"] | list[str])
    [<class 'int'>, list[str]]
    """
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return members(arguments[0])
    if origin in (Union, UnionType):
        return [member for argument in arguments for member in members(argument)]
    return [] if annotation in (None, type(None)) else [annotation]


def short(value: object) -> str:
    """A value as Python writes it, cut where it is long."""
    text = without_secrets(repr(with_secrets_hidden(value)))
    return text if len(text) <= 60 else f"{text[:57]}..."


def _path_and_message(problem: Any, model: type[BaseModel]) -> tuple[list[str | int], str]:
    where, context = problem["loc"], problem.get("ctx", {})
    path, choices = _follow(model, where)
    match problem["type"]:
        case "extra_forbidden":
            keys = [name for m in _follow(model, where[:-1])[1] for name in m.model_fields]
            return path, f"unknown key; {nearest(str(where[-1]), keys)}"
        case "missing":
            return path, "required, and missing."
        case "union_tag_not_found" | "union_tag_invalid":
            key = context["discriminator"].strip("'")
            known = [k for m in choices for k in get_args(m.model_fields[key].annotation)]
            if "tag" not in context:
                return [*path, key], f"required, and missing; {nearest('', known)}"
            return [*path, key], f"{context['tag']!r} is unknown; {nearest(context['tag'], known)}"
        case "value_error":
            return path, str(context["error"])
    return path, f"{problem['msg'].removeprefix('Input ')}, got {short(problem['input'])}."


def _follow(
    model: type[BaseModel], where: Sequence[str | int]
) -> tuple[list[str | int], list[Any]]:
    """The parts of pydantic's location that a user typed, and the types that may stand there."""
    path: list[str | int] = []
    here, tagged = [model], True
    for part in where:
        if len(here) > 1 and not tagged:  # pydantic names the member of the union that it tried
            here, tagged = [m for m in here if _is_called(m, part)] or here, True
        elif part != "[key]":  # pydantic's, for a key that is no text
            path.append(part)
            here = [m for outer in here for m in members(_inside(outer, part))]
            tagged = False
    return path, here


def _inside(annotation: Any, part: str | int) -> object:
    """Annotation of a model's field, or of an entry of a tuple, list or dictionary."""
    if _is_model(annotation):
        field = annotation.model_fields.get(part)
        return field and field.annotation
    entries = [argument for argument in get_args(annotation) if argument is not Ellipsis]
    if isinstance(part, int) and part < len(entries):
        return entries[part]
    return entries[-1] if entries else None


def _is_called(annotation: Any, tag: object) -> bool:
    """Whether pydantic's name of a union's member means this type."""
    if _is_model(annotation):
        fields = annotation.model_fields.values()
        return any(tag in get_args(field.annotation) for field in fields)
    return str(tag).partition("[")[0] == getattr(get_origin(annotation), "__name__", None)


def _is_model(annotation: object) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)


def _dotted(root: str, path: Iterable[str | int]) -> str:
    parts = (f"[{part}]" if isinstance(part, int) else f".{part}" for part in path)
    return root + "".join(parts)

"""Numbers in settings are numbers, in every class of settings there is."""

import ast
import math
from importlib import import_module
from pathlib import Path
from typing import Literal, get_args

import pytest
from pydantic import ValidationError

from objectives.settings import Settings

ROOT = Path(__file__).parent.parent
PACKAGES = ("latentopt", "generative", "objectives")


def with_settings():
    """Modules that make a class of settings."""
    for path in sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py")):
        bases = [
            ast.unparse(base)
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
            if isinstance(node, ast.ClassDef)
            for base in node.bases
        ]
        if "Settings" in bases:
            yield ".".join(path.relative_to(ROOT).with_suffix("").parts)


def below(made):
    for child in made.__subclasses__():
        yield child
        yield from below(child)


def leaves(annotation):
    if annotation is Literal or not (parts := get_args(annotation)):
        return {annotation} if isinstance(annotation, type) else set()
    return set().union(*map(leaves, parts))


for module in with_settings():
    import_module(module)
NUMBERS = [
    pytest.param(made, name, id=f"{made.__name__}.{name}")
    for made in sorted(set(below(Settings)), key=lambda made: (made.__module__, made.__name__))
    if made.__module__.startswith(PACKAGES)
    for name, field in made.model_fields.items()
    if {int, float} & leaves(field.annotation) and bool not in leaves(field.annotation)
]


def refused(made, name, value):
    try:
        made.model_validate({name: value})
    except ValidationError as error:
        return any(problem["loc"][:1] == (name,) for problem in error.errors())
    return False


def test_there_are_many():
    assert len(NUMBERS) > 100


@pytest.mark.parametrize(("made", "name"), NUMBERS)
def test_what_is_no_number_is_refused(made, name):
    for value in (True, False, [True, 1.0], math.inf, -math.inf, math.nan, [math.inf, 1.0]):
        assert refused(made, name, value), value


def test_a_truth_value_is_named():
    class Ours(Settings):
        number: float = 1.0
        several: tuple[int, ...] = ()
        either: float | bool = 1.0
        flag: Literal[True] | int = 1

    for name, value in (("number", True), ("several", [1, False])):
        with pytest.raises(
            ValidationError, match=r"valid (number|integer).*input_value=(true|false)"
        ):
            Ours(**{name: value})
    assert Ours(either=True).either is True
    assert Ours(flag=True).flag is True

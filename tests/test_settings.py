"""Every class of settings: numbers are numbers, and each field says what it does."""

import ast
import math
from collections import Counter
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
        text = path.read_text(encoding="utf-8")
        if "Settings" not in text:
            continue
        bases = [
            ast.unparse(base)
            for node in ast.walk(ast.parse(text))
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
CLASSES = [
    made
    for made in sorted(set(below(Settings)), key=lambda made: (made.__module__, made.__name__))
    if made.__module__.startswith(PACKAGES)
]
NUMBERS = [
    pytest.param(made, name, id=f"{made.__name__}.{name}")
    for made in CLASSES
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


def described(made):
    """Descriptions of all fields but ``kind``, whose one value is the name of the class."""
    return {n: field.description for n, field in made.model_fields.items() if n != "kind"}


def is_sentence(text):
    begins_well = text[:1].isupper() or text[:1] in ("'", '"', "`")
    # "Of AdamW." says what the value belongs to, and not what it is.
    is_fragment = text.startswith(("Of ", "That of ", "Those of ", "As "))
    return begins_well and not is_fragment and text.endswith(".") and len(text.split()) >= 4


def test_there_are_many_descriptions():
    assert sum(len(described(made)) for made in CLASSES) > 250


@pytest.mark.parametrize("made", CLASSES, ids=lambda made: made.__name__)
def test_each_field_is_described_by_a_sentence_of_its_own(made):
    texts = described(made)
    assert [name for name, text in texts.items() if not text or not is_sentence(text)] == []
    assert [text for text, count in Counter(texts.values()).items() if count > 1] == []


@pytest.mark.parametrize("made", CLASSES, ids=lambda made: made.__name__)
def test_each_class_has_a_json_schema_that_describes_its_fields(made):
    properties = made.model_json_schema().get("properties", {})
    # An object that no file can hold is left out of both.
    assert properties.keys() >= {n for n, field in made.model_fields.items() if not field.exclude}


@pytest.mark.parametrize(
    "text",
    ["Of AdamW.", "Of the weights of AdamW.", "Peak rate.", "sets the seed of it.", "No end"],
)
def test_a_fragment_is_no_description(text):
    assert not is_sentence(text)
    assert is_sentence("Peak learning rate of the AdamW optimizer.")

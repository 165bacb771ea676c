"""YAML that nobody needs to trust: plain values, without bombs of aliases and doubled keys."""

from typing import Any

import yaml

MOST_COPIES = 100_000  # nodes that aliases may add


def parse_yaml(text: str) -> Any:
    """The plain values of a YAML document.

    Parameters
    ----------
    text
        One document. Anchors, aliases and merge keys are read.

    Raises
    ------
    yaml.YAMLError
        If it is no YAML, holds a key twice in one mapping, or aliases that stand for more than
        100,000 nodes or for themselves.
    ValueError
        For scalars that are no values, such as the date 2024-13-01.
    RecursionError
        If it is nested too deeply.

    Examples
    --------
    >>> parse_yaml("a: &x [1, 2]\\nb: *x")
    {'a': [1, 2], 'b': [1, 2]}
    """
    root = yaml.compose(text, Loader=yaml.SafeLoader)
    if root is None:
        return None
    sizes: dict[int, int] = {}
    if _size(root, sizes) - len(sizes) > MOST_COPIES:
        raise _error(f"aliases that stand for more than {MOST_COPIES} values", root)
    # The document that was looked at is the one that is read.
    return yaml.SafeLoader("").construct_document(root)


def _size(node: yaml.Node, sizes: dict[int, int]) -> int:
    """Nodes of a tree, those of an alias counted wherever it stands; each is looked at once."""
    if id(node) in sizes:
        if sizes[id(node)] == 0:
            raise _error("an alias of what it is in", node)
        return sizes[id(node)]
    sizes[id(node)] = 0
    if isinstance(node, yaml.MappingNode):
        _check_keys(node)
        size = sum(_size(key, sizes) + _size(value, sizes) for key, value in node.value)
    elif isinstance(node, yaml.SequenceNode):
        size = sum(_size(item, sizes) for item in node.value)
    else:
        assert isinstance(node, yaml.ScalarNode)
        _check_number(node)
        size = 0
    sizes[id(node)] = size + 1
    return size + 1


def _check_number(node: yaml.ScalarNode) -> None:
    """Refuse numbers that YAML reads as others than people do."""
    text, integer = node.value.lstrip("+-").replace("_", ""), node.tag == "tag:yaml.org,2002:int"
    if ":" in text and node.tag in ("tag:yaml.org,2002:int", "tag:yaml.org,2002:float"):
        raise _error(f"{node.value} would be read to the base of 60; write it in one unit", node)
    if integer and text.startswith("0") and text.isdigit() and text.strip("0"):
        value = int(text, 8)
        raise _error(
            f"{node.value} would be read to the base of 8, as {value}; write {text.lstrip('0')}",
            node,
        )


def _check_keys(node: yaml.MappingNode) -> None:
    seen: dict[tuple[str, str], yaml.Node] = {}
    for key, _ in node.value:
        if isinstance(key, yaml.ScalarNode):
            first = seen.setdefault((key.tag, key.value), key)
            if first is not key:
                line = first.start_mark.line + 1
                raise _error(f"the key {key.value!r} twice, in line {line} too", key)


def _error(problem: str, node: yaml.Node) -> yaml.MarkedYAMLError:
    return yaml.MarkedYAMLError(problem=problem, problem_mark=node.start_mark)

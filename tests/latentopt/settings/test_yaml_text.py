"""Settings in YAML: plain values, or one line that says where and what is wrong."""

import time

import pytest
import yaml

from latentopt.errors import ConfigError
from latentopt.settings.yaml_files import read_yaml
from latentopt.settings.yaml_text import parse_yaml


def tenfold(depth, first="[1, 1, 1, 1, 1, 1, 1, 1, 1, 1]"):
    lines = [f"a0: &a0 {first}"]
    lines += [f"a{k}: &a{k} [{', '.join([f'*a{k - 1}'] * 10)}]" for k in range(1, depth)]
    return "\n".join(lines)


def doubled_merges(depth):
    lines = ["m0: &m0 {k: 1}"]
    lines += [f"m{k}: &m{k} {{<<: [*m{k - 1}, *m{k - 1}]}}" for k in range(1, depth)]
    return "\n".join(lines)


@pytest.mark.parametrize(
    "text",
    [
        "a: 1\nb: [x, 2.5, null, true]\nc: {d: [], e: {}}",
        "base: &base {a: 1, b: 2}\nother: {<<: *base, b: 3}\nlist: [*base, *base]",
        "",
        "just text",
        "- 1\n- [2, 3]",
        tenfold(4),
    ],
)
def test_plain_documents_are_what_yaml_says(text):
    assert parse_yaml(text) == yaml.safe_load(text)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (tenfold(12), "aliases that stand for more than 100000 values"),
        (doubled_merges(40), "aliases that stand for more than 100000 values"),
        ("a: &a [1, *a]", "an alias of what it is in"),
        ("a: 1\nb: 2\na: 3", "the key 'a' twice, in line 1 too"),
        ("x:\n  options:\n    n: 1\n    n: 2", "the key 'n' twice, in line 3 too"),
        ("a: " + "[" * 100_000, "not readable"),
        ("a: " + "9" * 5000, "not readable"),
        ("a: 2024-13-01", "not readable"),
        ("a: !!python/object:os.system x", "could not determine a constructor"),
    ],
)
def test_bombs_and_doubled_keys_are_refused_at_once(tmp_path, text, message):
    (tmp_path / "a.yaml").write_text(text)
    start = time.process_time()
    with pytest.raises(ConfigError, match=r"a\.yaml.*not YAML \(") as refusal:
        read_yaml(tmp_path / "a.yaml", keys="data")
    assert message in str(refusal.value)
    assert "\n" not in str(refusal.value)
    assert time.process_time() - start < 10


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("seed: 010", "010 would be read to the base of 8, as 8; write 10"),
        ("seed: -0017", "as 15; write 17"),
        ("timeout_s: 1:30", "1:30 would be read to the base of 60"),
        ("- 1:30.5", "to the base of 60"),
    ],
)
def test_numbers_that_yaml_reads_as_others_are_refused(text, said):
    with pytest.raises(yaml.YAMLError, match=said):
        parse_yaml(text)


def test_other_numbers_and_quoted_ones_are_read():
    text = "[0, 00, 0x10, 1_000, 0.5, 007.5, '010', \"1:30\", 08, 10]"
    assert parse_yaml(text) == [0, 0, 16, 1000, 0.5, 7.5, "010", "1:30", "08", 10]

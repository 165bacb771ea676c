"""Answers of programs, most of them bad ones."""

import json
import os

import pytest

from latentopt.simulators.result import MAX_BYTES, parse_result, read_result

GOOD = b'{"state": "ok", "metrics": {"a": 1.5}, "message": "fine"}'


def test_a_good_answer_is_read(tmp_path):
    path = tmp_path / "result.json"
    path.write_bytes(GOOD)
    result = read_result(path, ["a"])
    assert (result.state, result.metrics, result.message) == ("ok", {"a": 1.5}, "fine")


def test_no_file_is_no_result(tmp_path):
    assert read_result(tmp_path / "result.json", ["a"]) is None


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b"", "is not JSON"),
        (b"{'state': 'ok'}", "is not JSON"),
        (b"\xff\xfe\x00", "is not JSON"),
        (b"[" * 100_000, "is not JSON"),
        (b'{"state": "ok", "metrics": {"a": 1, "a": 2}}', "holds the key 'a' twice"),
        (b"[1, 2]", "should have a state of ok, infeasible, invalid, timeout, crashed, lost"),
        (b"null", "got None"),
        (b'{"metrics": {"a": 1}}', "got {'metrics': {'a': 1}}"),
        (b'{"state": "good"}', "got 'good'"),
        (b'{"state": ["ok"]}', "got ['ok']"),
        (b'{"state": {}}', "got {}"),
    ],
)
def test_what_is_no_answer_is_a_crash_with_its_reason(data, problem):
    result = parse_result(data, ["a"], "result.json")
    assert result.state == "crashed"
    assert result.message.startswith("result.json ")
    assert problem in result.message
    assert "\n" not in result.message
    assert len(result.message) < 300


def test_a_file_of_100_megabytes_is_refused_by_its_size_unread(tmp_path):
    path = tmp_path / "result.json"
    with path.open("wb") as file:
        file.truncate(100_000_000)  # takes no room on the disk
    result = read_result(path, ["a"])
    assert result.state == "crashed"
    assert "100000000 bytes, more than 1000000" in result.message


def test_a_service_that_sends_too_much_is_refused():
    result = parse_result(b" " * (MAX_BYTES + 1), ["a"], "the answer")
    assert (result.state, result.message) == (
        "crashed",
        f"the answer is larger than {MAX_BYTES} bytes",
    )


def test_a_pipe_in_the_place_of_the_file_hangs_nobody(tmp_path):
    os.mkfifo(tmp_path / "result.json")
    assert read_result(tmp_path / "result.json", ["a"]).message == "result.json is not a plain file"


def test_a_folder_in_the_place_of_the_file_is_named(tmp_path):
    assert read_result(tmp_path, ["a"]).state == "crashed"


def test_a_long_message_is_cut_and_kept_on_one_line():
    record = {"state": "infeasible", "message": "no \x1b[31m\n" * 10_000}
    message = parse_result(json.dumps(record).encode(), ["a"], "result.json").message
    assert len(message) == 500
    assert message.isprintable()


def test_a_message_that_is_no_text_is_shown_as_it_is():
    result = parse_result(b'{"state": "infeasible", "message": {"code": 3}}', ["a"], "r")
    assert result.message == "{'code': 3}"

"""Text from outside: terminal commands, formulas and marks that turn text reach nobody."""

import ast
import io
import json
import logging
import sys
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import latentopt
from latentopt import printing
from latentopt.campaign.campaign import Campaign
from latentopt.cli.app import main
from latentopt.csv_tables import csv_table
from latentopt.errors import EvaluationError
from latentopt.evaluation.objectives import as_objective
from latentopt.evaluation.scoring import evaluate_images
from latentopt.printable import escape_html, one_line, printable
from latentopt.report import write_report

HOSTILE = {
    "colour": "\x1b[31mred\x1b[0m",
    "colour in 8 bits": "\x9b31mred",
    "title": "\x1b]0;owned\x07red",
    "title with ST": "\x1b]2;owned\x1b\\red",
    "clipboard": "\x1b]52;c;cm0gLXJm\x07red",
    "link": "\x1b]8;;http://x\x07red\x1b]8;;\x07",
    "device string": "\x1bPq#0;2;0;0;0\x1b\\red",
    "cleared screen": "\x1b[2J\x1b[Hred",
    "reset": "\x1bcred",
    "without end": "\x1b]0;red",
    "cut": "\x1b[",
    "backspaces": "ok\b\bred",
    "carriage return": "failed\rred",
    "turned": "\u202etxt.exe\u202c red",
    "isolated": "\u2066red\u2069",
    "bell and null": "\x07\x00red",
    "half a pair": "\ud800red",
}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_what_moves_a_terminal_is_left_out(text):
    for shown in (printable(text), one_line(text), escape_html(text)):
        assert shown.isprintable()
    if text != "\x1b[":
        assert "red" in printable(text)
    assert "owned" not in printable(text)


@given(st.text())
def test_any_text_can_be_shown_and_once_is_enough(text):
    shown = printable(text)
    assert all(c.isprintable() or c in "\n\t" for c in shown)
    assert printable(shown) == shown
    assert one_line(text).isprintable()
    assert len(one_line(text, 20)) <= 20


@given(st.text(st.characters(categories=["L", "N", "P", "S"])))
def test_what_people_write_stays_as_it_is(text):
    assert printable(text) == text


def test_an_error_that_cannot_say_what_it_is_is_named():
    class Mute(Exception):
        def __str__(self):
            raise RuntimeError

    assert one_line(Mute()) == "a Mute, whose text raises RuntimeError"


def test_a_long_text_is_cut_in_a_moment():
    assert len(one_line("\x1b]" * 5_000_000)) <= 500


def test_print_prints_plain_text_in_any_encoding():
    stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    printing.print("\x1b[31mβ", 3, file=stream, end="!\n", flush=True)
    assert stream.buffer.getvalue() == b"\\u03b2 3!\n"


def test_messages_that_no_handler_takes_are_plain(capsys, monkeypatch):
    monkeypatch.setattr(logging, "lastResort", logging._StderrHandler(logging.WARNING))
    printing.print_logs_plainly()
    record = logging.LogRecord("x", logging.WARNING, "", 1, "said \x1b[31m%s", ("red",), None)
    logging.lastResort.handle(record)
    assert capsys.readouterr().err == "said red\n"


# -- what an objective says -----------------------------------------------------------------------


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_the_reason_of_a_failure_is_plain_in_journal_status_and_report(
    text, tiny_space, tmp_path, capsys, monkeypatch
):
    def bad(images):
        raise ValueError(text)

    campaign = Campaign(
        space=tiny_space, objective="mean", objectives=[bad], strategy="prior", score="decoded",
        engine="serial", trials=1, dry_run=False, folder=tmp_path / "run",
    )  # fmt: skip
    run = campaign.run(progress=False)
    assert run.trials[0].reason.isprintable()
    assert run.trials[0].reason.startswith("bad raised ValueError")
    lines = (tmp_path / "run" / "journal.jsonl").read_text().splitlines()
    assert json.loads(lines[-1])["e"]["reason"] == run.trials[0].reason
    for command in (["status"], ["status", "--json"]):
        monkeypatch.setattr(sys, "argv", ["latentopt", *command, str(tmp_path / "run")])
        with pytest.raises(SystemExit):
            main()
        said = capsys.readouterr().out
        assert all(c.isprintable() or c == "\n" for c in said)
    page = write_report(run, space=tiny_space).read_text(encoding="utf-8")
    assert "\x1b" not in page.partition("<body>")[2]


def test_status_of_an_older_journal_is_plain_as_well(tiny_space, tmp_path, capsys, monkeypatch):
    campaign = Campaign(
        space=tiny_space, objective="mean", objectives=[lambda x: {"mean": 1.0}], strategy="prior",
        score="decoded", engine="serial", trials=1, dry_run=False, folder=tmp_path / "run",
    )  # fmt: skip
    with campaign:
        (trial,) = campaign.ask(1)
        event = {"kind": "fail", "trial": trial.index, "reason": "\x1b[31mred", "state": "crashed"}
        campaign._record({**event, "seconds": None})
    monkeypatch.setattr(sys, "argv", ["latentopt", "status", str(tmp_path / "run")])
    with pytest.raises(SystemExit):
        main()
    said = capsys.readouterr().out
    assert "red" in said
    assert "\x1b" not in said


@pytest.mark.parametrize("name", ["\x1b[31mk", "k\n", "", " ", "\u202ek"])
def test_a_metric_whose_name_cannot_be_printed_is_no_metric(name):
    objective = as_objective(lambda images: {name: 1.0}, "here")
    with pytest.raises(EvaluationError, match="name should be text that can be printed") as caught:
        evaluate_images([objective], torch.zeros(1, 1, 4, 4))
    assert caught.value.state == "invalid"


@pytest.mark.parametrize("argument", ["\x1b[31mstatus", "--\x1b[31mx"])
def test_a_wrong_argument_is_named_plainly(argument, capsys, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["latentopt", argument])
    with pytest.raises(SystemExit):
        main()
    assert "\x1b[31m" not in capsys.readouterr().err


# -- tables ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    ["=cmd|' /C calc'!A0", "+1+cmd", "-2+3", "@SUM(A1)", "\t=1", "\r=1", " =1", "\x00=1", "＝1"],
)
def test_no_cell_is_a_formula(text):
    (row,) = csv_table([[text]]).splitlines()
    assert row.strip('"').startswith("'")


@pytest.mark.parametrize(
    "value", [-1.5, 3, "-1.5", "+2e-3", "-inf", "", "a-b", "1/2", float("nan")]
)
def test_numbers_and_other_texts_stay_as_they_are(value):
    assert csv_table([["x", value]]) == f"x,{value}\n"


def test_every_table_that_is_written_goes_through_there():
    for path in Path(latentopt.__file__).parent.rglob("*.py"):
        if path.name != "csv_tables.py":
            assert "csv.writer" not in path.read_text(encoding="utf-8"), path
            assert "csv.DictWriter" not in path.read_text(encoding="utf-8"), path


def test_every_module_that_prints_takes_the_print_that_is_plain():
    for path in Path(latentopt.__file__).parent.rglob("*.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        calls = [n for n in ast.walk(tree) if isinstance(n, ast.Call)]
        prints = any(isinstance(n.func, ast.Name) and n.func.id == "print" for n in calls)
        imported = [
            alias.name
            for node in ast.walk(tree)
            if isinstance(node, ast.ImportFrom) and node.module == "latentopt.printing"
            for alias in node.names
        ]
        if prints and path.name not in ("printing.py", "interrupts.py"):
            assert "print" in imported, path

"""The end of a journal: what is missing there is noticed, and what a kill leaves is no loss."""

import json
import os
import shutil
import signal

import numpy as np
import pytest

from latentopt.errors import CampaignError, JournalError
from latentopt.runs import journal as journal_module
from latentopt.runs.candidates import candidate_path, kept_trials, write_candidate
from latentopt.runs.journal import FORMAT_VERSION, Journal, read_events

EVENTS = [
    {"kind": "campaign", "format_version": FORMAT_VERSION},
    {"kind": "ask", "trials": [{"index": 0, "z": [0.5]}, {"index": 1, "z": [1.5]}]},
    {"kind": "tell", "trial": 0, "metrics": {"a": 1.0}},
    {"kind": "fail", "trial": 1, "reason": "cracked"},
    {"kind": "ask", "trials": [{"index": 2, "z": [2.5]}]},
    {"kind": "tell", "trial": 2, "metrics": {"a": 2.0}},
]
ASKED = {0: 0.5, 1: 1.5, 2: 2.5}


@pytest.fixture(autouse=True)
def readers_look_again_soon(request, monkeypatch):
    if "in_the_middle" not in request.node.name:  # there the moment is what is shown
        monkeypatch.setattr(journal_module, "_MOMENT", 0.001)


def write(folder, events=EVENTS):
    """A journal of these events, with a structure for each trial."""
    with Journal(folder) as journal:
        for event in events:
            journal.append(event)
            for trial in event.get("trials", ()):
                keep(folder, trial["index"], trial["z"])
    return folder / "journal.jsonl"


def keep(folder, index, z):
    write_candidate(folder, index, np.zeros((2, 2), np.uint8), np.array(z))


def refused(folder, match):
    """What readers and writers say of a folder, which they leave as it is."""
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    for attempt in (read_events, Journal):
        with pytest.raises(JournalError, match=match) as caught:
            attempt(folder)
        assert "\n" not in str(caught.value)
    after = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    assert {path: data for path, data in after.items() if path.name != "campaign.lock"} == {
        path: data for path, data in before.items() if path.name != "campaign.lock"
    }
    return str(caught.value)


# -- what is missing ------------------------------------------------------------------------------


@pytest.mark.parametrize("lines", range(len(EVENTS)))
def test_a_journal_cut_at_a_line_end_is_refused_with_what_is_missing(tmp_path, lines):
    path = write(tmp_path)
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:lines]))
    said = refused(tmp_path, f"holds {lines} lines?, where journal.end knows of 6")
    assert f"{6 - lines} from line {lines + 1} on" in said
    results = sum(event["kind"] in ("tell", "fail") for event in EVENTS[lines:])
    assert f"{results} of 3 results" in said
    asked = {t["index"] for event in EVENTS[:lines] for t in event.get("trials", ())}
    if lost := sorted(set(ASKED) - asked):
        assert (f"trials {lost[0]} to {lost[-1]}" if len(lost) > 1 else f"trial {lost[0]}") in said
    else:
        assert "trials " not in said
    assert "--accept-shorter-past" in said
    assert "from a copy" in said


def test_a_deleted_journal_is_no_new_campaign(tmp_path):
    write(tmp_path).unlink()
    refused(tmp_path, "is missing, where journal.end knows of 6: .*trials 0 to 2, 3 of 3 results")
    (tmp_path / "journal.end").unlink()
    refused(tmp_path, "is missing and knows of 0 trials, but candidates/ has .* trials 0 to 2")
    shutil.rmtree(tmp_path / "candidates")
    with pytest.raises(CampaignError, match="holds no campaign"):
        read_events(tmp_path)


def test_structures_beyond_the_end_are_evidence_in_folders_of_older_versions(tmp_path):
    path = write(tmp_path)
    (tmp_path / "journal.end").unlink()
    whole = path.read_bytes()
    assert read_events(tmp_path) == EVENTS
    path.write_bytes(b"".join(whole.splitlines(keepends=True)[:3]))
    refused(tmp_path, "holds 3 lines and knows of 2 trials, but candidates/ has .* of trial 2: the")
    path.write_bytes(whole)
    with Journal(tmp_path) as journal:
        assert journal.events == EVENTS
    assert (tmp_path / "journal.end").exists()


def test_structures_beyond_the_end_are_evidence_where_both_files_are_of_an_older_copy(tmp_path):
    write(tmp_path, EVENTS[:4])
    copy = {name: (tmp_path / name).read_bytes() for name in ("journal.jsonl", "journal.end")}
    write(tmp_path, EVENTS[4:])
    for name, data in copy.items():
        (tmp_path / name).write_bytes(data)
    refused(tmp_path, "holds 4 lines and knows of 2 trials, but candidates/ has .* of trial 2: the")


def test_a_copy_of_a_known_structure_is_no_evidence(tmp_path):
    write(tmp_path)
    shutil.copy(candidate_path(tmp_path, 1), candidate_path(tmp_path, 7))
    assert read_events(tmp_path) == EVENTS
    Journal(tmp_path).close()


def test_an_end_of_an_older_copy_is_no_obstacle_and_one_of_another_campaign_is(tmp_path):
    path = write(tmp_path, EVENTS[:4])
    old = (tmp_path / "journal.end").read_bytes()
    write(tmp_path, EVENTS[4:])
    (tmp_path / "journal.end").write_bytes(old)
    assert read_events(tmp_path) == EVENTS
    other = write(tmp_path / "other", [EVENTS[0], {"kind": "settings"}, *EVENTS[1:]])
    shutil.copy(other.parent / "journal.end", tmp_path)
    path.write_bytes(path.read_bytes())
    refused(tmp_path, "holds 6 lines, where journal.end knows of 7")
    shutil.copy(tmp_path / "journal.end", other.parent)
    write(other.parent, [{"kind": "settings"}])
    shutil.copy(path, other.parent)
    (other.parent / "journal.end").write_bytes(old)
    assert read_events(other.parent) == EVENTS
    third = write(tmp_path / "third", [EVENTS[0], {"kind": "settings"}])
    shutil.copy(third.parent / "journal.end", tmp_path)
    refused(tmp_path, "line 2 is another one than journal.end knows: .* different campaigns")


def test_a_damaged_end_is_refused_and_one_damaged_line_of_it_is_not(tmp_path):
    write(tmp_path)
    path = tmp_path / "journal.end"
    whole = path.read_bytes()
    half = len(whole) // 2
    for damaged in (b"x" * half + whole[half:], whole[:half] + b"\0" * half, whole[:half]):
        path.write_bytes(damaged)
        assert read_events(tmp_path) == EVENTS
    path.write_bytes(b"x" * len(whole))
    refused(tmp_path, "journal.end: is damaged.* take the 6 lines that the journal has")


# -- what was changed, and what was torn ----------------------------------------------------------


def test_a_byte_of_the_last_line_that_was_changed_is_refused_wherever_it_is(tmp_path):
    path = write(tmp_path)
    whole = path.read_bytes()
    start = whole.rindex(b"\n", 0, -1) + 1
    for known in (True, False):
        if not known:  # as in a folder of an older version
            (tmp_path / "journal.end").unlink()
        for position in range(start, len(whole), 7 if known else 1):
            changed = bytearray(whole)
            changed[position] ^= 1
            path.write_bytes(changed)
            with pytest.raises(JournalError, match=r"line 6 of [67] is damaged; restore"):
                Journal(tmp_path)
            assert path.read_bytes() == changed
        path.write_bytes(whole[:-1] + b"}")
        refused(tmp_path, "line 6 of 6 is damaged")
        path.write_bytes(whole)


def test_more_than_the_last_line_torn_off_is_no_torn_line(tmp_path):
    path = write(tmp_path)
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:4]) + lines[4][:30])
    refused(tmp_path, "holds 4 lines, where journal.end knows of 6")
    path.write_bytes(b"".join(lines[:5]) + b'{"h": "0123456789abcdef", "e": {"ki')
    refused(tmp_path, "holds 5 lines, where journal.end knows of 6")


def test_a_torn_line_that_asked_for_trials_leaves_no_structure_of_theirs(tmp_path):
    path = write(tmp_path, EVENTS[:5])
    whole = path.read_bytes()
    path.write_bytes(whole[:-9])
    assert read_events(tmp_path) == EVENTS[:4]
    with Journal(tmp_path) as journal:
        assert journal.events == EVENTS[:4]
    assert kept_trials(tmp_path) == [0, 1]
    assert candidate_path(tmp_path, 2).with_name("0002.npz.other1").exists()
    with Journal(tmp_path) as journal:
        journal.append(EVENTS[4])
    assert path.read_bytes() == whole


@pytest.mark.parametrize(
    ("events", "lost"),
    [
        (EVENTS, "1 result"),
        (EVENTS[:5], "trial 2"),
        (EVENTS[:2], "trials 0 to 1"),
        ([*EVENTS, {"kind": "settings"}], "a change"),
    ],
)
def test_a_torn_line_is_told_of_with_what_is_lost_by_it(tmp_path, caplog, events, lost):
    path = write(tmp_path, events)
    whole = path.read_bytes()
    path.write_bytes(whole[:-7])
    read_events(tmp_path)
    assert "its last line is torn" in caplog.text
    assert f"journal.end knows it as whole: {lost} that had been recorded" in caplog.text
    with Journal(tmp_path) as journal:
        assert lost in journal.notice
    # As a kill leaves it: nobody was told of the line.
    shorter = tmp_path / "shorter"
    path = write(shorter, events[:-1])
    path.write_bytes(whole[:-7])
    caplog.clear()
    read_events(shorter)
    assert "nothing that was reported as done was in it" in caplog.text
    caplog.clear()
    with Journal(shorter) as journal:
        assert "nothing that was reported" in journal.notice
    read_events(shorter)
    assert caplog.text == ""


@pytest.mark.parametrize("gone", ["deleted", "emptied"])
def test_an_end_that_nobody_can_check_is_told_of(tmp_path, caplog, gone):
    asked = {"index": 0, "z": [0.5], "voxel_sha256": "0" * 64}
    events = [EVENTS[0], {"kind": "ask", "trials": [asked]}, EVENTS[2]]
    path = write(tmp_path, events)
    for torn, left in ((0, events), (9, events[:2])):
        path.write_bytes(path.read_bytes()[: -torn or None])
        if gone == "deleted":
            (tmp_path / "journal.end").unlink()
        else:
            (tmp_path / "journal.end").write_bytes(b"")
        caplog.clear()
        assert read_events(tmp_path) == left
        assert "journal.end: is missing or empty" in caplog.text
        assert ("its last line is torn" in caplog.text) == bool(torn)
        with Journal(tmp_path) as journal:
            assert "journal.end: is missing or empty" in journal.notice


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_line_ends_that_an_editor_changed_are_named_and_nothing_is_given_up(tmp_path, mark):
    path = write(tmp_path)
    whole = path.read_bytes()
    path.write_bytes(mark + whole.replace(b"\n", b"\r\n"))
    refused(tmp_path, "an editor has changed its line ends to CR LF.*Save it with LF")
    with pytest.raises(JournalError, match="CR LF"):
        Journal(tmp_path, accept_shorter_past=True)
    path.write_bytes(path.read_bytes().removeprefix(mark).replace(b"\r\n", b"\n"))
    assert read_events(tmp_path) == EVENTS


# -- accepted as it is ----------------------------------------------------------------------------


@pytest.mark.parametrize("damage", ["cut", "emptied", "deleted", "changed", "changed before"])
def test_a_shorter_past_is_accepted_on_demand_and_nothing_is_thrown_away(tmp_path, damage):
    path = write(tmp_path)
    lines = path.read_bytes().splitlines(keepends=True)
    changed = lines[-1].replace(b"2.0", b"9.0")
    left = {
        "cut": lines[:4],
        "emptied": [],
        "deleted": [],
        "changed": [*lines[:5], changed],
        "changed before": [*lines[:3], b"?\n", *lines[4:]],
    }[damage]
    path.write_bytes(b"".join(left))
    if damage == "deleted":
        path.unlink()
    refused(tmp_path, "--accept-shorter-past")
    intact = {"changed": 5, "changed before": 3}.get(damage, len(left))
    with Journal(tmp_path, accept_shorter_past=True) as journal:
        assert journal.events == EVENTS[:intact]
    assert path.read_bytes() == b"".join(lines[:intact])
    rest = b"".join(left[intact:])
    assert not rest or rest in (tmp_path / "journal.torn").read_bytes()
    asked = {t["index"] for event in EVENTS[:intact] for t in event.get("trials", ())}
    assert set(kept_trials(tmp_path)) == asked
    assert len(list((tmp_path / "candidates").iterdir())) == len(ASKED)
    write(tmp_path, EVENTS[intact:])
    assert read_events(tmp_path) == EVENTS


# -- killed at every step -------------------------------------------------------------------------

CALLS = ("write", "pwrite", "fsync", "ftruncate", "replace", "open")


def killed_at(step, work):
    """Whether `work`, in a process of its own, was killed at this of its calls that change disks.

    A write that is hit has written half of its bytes.
    """
    child = os.fork()
    if child == 0:
        left = step

        def counting(name):
            call = getattr(os, name)

            def counted(*arguments, **options):
                nonlocal left
                left -= 1
                if left < 0:
                    if name in ("write", "pwrite"):
                        descriptor, data, *place = arguments
                        call(descriptor, data[: len(data) // 2], *place)
                    os.kill(os.getpid(), signal.SIGKILL)
                return call(*arguments, **options)

            setattr(os, name, counted)

        for name in CALLS:
            counting(name)
        code = 1
        try:
            work()
            code = 0
        finally:
            os._exit(code)
    status = os.waitpid(child, 0)[1]
    assert os.WIFSIGNALED(status) or os.WEXITSTATUS(status) == 0
    return os.WIFSIGNALED(status)


@pytest.mark.slow
def test_a_kill_at_any_step_of_writing_loses_nothing_and_blocks_nobody(tmp_path):
    folder, acknowledged = tmp_path / "run", tmp_path / "acknowledged"
    acknowledged.touch()

    def work():
        with Journal(folder) as journal:
            for number, event in enumerate(EVENTS[:4], start=1):
                journal.append(event)
                os.truncate(acknowledged, number)  # its size tells how many lines are on the disk

    step, killed = 0, True
    while killed:
        shutil.rmtree(folder, ignore_errors=True)
        os.truncate(acknowledged, 0)
        killed = killed_at(step, work)
        written = acknowledged.stat().st_size
        found = read_events(folder) if (folder / "journal.jsonl").exists() else []
        assert found == EVENTS[: len(found)]
        assert written <= len(found) <= written + 1
        with Journal(folder) as journal:
            assert journal.events == found
            for event in EVENTS[len(found) :]:
                journal.append(event)
        assert read_events(folder) == EVENTS
        step += 1
    assert written == 4
    assert step > 4 * 4


@pytest.mark.slow
@pytest.mark.parametrize("event", ["ask", "tell"])
def test_a_kill_at_any_step_of_a_repair_leaves_what_can_be_repaired(tmp_path, event):
    write(tmp_path / "torn", EVENTS[:5] if event == "ask" else EVENTS)
    path = tmp_path / "torn" / "journal.jsonl"
    path.write_bytes(path.read_bytes()[:-5])
    expected = read_events(tmp_path / "torn")
    step, killed = 0, True
    while killed:
        folder = tmp_path / str(step)
        shutil.copytree(tmp_path / "torn", folder)
        killed = killed_at(step, lambda: Journal(folder).close())  # noqa: B023
        assert read_events(folder) == expected
        with Journal(folder) as journal:
            assert journal.events == expected
        step += 1
    assert step > 6


@pytest.mark.slow
def test_a_kill_at_any_step_of_accepting_leaves_it_accepted_or_to_be_asked_again(tmp_path):
    write(tmp_path / "cut")
    path = tmp_path / "cut" / "journal.jsonl"
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([*lines[:3], b"?\n", *lines[4:]]))
    step, killed = 0, True
    while killed:
        folder = tmp_path / str(step)
        shutil.copytree(tmp_path / "cut", folder)

        def accept(folder=folder):
            Journal(folder, accept_shorter_past=True).close()

        killed = killed_at(step, accept)
        try:
            assert read_events(folder) == EVENTS[:3]
        except JournalError:
            assert killed
        accept()
        assert read_events(folder) == EVENTS[:3]
        assert b"".join(lines[4:]) in (folder / "journal.torn").read_bytes()
        step += 1
    assert step > 6


# -- while it is written --------------------------------------------------------------------------


def test_an_end_that_cannot_be_written_takes_its_line_back(tmp_path):
    path = write(tmp_path, EVENTS[:3])
    with Journal(tmp_path) as journal:
        before = path.read_bytes()
        (tmp_path / "journal.end").unlink()
        (tmp_path / ".journal.end.part").mkdir()
        with pytest.raises(CampaignError, match="cannot be written"):
            journal.append(EVENTS[3])
        assert (path.read_bytes(), journal.events) == (before, EVENTS[:3])
        (tmp_path / ".journal.end.part").rmdir()
        journal.append(EVENTS[3])
    assert read_events(tmp_path) == EVENTS[:4]


def test_an_end_that_was_deleted_is_written_again(tmp_path):
    with Journal(tmp_path) as journal:
        for event in EVENTS:
            (tmp_path / "journal.end").unlink()
            journal.append(event)
    assert json.loads((tmp_path / "journal.end").read_text().splitlines()[0])["e"]["lines"] == 6


@pytest.mark.parametrize("how", ["deleted", "replaced", "emptied", "cut", "grown"])
def test_a_journal_that_is_lost_under_a_running_campaign_is_rescued(tmp_path, how):
    path = write(tmp_path, EVENTS[:5])
    with Journal(tmp_path) as journal:
        whole = path.read_bytes()
        if how == "deleted":
            path.unlink()
        elif how == "replaced":
            (tmp_path / "new").write_bytes(whole[:100])
            os.replace(tmp_path / "new", path)
        else:
            path.write_bytes({"emptied": b"", "cut": whole[:-200], "grown": whole + b"x"}[how])
        left = path.read_bytes() if path.exists() else None
        for _ in range(2):
            with pytest.raises(JournalError, match=r"while process .* which stops here") as caught:
                journal.append(EVENTS[5])
        rescued = tmp_path / "journal.rescued"
        assert f"is in {rescued}: put that in its place" in str(caught.value)
        assert left == (path.read_bytes() if path.exists() else None)
    os.replace(rescued, path)
    assert path.read_bytes() == whole
    assert read_events(tmp_path) == EVENTS[:5]


def test_a_folder_that_is_moved_under_a_running_campaign_stops_it(tmp_path):
    path = write(tmp_path / "run", EVENTS[:5])
    with Journal(tmp_path / "run") as journal:
        whole = path.read_bytes()
        (tmp_path / "run").rename(tmp_path / "moved")
        with pytest.raises(JournalError, match=r"was moved, or its folder was.*move it back"):
            journal.append(EVENTS[5])
        write(tmp_path / "run", EVENTS[:1])
        with pytest.raises(JournalError, match="is another file now"):
            journal.append(EVENTS[5])
        shutil.rmtree(tmp_path / "run")
        (tmp_path / "moved").rename(tmp_path / "run")
        assert path.read_bytes() == whole
        journal.append(EVENTS[5])
    assert read_events(tmp_path / "run") == EVENTS


def test_a_reader_that_comes_in_the_middle_of_a_repair_looks_again(tmp_path):
    import threading
    import time

    write(tmp_path)
    path = tmp_path / "journal.jsonl"
    whole = path.read_bytes()
    path.write_bytes(b"".join(whole.splitlines(keepends=True)[:4]))
    thread = threading.Thread(target=lambda: (time.sleep(0.05), path.write_bytes(whole)))
    thread.start()
    assert read_events(tmp_path) == EVENTS
    thread.join()

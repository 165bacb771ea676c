import json
import math
import os
import subprocess
import sys
import time

import pytest

from latentopt.errors import CampaignError, CampaignLockedError, JournalError
from latentopt.journal import FORMAT_VERSION, Journal, lock_holder, read_events

HEADER = {"kind": "campaign", "format_version": FORMAT_VERSION}


def write(folder, n=5):
    with Journal(folder) as journal:
        journal.append(HEADER)
        for i in range(n):
            journal.append({"kind": "tell", "trial": i, "metrics": {"k_xx": math.pi * i}})
    return folder / "journal.jsonl"


def test_events_come_back_exactly_and_in_order(tmp_path):
    write(tmp_path)
    events = read_events(tmp_path)
    assert events[0] == HEADER
    assert [e["metrics"]["k_xx"] for e in events[1:]] == [math.pi * i for i in range(5)]
    with Journal(tmp_path) as journal:
        assert journal.events == events


def test_each_line_is_plain_json(tmp_path):
    lines = write(tmp_path).read_text().splitlines()
    assert [json.loads(line)["e"] for line in lines] == read_events(tmp_path)


def test_a_last_line_torn_at_any_byte_is_repaired_and_the_rest_kept(tmp_path):
    path = write(tmp_path)
    whole = path.read_bytes()
    events = read_events(tmp_path)
    start = whole.rindex(b"\n", 0, -1) + 1
    for cut in range(start + 1, len(whole)):
        path.write_bytes(whole[:cut])
        assert read_events(tmp_path) == events[:-1]
        with Journal(tmp_path) as journal:
            assert journal.repaired_bytes == cut - start
            journal.append(events[-1])
        assert path.read_bytes() == whole


def test_torn_bytes_are_kept_aside(tmp_path):
    path = write(tmp_path)
    path.write_bytes(path.read_bytes() + b'{"h": "abc", "e": {"ki')
    Journal(tmp_path).close()
    assert b'"ki' in (tmp_path / "journal.torn").read_bytes()


def test_a_damaged_middle_is_refused_with_its_line_number_and_left_alone(tmp_path):
    path = write(tmp_path)
    raw = path.read_bytes()
    lines = raw.splitlines(keepends=True)
    for number in range(1, len(lines)):
        for position in (0, 8, 30, len(lines[number - 1]) - 3):
            damaged = [bytearray(line) for line in lines]
            damaged[number - 1][position] ^= 1
            path.write_bytes(b"".join(damaged))
            with pytest.raises(JournalError, match=f"line {number} of {len(lines)} is damaged"):
                Journal(tmp_path)
            assert path.read_bytes() == b"".join(damaged)


@pytest.mark.parametrize("change", ["removed", "doubled", "swapped"])
def test_a_missing_doubled_or_moved_line_is_noticed(tmp_path, change):
    path = write(tmp_path)
    lines = path.read_bytes().splitlines(keepends=True)
    new = {
        "removed": lines[:2] + lines[3:],
        "doubled": [*lines[:3], *lines[2:]],
        "swapped": [*lines[:2], lines[3], lines[2], *lines[4:]],
    }[change]
    path.write_bytes(b"".join(new))
    with pytest.raises(JournalError, match=r"line [34]"):
        read_events(tmp_path)


def test_nan_is_never_written(tmp_path):
    path = write(tmp_path)
    before = path.read_bytes()
    with Journal(tmp_path) as journal, pytest.raises(ValueError, match="JSON"):
        journal.append({"kind": "tell", "value": math.nan})
    assert path.read_bytes() == before


def test_a_newer_format_is_refused_by_number(tmp_path):
    with Journal(tmp_path) as journal:
        journal.append({"kind": "campaign", "format_version": 99})
    with pytest.raises(JournalError, match="format 99"):
        read_events(tmp_path)


def test_a_folder_without_a_journal_is_named(tmp_path):
    with pytest.raises(CampaignError, match="holds no campaign"):
        read_events(tmp_path / "nothing")


def test_a_second_process_is_refused_and_a_dead_one_is_no_obstacle(tmp_path):
    code = (
        "import sys, time; from latentopt.journal import Journal; "
        "journal = Journal(sys.argv[1]); print('open', flush=True); time.sleep(60)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout.readline() == "open\n"
        with pytest.raises(CampaignLockedError, match=f"process {other.pid} on .*stop it"):
            Journal(tmp_path)
        assert read_events(tmp_path) == []  # reading needs no lock
        other.kill()
    Journal(tmp_path).close()


def test_who_holds_a_folder_is_known_without_taking_it(tmp_path):
    assert lock_holder(tmp_path) is None
    with Journal(tmp_path):
        owner, since = lock_holder(tmp_path)
        assert owner.startswith(f"process {os.getpid()} on ")
        assert abs(since - time.time()) < 60
    assert lock_holder(tmp_path) is None
    Journal(tmp_path).close()


def test_closing_releases_the_folder(tmp_path):
    first = Journal(tmp_path)
    with pytest.raises(CampaignLockedError, match=str(os.getpid())):
        Journal(tmp_path)
    first.close()
    first.close()
    Journal(tmp_path).close()


def test_a_full_disk_is_one_clear_error_and_the_journal_stays_readable(tmp_path):
    write(tmp_path)
    code = """
import resource, sys
from latentopt.errors import CampaignError
from latentopt.journal import Journal
with Journal(sys.argv[1]) as journal:
    size = journal.folder.joinpath("journal.jsonl").stat().st_size
    resource.setrlimit(resource.RLIMIT_FSIZE, (size + 100, resource.RLIM_INFINITY))
    try:
        journal.append({"kind": "ask", "z": [0.5] * 64})
    except CampaignError as error:
        print(error)
    journal.append({"kind": "small"})
"""
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=True
    )
    assert "cannot be written (File too large); make room" in done.stdout
    assert [event["kind"] for event in read_events(tmp_path)][-2:] == ["tell", "small"]


def test_a_read_only_place_is_one_clear_error():
    with pytest.raises(CampaignError, match="cannot be written"):
        Journal("/proc/latentopt")


def test_ten_thousand_trials_are_read_to_the_last(tmp_path):
    z = [math.sin(i) for i in range(64)]
    with pytest.MonkeyPatch.context() as patch, Journal(tmp_path) as journal:
        patch.setattr(os, "fsync", lambda descriptor: None)  # ten thousand of them take a minute
        journal.append(HEADER)
        for i in range(0, 10_000, 5):
            points = [{"index": i + j, "z": z} for j in range(5)]
            journal.append({"kind": "ask", "strategy": "prior", "trials": points})
        for i in range(10_000):
            journal.append({"kind": "tell", "trial": i, "metrics": {"k_xx": 1.5}, "seconds": 0.1})
    events = read_events(tmp_path)
    assert len(events) == 12_001
    assert sorted(e["trial"] for e in events if e["kind"] == "tell") == list(range(10_000))
    assert events[2000]["trials"][-1] == {"index": 9_999, "z": z}

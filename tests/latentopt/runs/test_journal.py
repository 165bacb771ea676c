import json
import math
import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import pytest

from latentopt.errors import CampaignError, CampaignLockedError, JournalError
from latentopt.runs import journal as journal_module
from latentopt.runs.journal import FORMAT_VERSION, Journal, lock_holder, read_events
from latentopt.runs.journal_lines import line_of

HEADER = {"kind": "campaign", "format_version": FORMAT_VERSION}


@pytest.fixture(autouse=True)
def readers_look_again_soon(monkeypatch):
    monkeypatch.setattr(journal_module, "_MOMENT", 0.001)


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


@contextmanager
def other_process(folder, then="time.sleep(60)"):
    """A process that holds the journal of a folder until it is killed."""
    code = (
        "import os, sys, time; from latentopt.runs.journal import Journal; "
        f"journal = Journal(sys.argv[1]); print('open', flush=True); {then}"
    )
    command = [sys.executable, "-c", code, str(folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout.readline() == "open\n"
            yield process
        finally:
            process.kill()


def test_a_second_process_is_refused_and_a_dead_one_is_no_obstacle(tmp_path):
    with other_process(tmp_path) as other:
        with pytest.raises(CampaignLockedError, match=f"process {other.pid} on .*stop it"):
            Journal(tmp_path)
        assert read_events(tmp_path) == []  # reading needs no lock
    Journal(tmp_path).close()


def test_deleting_the_lock_file_lets_nobody_in(tmp_path):
    """The journal itself is locked, and journal.end knows who has it."""
    with other_process(tmp_path) as other:
        for deleted in (["campaign.lock"], ["campaign.lock", "journal.end"]):
            for name in deleted:
                (tmp_path / name).unlink(missing_ok=True)
            named = "another process" if "journal.end" in deleted else f"process {other.pid} on "
            assert lock_holder(tmp_path)[0].startswith(named)
            with pytest.raises(CampaignLockedError, match=f"{named}.*is running this campaign; wa"):
                Journal(tmp_path)
            assert lock_holder(tmp_path)[0].startswith(named)
        other.kill()
    Journal(tmp_path).close()
    assert lock_holder(tmp_path) is None


def test_a_lock_of_an_older_version_is_kept_out_of(tmp_path):
    """It locks nothing but its file."""
    import fcntl

    write(tmp_path)
    with (tmp_path / "campaign.lock").open("r+b") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        with pytest.raises(CampaignLockedError, match="is running this campaign"):
            Journal(tmp_path)
        assert lock_holder(tmp_path)


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="needs Linux's /proc")
def test_a_copy_of_the_process_holds_nothing(tmp_path):
    """A fork that outlives its campaign is no obstacle to the next one, and writes nothing."""
    with other_process(tmp_path, "os.fork(); time.sleep(60)") as other:
        children = Path(f"/proc/{other.pid}/task/{other.pid}/children")
        while not (child := children.read_text().split()):
            time.sleep(0.01)
        with pytest.raises(CampaignLockedError, match=f"process {other.pid} on "):
            Journal(tmp_path)
    try:
        Journal(tmp_path).close()
    finally:
        os.kill(int(child[0]), signal.SIGKILL)
    with Journal(tmp_path) as journal:
        pid = os.fork()
        if pid == 0:
            try:
                journal.append({"kind": "copied"})
            except CampaignError:
                os._exit(3)
            os._exit(0)
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 3
        journal.append(HEADER)
    assert read_events(tmp_path) == [HEADER]


def test_whoever_forgets_a_journal_releases_the_folder(tmp_path):
    Journal(tmp_path)
    Journal(tmp_path).close()


def test_a_closed_journal_takes_no_line(tmp_path):
    path = write(tmp_path)
    before = path.read_bytes()
    journal = Journal(tmp_path)
    journal.close()
    with pytest.raises(CampaignError, match="was closed"):
        journal.append({"kind": "small"})
    assert path.read_bytes() == before


def test_a_disk_without_locks_is_refused_and_read(tmp_path, monkeypatch):
    import errno
    import fcntl

    write(tmp_path)

    def no_locks(*_):
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(fcntl, "flock", no_locks)
    with pytest.raises(CampaignError, match=r"cannot be locked \(No locks available\)"):
        Journal(tmp_path)
    assert lock_holder(tmp_path) is None
    assert len(read_events(tmp_path)) == 6


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
from latentopt.runs.journal import Journal
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
    asks = [
        {"kind": "ask", "strategy": "prior", "trials": [{"index": i + j, "z": z} for j in range(5)]}
        for i in range(0, 10_000, 5)
    ]
    tells = [
        {"kind": "tell", "trial": i, "metrics": {"k_xx": 1.5}, "seconds": 0.1}
        for i in range(10_000)
    ]
    digest = ""
    with (tmp_path / "journal.jsonl").open("wb") as file:
        for event in [HEADER, *asks, *tells]:
            line, digest = line_of(json.dumps(event), digest)
            file.write(line)
    events = read_events(tmp_path)
    assert len(events) == 12_001
    assert sorted(e["trial"] for e in events if e["kind"] == "tell") == list(range(10_000))
    assert events[2000]["trials"][-1] == {"index": 9_999, "z": z}

"""A campaign that lacks its end is named by every command; `latentopt repair` puts it in order."""

import shutil
import time
from pathlib import Path

import numpy as np
import pytest

from latentopt.campaign.campaign import Campaign
from latentopt.errors import JournalError
from latentopt.runs.candidates import candidate_path
from latentopt.runs.exports import export_candidates
from latentopt.runs.journal import lock_holder, read_events
from latentopt.runs.run import Run
from latentopt.runs.status import read_status

SETTINGS = """
space: {space}
objective: volume_fraction
evaluate: [volume_fraction]
strategy: prior
engine: serial
trials: 4
batch: 2
folder: {folder}
"""


@pytest.fixture(scope="module")
def made(tiny_space_folder, tmp_path_factory):
    """A finished campaign with an export, its settings and measured data."""
    place = tmp_path_factory.mktemp("made")
    settings = SETTINGS.format(space=tiny_space_folder, folder="run")
    (place / "campaign.yaml").write_text(settings)
    campaign = Campaign.from_yaml(place / "campaign.yaml", folder=str(place / "run"))
    found = campaign.run(progress=False)
    export_candidates(found, [0], "npz", place / "run" / "exports")
    shutil.copytree(place / "run", place / "other")
    np.save(place / "images.npy", np.zeros((1, 1, 8, 8), np.float32))
    (place / "data.csv").write_text("image,volume_fraction\n0,0.5\n")
    return place


@pytest.fixture
def here(made, tmp_path, monkeypatch):
    """A copy of it as the working folder."""
    shutil.copytree(made, tmp_path / "here")
    monkeypatch.chdir(tmp_path / "here")
    return tmp_path / "here"


COMMANDS = {
    "status": ("status", "run"),
    "watch": ("status", "run", "--watch"),
    "json": ("status", "run", "--json"),
    "report": ("report", "run"),
    "baseline": ("report", "other", "--baseline", "run"),
    "export": ("export", "run"),
    "verify": ("export", "verify", "run/exports/trial_0000.npz", "--run", "run"),
    "optimize": ("optimize", "campaign.yaml"),
    "more": ("optimize", "campaign.yaml", "--trials", "9"),
    "import": ("import", "campaign.yaml", "data.csv", "--images", "images.npy"),
    "repair": ("repair", "run"),
}
every_command = pytest.mark.parametrize("command", COMMANDS)


@pytest.mark.parametrize("damage", ["cut", "deleted", "changed"])
@every_command
def test_every_command_says_that_the_end_is_missing(here, run, command, damage):
    path = here / "run" / "journal.jsonl"
    lines = path.read_bytes().splitlines(keepends=True)
    if damage == "deleted":
        path.unlink()
    else:
        changed = [*lines[:-1], lines[-1].replace(b"tell", b"fell")]
        path.write_bytes(b"".join({"cut": lines[:-2], "changed": changed}[damage]))
    before = path.read_bytes() if path.exists() else None
    code, _, error = run(*COMMANDS[command])
    (line,) = error.splitlines()
    assert code == 4
    assert line.startswith("latentopt: ")
    assert "run/journal.jsonl: " in line
    assert {
        "cut": "holds 5 lines, where journal.end knows of 7: the end is missing (2 from line 6 on",
        "deleted": "is missing, where journal.end knows of 7: the end is missing (7 from line 1 on",
        "changed": "line 7 of 7 is damaged; restore the file from a copy",
    }[damage] in line
    assert "latentopt repair " in line
    assert line.endswith("run --accept-shorter-past")
    assert before == (path.read_bytes() if path.exists() else None)


@pytest.mark.parametrize("attempt", [Run.read, Campaign.resume, read_status])
def test_and_so_does_python(here, attempt):
    path = here / "run" / "journal.jsonl"
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:-1]))
    with pytest.raises(JournalError, match=r"1 from line 7 on, 1 of 4 results\)"):
        attempt(here / "run")


def test_what_is_accepted_goes_on_and_is_said(here, run):
    path = here / "run" / "journal.jsonl"
    whole = read_events("run")
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:4]))
    code, out, error = run("repair", "run", "--accept-shorter-past")
    assert (code, error) == (0, "")
    assert "run: accepted as it is; before: run/journal.jsonl: holds 4 lines, where" in out
    assert "2 of 4 trials completed" in run("status", "run")[1]
    assert run("optimize", "campaign.yaml")[0] == 0
    again = read_events("run")
    for kind, what in (("ask", "trials"), ("tell", "metrics")):
        told = [event[what] for event in again if event["kind"] == kind]
        assert told == [event[what] for event in whole if event["kind"] == kind]
    assert sorted(p.name for p in (here / "run" / "candidates").glob("*.other1")) == [
        "0002.npz.other1",
        "0003.npz.other1",
    ]
    code, out, _ = run("repair", "run", "--accept-shorter-past")
    assert (code, out) == (
        0,
        "run: the journal is whole, and every structure is that of its trial\n",
    )


def test_structures_are_decoded_again_and_a_folder_without_a_campaign_is_left_alone(here, run):
    shutil.copy(candidate_path(Path("run"), 2), candidate_path(Path("run"), 0))
    candidate_path(Path("run"), 1).unlink()
    code, out, error = run("repair", "run")
    assert (code, error) == (0, "")
    assert "run: decoded again: trials 0, 1" in out
    assert run("export", "run", "--trial", 0)[0] == 0
    code, _, error = run("repair", "nowhere")
    assert code == 4
    assert "nowhere: holds no campaign" in error
    assert not Path("nowhere").exists()


def test_a_structure_that_cannot_be_decoded_again_is_named(here, run, tiny_space_folder):
    candidate_path(Path("run"), 1).unlink()
    code, _, error = run("repair", "run", "--space", "default")
    assert code == 0, error  # the campaign's own space is used: the one given is another
    shutil.copytree(tiny_space_folder, here / "space")
    Path("campaign.yaml").write_text(SETTINGS.format(space="space", folder="second"))
    assert run("optimize", "campaign.yaml")[0] == 0
    candidate_path(Path("second"), 1).unlink()
    shutil.rmtree("space")
    code, _, error = run("repair", "second")
    assert code == 4
    assert "second/candidates/0001.npz: cannot be made again: " in error
    assert run("repair", "second", "--space", tiny_space_folder)[0] == 0


def kinds(folder):
    return {event["kind"] for event in read_events(folder)}


@pytest.fixture
def running(here, fork, tiny_space_folder):
    """A campaign that another process runs."""
    settings = SETTINGS.format(space=tiny_space_folder, folder="slow")
    settings = settings.replace("[volume_fraction]", "[{kind: import, target: 'slowly:f'}]")
    settings = settings.replace("volume_fraction", "v")
    settings = settings.replace("trials: 4", "trials: 500\ndry_run: false")
    Path("slowly.py").write_text(
        "import time\n\ndef f(images):\n    time.sleep(0.3)\n    return {'v': 1.0}\n"
    )
    Path("slow.yaml").write_text(settings)
    process = fork("optimize", "slow.yaml", cwd=here)
    for _ in range(600):
        # The second evaluation has begun: for a while, nothing is written.
        if candidate_path(Path("slow"), 1).exists() and "tell" in kinds("slow"):
            break
        time.sleep(0.05)
    return process


@pytest.mark.slow
def test_without_its_lock_file_a_campaign_that_runs_is_left_to_its_process(running, run):
    Path("slow/campaign.lock").unlink()
    code, _, error = run("optimize", "slow.yaml")
    assert code == 4
    assert f"process {running.pid} on " in error
    assert f"process {running.pid} on " in run("status", "slow")[1]
    assert lock_holder("slow")[0].startswith(f"process {running.pid} on ")
    assert running.poll() is None


@pytest.mark.slow
@pytest.mark.parametrize("how", ["deleted", "moved", "folder moved", "emptied"])
def test_a_process_whose_journal_is_taken_away_stops_and_says_so(running, run, how):
    path = Path("slow/journal.jsonl")
    if how == "deleted":
        path.unlink()
    elif how == "moved":
        path.rename("slow/journal.old")
    elif how == "folder moved":
        Path("slow").rename("fast")
    else:
        path.write_bytes(b"")
    _, error = running.communicate(timeout=60)
    assert running.returncode == 4
    (line,) = error.strip().splitlines()[-1:]
    assert "slow/journal.jsonl: " in line
    assert "which stops here" in line
    if how in ("deleted", "emptied"):
        Path("slow/journal.rescued").replace(path)
    elif how == "moved":
        Path("slow/journal.old").rename(path)
    else:
        assert not Path("slow").exists(), "nothing was written beside it"
        Path("fast").rename("slow")
    ended = sum(event["kind"] == "tell" for event in read_events("slow"))
    assert ended >= 1
    assert run("optimize", "slow.yaml", "--trials", ended + 1)[0] == 0
    assert sum(event["kind"] == "tell" for event in read_events("slow")) >= ended + 1

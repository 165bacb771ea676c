"""Campaigns on a disk that is full or refuses: one clear error, and nothing computed is lost."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from latentopt.campaign.campaign import Campaign
from latentopt.errors import CampaignError
from latentopt.runs.candidates import candidate_path
from latentopt.runs.run import Run

ROOT = Path(__file__).parents[3]
TRIALS = 8


def mean(images):
    return {"mean": float(images.double().mean())}


@pytest.fixture
def make(tiny_space, tmp_path):
    def call(folder="run", objective=mean):
        return Campaign(
            space=tiny_space,
            objective="mean",
            objectives=[objective],
            strategy="prior",
            engine="serial",
            dry_run=False,
            score="decoded",
            trials=TRIALS,
            batch=3,
            folder=tmp_path / folder,
        )

    return call


def rows(run):
    return [(t.index, t.z.tolist(), t.status, dict(t.metrics)) for t in run.trials]


# A journal that may grow by a few hundred bytes more at each attempt.
FILLING_DISK = """
import resource, sys
from latentopt.campaign.campaign import Campaign
from latentopt.errors import CampaignError
from latentopt.runs.run import Run

space, folder = sys.argv[1:]
calls, problems, ended = [], [], 0

def mean(images):
    value = float(images.double().mean())
    calls.append(value)
    return {"mean": value}

def limit(size):
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))

for size in range(200, 20_000, 130):
    limit(size)
    try:
        campaign = Campaign(space=space, objective="mean", objectives=[mean], strategy="prior",
                            engine="serial", dry_run=False, score="decoded",
                            trials=8, batch=3, folder=folder)
        campaign.run(progress=False)
        break
    except CampaignError as error:
        problems.append(str(error))
    try:
        before, ended = ended, sum(t.status == "completed" for t in Run.read(folder).trials)
        assert ended >= before, "lost"
    except CampaignError as error:
        assert not calls, error
for value in set(calls):  # again only what the message said was not saved
    assert calls.count(value) == 1 + sum(repr(value) in problem for problem in problems)
print(*problems, sep="\\n")
"""


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="limits are a POSIX thing")
def test_a_disk_that_is_full_at_any_moment_costs_one_line_and_at_most_one_evaluation(
    make, tiny_space_folder, tmp_path
):
    folder = tmp_path / "filled"
    done = subprocess.run(
        [sys.executable, "-c", FILLING_DISK, str(tiny_space_folder), str(folder)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert (done.returncode, done.stderr) == (0, "")
    problems = done.stdout.splitlines()
    assert len(problems) > 10
    for problem in problems:
        assert problem.startswith(f"{folder}/")
        assert "cannot be written (File too large); make room" in problem
    assert any("journal.jsonl" in p and "Not saved: trial" in p for p in problems)
    assert rows(Run.read(folder)) == rows(make("whole").run(progress=False))
    assert len(list((folder / "candidates").iterdir())) == TRIALS


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs Linux's /dev/full")
@pytest.mark.filterwarnings("error::pytest.PytestUnraisableExceptionWarning")
def test_a_structure_that_cannot_be_kept_stops_the_campaign_until_there_is_room(
    make, tmp_path, capfd
):
    make().run(2, progress=False)
    part = tmp_path / "run" / "candidates" / ".0004.npz.part"
    part.symlink_to("/dev/full")
    with pytest.raises(CampaignError, match=r"0004.npz: cannot be written \(No space") as caught:
        make().run(progress=False)
    assert "make room" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert capfd.readouterr().err == ""
    run = Run.read(tmp_path / "run")
    assert [t.status for t in run.trials] == ["completed"] * 3 + ["pending"] * 3
    run = make().run(progress=False)
    assert rows(run) == rows(make("whole").run(progress=False))
    assert candidate_path(tmp_path / "run", 4).exists()
    assert not part.is_symlink()


def test_a_file_in_the_place_of_the_folder_of_structures_is_named(make, tmp_path):
    with make():
        (tmp_path / "run" / "candidates").touch()
    with pytest.raises(CampaignError, match=r"candidates/0000.npz: cannot be written \("):
        make().run(progress=False)
    (tmp_path / "run" / "candidates").unlink()
    assert [t.status for t in make().run(progress=False).trials] == ["completed"] * TRIALS


def test_a_folder_that_cannot_be_made_is_one_clear_error(make, tmp_path):
    (tmp_path / "file").touch()
    for folder in ("file", "file/below"):
        with pytest.raises(CampaignError, match=r"cannot be written \(.*make room") as caught:
            make(folder)
        assert str(tmp_path / folder) in str(caught.value)
        assert "\n" not in str(caught.value)


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_became_read_only_loses_nothing(make, tmp_path):
    run = make().run(2, progress=False)
    folder = tmp_path / "run"
    for path in (folder / "journal.jsonl", folder / "campaign.lock", folder):
        path.chmod(path.stat().st_mode & ~0o222)
    try:
        with pytest.raises(CampaignError, match=r"cannot be written \(Permission denied\)"):
            make()
        assert rows(Run.read(folder)) == rows(run)
    finally:
        for path in (folder, folder / "journal.jsonl", folder / "campaign.lock"):
            path.chmod(path.stat().st_mode | 0o200)
    assert len(make().run(progress=False).trials) == TRIALS


TELL_TWICE = """
import resource, sys
from latentopt.campaign.campaign import Campaign
from latentopt.errors import CampaignError

space, folder = sys.argv[1:]
campaign = Campaign(space=space, objective="mean", objectives=[lambda images: {"mean": 0.0}],
                    strategy="prior", engine="serial", dry_run=False, folder=folder)
campaign.ask(2)
size = campaign.config.path.joinpath("journal.jsonl").stat().st_size
resource.setrlimit(resource.RLIMIT_FSIZE, (size + 20, resource.RLIM_INFINITY))
for call in (lambda: campaign.tell(0, {"mean": 0.25}), lambda: campaign.fail(1, "cracked")):
    try:
        call()
    except CampaignError as error:
        print(error)
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
assert campaign.tell(0, {"mean": 0.25}).status == "completed"
assert campaign.fail(1, "cracked").status == "failed"
"""


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="limits are a POSIX thing")
def test_what_could_not_be_saved_is_in_the_message_and_can_be_told_again(
    tiny_space_folder, tmp_path
):
    done = subprocess.run(
        [sys.executable, "-c", TELL_TWICE, str(tiny_space_folder), str(tmp_path / "run")],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert (done.returncode, done.stderr) == (0, "")
    told, failed = done.stdout.splitlines()
    assert "Not saved: trial 0, metrics {" in told
    assert "'mean': 0.25" in told
    assert "Not saved: trial 1, reason cracked." in failed
    first, second = Run.read(tmp_path / "run").trials
    assert (first.metrics["mean"], second.reason) == (0.25, "cracked")

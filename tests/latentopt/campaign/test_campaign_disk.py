"""Campaigns on a disk that is full or refuses: one clear error, and nothing computed is lost."""

import os
from pathlib import Path

import pytest

from latentopt.campaign.campaign import Campaign
from latentopt.errors import CampaignError
from latentopt.runs.candidates import candidate_path
from latentopt.runs.run import Run

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


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="limits are a POSIX thing")
def test_a_disk_that_is_full_at_any_moment_costs_one_line_and_at_most_one_evaluation(
    make, files_of_at_most, tmp_path, capfd
):
    folder = tmp_path / "filled"
    calls, problems, ended = [], [], 0

    def noted(images):
        calls.append(mean(images)["mean"])
        return {"mean": calls[-1]}

    for size in range(200, 20_000, 130):  # a journal that may grow by a little at each attempt
        try:
            with files_of_at_most(size):
                make("filled", noted).run(progress=False)
            break
        except CampaignError as error:
            problems.append(str(error))
        try:
            run = Run.read(folder)
        except CampaignError:
            if calls:
                raise
            continue
        before, ended = ended, sum(t.status == "completed" for t in run.trials)
        assert ended >= before, "lost"
    for value in set(calls):  # again only what the message said was not saved
        assert calls.count(value) == 1 + sum(repr(value) in problem for problem in problems)
    assert capfd.readouterr().err == ""
    assert len(problems) > 10
    for problem in problems:
        assert problem.startswith(f"{folder}/")
        assert "\n" not in problem
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


@pytest.mark.skipif(os.name != "posix", reason="limits are a POSIX thing")
def test_what_could_not_be_saved_is_in_the_message_and_can_be_told_again(
    make, files_of_at_most, tmp_path, capfd
):
    with make() as campaign:
        campaign.ask(2)
        size = (tmp_path / "run" / "journal.jsonl").stat().st_size
        with files_of_at_most(size + 20):
            with pytest.raises(CampaignError) as told:
                campaign.tell(0, {"mean": 0.25})
            with pytest.raises(CampaignError) as failed:
                campaign.fail(1, "cracked")
        assert campaign.tell(0, {"mean": 0.25}).status == "completed"
        assert campaign.fail(1, "cracked").status == "failed"
    assert capfd.readouterr().err == ""
    for error in (told, failed):
        assert "\n" not in str(error.value)
    assert "Not saved: trial 0, metrics {" in str(told.value)
    assert "'mean': 0.25" in str(told.value)
    assert "Not saved: trial 1, reason cracked." in str(failed.value)
    first, second = Run.read(tmp_path / "run").trials
    assert (first.metrics["mean"], second.reason) == (0.25, "cracked")

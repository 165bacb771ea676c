"""A candidate file is its trial's structure or it is refused, by every reader and with a remedy."""

import json
import re
import shutil

import numpy as np
import pytest
import torch

from latentopt.campaign.campaign import Campaign
from latentopt.campaign.repair import repair
from latentopt.errors import CampaignError, ConfigError, ExportError, JournalError
from latentopt.export import verify
from latentopt.export.sidecar import as_text
from latentopt.microstructure import to_phases, voxel_sha256
from latentopt.report import write_report
from latentopt.runs.candidates import candidate_path, read_phases, write_candidate
from latentopt.runs.exports import export_candidates
from latentopt.runs.journal_lines import line_of
from latentopt.runs.run import Run
from latentopt.simulators.cache import ResultCache
from latentopt.simulators.result import SimulationResult


def mean(images):
    return {"mean": float(images.double().mean())}


@pytest.fixture
def make(tiny_space_folder, tmp_path):
    def call(**settings):
        settings = {"objectives": [mean], "strategy": "prior", "trials": 4, "batch": 4} | settings
        return Campaign(
            space=tiny_space_folder,
            objective="mean",
            engine="serial",
            dry_run=False,
            folder=tmp_path / "run",
            **settings,
        )

    return call


@pytest.fixture
def folder(make, tmp_path):
    make().run(progress=False)
    return tmp_path / "run"


def other_voxel(path, phases, z):
    phases[0, 0] ^= 1
    np.savez(path, phases=phases, z=z)


def other_z(path, phases, z):
    np.savez(path, phases=phases, z=np.nextafter(z, 1))


def other_shape(path, phases, z):
    np.savez(path, phases=phases.reshape(4, 16), z=z)


def other_label(path, phases, z):
    phases[phases == 1] = 2
    np.savez(path, phases=phases, z=z)


def other_type(path, phases, z):
    np.savez(path, phases=phases.astype(np.int64), z=z)


def transposed(path, phases, z):
    np.savez(path, phases=phases.T, z=z)


def other_trial(path, phases, z):
    shutil.copy(path.with_name("0002.npz"), path)


def its_z_alone(path, phases, z):
    """The structure of another trial under the z of this one."""
    np.savez(path, phases=read_phases(path.parents[1], 2), z=z)


def emptied(path, phases, z):
    path.write_bytes(b"")


def deleted(path, phases, z):
    path.unlink()


TAMPERED = [
    other_voxel,
    other_z,
    other_shape,
    other_label,
    other_type,
    transposed,
    other_trial,
    its_z_alone,
    emptied,
    deleted,
]


def tamper(folder, how, index=0):
    path = candidate_path(folder, index)
    with np.load(path) as file:
        phases, z = file["phases"], file["z"]
    how(path, phases, z)
    return path


@pytest.mark.parametrize("how", TAMPERED)
def test_no_reader_takes_another_structure_for_that_of_a_trial(folder, make, tmp_path, run, how):
    whole = candidate_path(folder, 0).read_bytes()
    path = tamper(folder, how)
    read = Run.read(folder)
    for attempt in (
        lambda: read.candidate(0),
        lambda: export_candidates(read, [0], "npz", tmp_path / "out"),
        lambda: make().result.candidate(0),
    ):
        with pytest.raises(CampaignError, match=f"{path}: is .*decode z of trial 0") as caught:
            attempt()
        assert f"latentopt repair {folder}" in str(caught.value)
        assert "\n" not in str(caught.value)
    assert not list((tmp_path / "out").iterdir())
    code, _, error = run("export", folder, "--trial", 0)
    assert (code, len(error.splitlines())) == (4, 1)
    page = write_report(read, tmp_path / "page.html").read_text()
    assert "Structures that are missing or not those of their trials" in page
    assert "0000.npz: is " in page
    done = repair(folder)
    assert (done.decoded, done.lost) == ((0,), ())
    with np.load(path) as file:
        assert voxel_sha256(file["phases"]) == read.trials[0].voxel_sha256
    assert Run.read(folder).candidate(0).microstructure.sha256 == read.trials[0].voxel_sha256
    assert candidate_path(folder, 0).stat().st_size == pytest.approx(len(whole), abs=64)
    aside = list(path.parent.glob("*.other*"))
    assert len(aside) == (0 if how is deleted else 1), "what was there is kept"
    assert repair(folder).decoded == ()


@pytest.mark.parametrize("score", ["phases", "decoded"])
@pytest.mark.parametrize("how", TAMPERED)
def test_a_pending_trial_is_evaluated_as_its_own_structure(make, tmp_path, caplog, how, score):
    seen = []

    def look(images):
        seen.append(to_phases(images)[0].numpy())
        return mean(images)

    with make(objectives=[look], score=score) as campaign:
        asked = campaign.ask(4)
        tamper(tmp_path / "run", how)
    found = make(objectives=[look], score=score).run(progress=False)
    assert [voxel_sha256(phases) for phases in seen] == [trial.voxel_sha256 for trial in asked]
    assert found.candidate(0).microstructure.sha256 == asked[0].voxel_sha256
    assert ("0000.npz: is " in caplog.text) == (how is not deleted)


def test_the_digest_in_the_journal_is_that_of_an_export(folder, tmp_path):
    read = Run.read(folder)
    for trial in read.trials:
        (path,) = export_candidates(read, [trial.index], "npz", tmp_path)
        assert verify(path, read)["voxel_sha256"] == trial.voxel_sha256


def test_a_trial_that_is_told_has_its_own_structure(make, tmp_path):
    with make() as campaign:
        asked = campaign.ask(4)
        tamper(tmp_path / "run", other_trial)
        campaign.tell(0, {"mean": 0.5})
        assert campaign.result.candidate(0).microstructure.sha256 == asked[0].voxel_sha256


@pytest.mark.parametrize("call", ["tell", "fail"])
def test_what_is_told_to_a_journal_that_is_gone_is_in_the_message(make, tmp_path, call):
    with make() as campaign:
        campaign.ask(4)
        (tmp_path / "run" / "journal.jsonl").unlink()
        told = {"tell": {"mean": 0.5}, "fail": "cracked"}[call]
        with pytest.raises(JournalError, match="was deleted while process") as caught:
            getattr(campaign, call)(1, told)
        assert str(caught.value).count("Not saved: trial 1") == 1
        assert str(told) in str(caught.value)
        for attempt in (campaign.ask, campaign.run):  # the second closes it
            with pytest.raises(JournalError, match="was deleted while process"):
                attempt()


@pytest.mark.parametrize("how", ["moved", "replaced"])
def test_a_campaign_that_was_closed_does_not_begin_anew_in_its_old_place(make, tmp_path, how):
    campaign, folder = make(), tmp_path / "run"
    campaign.run(2, progress=False)
    folder.rename(tmp_path / "moved")
    if how == "replaced":
        make(trials=1).run(progress=False)
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(JournalError, match="where this campaign had 4 lines when it was closed"):
        campaign.run(progress=False)
    assert sorted(tmp_path.rglob("*")) == before


def without_digests(folder):
    """The journal as older versions wrote it."""
    path, digest, lines = folder / "journal.jsonl", "", []
    for line in path.read_text().splitlines():
        event = json.loads(line)["e"]
        for trial in event.get("trials", ()):
            trial.pop("voxel_sha256")
        line, digest = line_of(json.dumps(event), digest)
        lines.append(line)
    path.write_bytes(b"".join(lines))
    (folder / "journal.end").unlink()


def test_an_end_that_cannot_be_checked_is_said_and_one_that_never_was_is_not(make, folder, caplog):
    (folder / "journal.end").unlink()
    make().close()
    assert "journal.end: is missing or empty" in caplog.text
    caplog.clear()
    make().close()
    without_digests(folder)
    make().close()
    assert caplog.text == ""


@pytest.mark.parametrize("how", TAMPERED)
def test_in_folders_of_older_versions_the_z_is_what_ties(folder, how):
    without_digests(folder)
    assert Run.read(folder).candidate(1).trial == 1
    tamper(folder, how)
    read = Run.read(folder)
    if how in (other_voxel, other_shape, transposed, its_z_alone):  # nobody can tell
        assert read.candidate(0).z.tolist() == read.trials[0].z.tolist()
        return
    with pytest.raises(CampaignError, match=r"0000.npz: is .*decode z of trial 0"):
        read.candidate(0)
    assert repair(folder).decoded == (0,)


def test_a_pending_trial_of_an_older_version_gets_its_digest(make, tmp_path):
    with make() as campaign:
        asked = campaign.ask(4)
    without_digests(tmp_path / "run")
    tamper(tmp_path / "run", other_voxel)
    found = make().run(progress=False)
    assert [t.voxel_sha256 for t in found.trials] == [t.voxel_sha256 for t in asked]
    assert found.candidate(0).microstructure.sha256 == asked[0].voxel_sha256


def test_a_structure_that_decodes_otherwise_here_is_evaluated_as_it_was_kept(make, tmp_path):
    """As on another machine: what was asked for there is evaluated, and exported, as it is."""
    folder, seen = tmp_path / "run", []

    def look(images):
        seen.append(voxel_sha256(to_phases(images)[0].numpy()))
        return mean(images)

    with make(objectives=[look]) as campaign:
        campaign.ask(4)
    path, digest, lines = folder / "journal.jsonl", "", []
    phases = read_phases(folder, 0)
    phases[0, 0] ^= 1
    for line in path.read_text().splitlines():
        event = json.loads(line)["e"]
        if event["kind"] == "ask":
            event["trials"][0]["voxel_sha256"] = voxel_sha256(phases)
            z = np.array(event["trials"][0]["z"])
        line, digest = line_of(json.dumps(event), digest)
        lines.append(line)
    path.write_bytes(b"".join(lines))
    (folder / "journal.end").unlink()
    write_candidate(folder, 0, phases, z)
    found = make(objectives=[look]).run(progress=False)
    assert seen[0] == found.trials[0].voxel_sha256 == voxel_sha256(phases)
    candidate_path(folder, 0).unlink()
    done = repair(folder)
    assert done.decoded == ()
    assert "decodes to other voxels here" in done.lost[0]
    assert not candidate_path(folder, 0).exists()


@pytest.mark.parametrize("score", ["phases", "decoded"])
def test_a_trial_of_an_earlier_space_is_evaluated_again_as_what_it_was(make, tmp_path, score):
    """One that failed before its model was retrained: its z means another structure now."""
    seen = []

    def look(images):
        seen.append(voxel_sha256(to_phases(images)[0].numpy()))
        if len(seen) == 1:
            raise RuntimeError("out of memory")
        return mean(images)

    settings = {
        "objectives": [look],
        "score": score,
        "batch": 2,
        "trials": 6,
        "retrain": {"every": 4, "images": 30, "weight_k": 0.5},
    }
    campaign = make(**settings)
    run = campaign.run(progress=False)
    assert run.retrained
    assert run.trials[0].status == "failed"
    candidate_path(tmp_path / "run", 0).unlink()
    campaign.retry_failed()
    found = campaign.run(progress=False)
    assert seen[-1] == seen[0] == found.trials[0].voxel_sha256
    assert found.trials[0].voxel_sha256 == run.trials[0].voxel_sha256
    assert found.candidate(0).microstructure.provenance["space_id"] == run.space_id
    candidate_path(tmp_path / "run", 0).unlink()
    candidate_path(tmp_path / "run", 5).unlink()
    assert repair(tmp_path / "run").decoded == (0, 5)


# -- measured structures --------------------------------------------------------------------------


@pytest.mark.parametrize("how", [other_voxel, other_trial, emptied, deleted])
def test_a_measured_structure_is_put_back_by_importing_it_again(make, tiny_space, tmp_path, how):
    images = (tiny_space.decode(tiny_space.sample(3, seed=9)) > 0.5).float()
    data = {"mean": np.array([0.1, 0.2, 0.3])}
    folder = tmp_path / "run"
    with make() as campaign:
        campaign.import_data(images, data, tolerance=1.0)
        tamper(folder, how)
        with pytest.raises(CampaignError, match="import the measured data again"):
            campaign.result.candidate(0)
    assert "measured and not decoded" in repair(folder).lost[0]
    with make() as campaign:
        again = campaign.import_data(images, data, tolerance=1.0)
        assert again.trials == ()
        assert again.known[0] == "row 0: is the structure of trial 0 already; its file is put back"
        kept = campaign.result.candidate(0).microstructure.phases
        assert np.array_equal(kept, to_phases(images)[0].numpy())
    assert repair(folder).lost == ()


# -- what else could be another's -----------------------------------------------------------------


def test_a_result_of_another_structure_is_not_taken_from_the_cache(tmp_path, caplog):
    cache = ResultCache(tmp_path)
    cache.put("one", SimulationResult("ok", {"a": 1.0}))
    assert cache.get("one").metrics == {"a": 1.0}
    shutil.copy(tmp_path / "one.json", tmp_path / "two.json")
    assert cache.get("two") is None
    assert "two.json is not the result of this structure" in caplog.text
    path = tmp_path / "one.json"
    path.write_text(path.read_text().replace("1.0", "2.0"))
    assert cache.get("one") is None


def test_an_export_under_another_name_is_not_verified(folder, tmp_path, run):
    read = Run.read(folder)
    first, second = export_candidates(read, [0, 1], "npz", tmp_path / "out")
    for path, other in ((first, second), (first.with_name("x.npz"), second)):
        shutil.copy(other, path)
        shutil.copy(f"{other}.json", f"{path}.json")
        with pytest.raises(ExportError, match=rf"describes 'trial_0001.npz', not {path.name}"):
            verify(path)
    assert run("export", "verify", second)[0] == 0


def test_an_export_with_a_forged_sidecar_does_not_fit_the_journal(folder, tmp_path, run):
    read = Run.read(folder)
    first, second = export_candidates(read, [0, 1], "npz", tmp_path / "out")
    record = json.loads(second.with_name(f"{second.name}.json").read_text())
    shutil.copy(second, first)
    record["file"], record["provenance"]["trial"] = first.name, 0
    for z in (record["z"], read.trials[0].z.tolist()):
        record["z"] = z
        first.with_name(f"{first.name}.json").write_bytes(as_text(record))
        verify(first)  # it agrees with itself
        with pytest.raises(ExportError, match="is not the structure of trial 0"):
            verify(first, read)
        assert run("export", "verify", first, "--run", folder)[0] == 4
    assert run("export", "verify", second, "--run", folder)[0] == 0
    record["provenance"]["trial"] = 77
    first.with_name(f"{first.name}.json").write_bytes(as_text(record))
    with pytest.raises(ExportError, match=r"is of trial 77, which .* does not have"):
        verify(first, read)


def test_a_file_of_first_points_that_changed_is_refused(make, tiny_space, tmp_path):
    points, start = tiny_space.sample(4, seed=3).numpy(), tmp_path / "start.npy"
    np.save(start, points)
    settings = {"start": str(start), "batch": 2}
    make(**settings).run(2, progress=False)
    np.save(start, points[::-1])
    with pytest.raises(CampaignError, match=r"campaign.start: the file has changed since"):
        make(**settings).run(progress=False)
    np.save(start, points[:1])
    with pytest.raises(CampaignError, match="its first 2 points were asked for"):
        make(**settings).run(progress=False)
    np.save(start, np.concatenate([points, points + 0.1]))
    found = make(**settings, trials=5).run(progress=False)
    assert [t.strategy for t in found.trials] == ["start"] * 5


def test_a_target_that_changed_under_a_campaign_is_refused(tiny_space, tmp_path):
    path = tmp_path / "goal.npy"

    def campaign():
        return Campaign(
            space=tiny_space,
            objective="-two_point_error",
            objectives=[{"kind": "two_point_target", "target": str(path), "engine": "torch"}],
            strategy="prior",
            engine="serial",
            trials=2,
            folder=tmp_path / "run",
        )

    np.save(path, np.eye(8))
    campaign().run(1, progress=False)
    campaign().close()
    np.save(path, 1 - np.eye(8))
    with pytest.raises(CampaignError, match="holds a campaign with evaluate") as caught:
        campaign()
    was, now = re.findall("'version': '([0-9a-f]{12})'", str(caught.value))[:2]
    assert was != now
    with pytest.raises(ConfigError, match=r"goal\.npy has another content now"):
        Campaign.resume(tmp_path / "run", space=tiny_space)


@pytest.mark.parametrize("role", ["evaluate", "screen"])
def test_a_surrogate_that_was_fitted_anew_under_a_campaign_is_refused(tiny_space, tmp_path, role):
    from objectives.surrogates import SURROGATES

    def fit(seed):
        images = torch.rand(12, 1, 8, 8, generator=torch.Generator().manual_seed(seed))
        fitted = SURROGATES["two_point_gp"](components=2)
        fitted.fit(images, {"k": images.double().flatten(1).mean(1)}).save(tmp_path / "fast")

    spec = {"kind": "surrogate", "folder": str(tmp_path / "fast"), "prefix": "gp_"}
    screen = {"evaluate": [spec], "require": ["gp_k >= -9"]}

    def campaign(**settings):
        as_screen = role == "screen"
        return Campaign(
            space=tiny_space,
            objective="mean" if as_screen else "gp_k",
            objectives=[mean] if as_screen else [spec],
            screen=screen | settings if as_screen else None,
            strategy="prior",
            engine="serial",
            trials=2,
            folder=tmp_path / "run",
        )

    fit(1)
    campaign().run(1, progress=False)
    if role == "screen":
        campaign(require=["gp_k >= -8"]).close()  # what it asks for may change
    fit(2)
    with pytest.raises(CampaignError, match=rf"holds a campaign with {role} .*'version': '"):
        campaign()


def test_a_structure_makes_no_campaign_folder_anew(tmp_path):
    with pytest.raises(CampaignError, match="No such file or directory"):
        write_candidate(tmp_path / "moved", 0, np.zeros((2, 2), np.uint8), np.zeros(4))
    assert not (tmp_path / "moved").exists()

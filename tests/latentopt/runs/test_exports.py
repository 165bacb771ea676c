import dataclasses

import numpy as np
import pytest

from latentopt.errors import CampaignError, ExportError, OutputError
from latentopt.export import EXPORTERS, verify
from latentopt.runs.candidates import write_candidate
from latentopt.runs.exports import export_candidates
from latentopt.runs.run import Run, Trial
from latentopt.settings.campaign import CampaignConfig


@pytest.fixture
def run(tmp_path):
    config = CampaignConfig(
        objective="volume_fraction", evaluate=["volume_fraction"], voxel_size_um=(2.0, 0.5), seed=3
    )
    trials = tuple(
        Trial(k, np.full(4, float(k)), "completed", {"volume_fraction": 0.5}, None, "prior", 0.1)
        for k in range(3)
    )
    for trial in trials:
        phases = np.random.default_rng(trial.index).integers(0, 2, (6, 5), dtype=np.uint8)
        write_candidate(tmp_path, trial.index, phases, trial.z)
    return Run(tmp_path, config, "3fa9c1d2", trials, {"volume_fraction": "1"}, {})


@pytest.mark.parametrize("kind", sorted(EXPORTERS))
def test_each_trial_becomes_a_file_that_knows_where_it_came_from(run, kind, tmp_path):
    paths = export_candidates(run, [2, 0], kind, tmp_path / "new" / "exports")
    assert [path.name[:10] for path in paths] == ["trial_0002", "trial_0000"]
    record = verify(paths[0])
    assert record["z"] == [2.0] * 4
    assert (record["space_id"], record["seed"]) == ("3fa9c1d2", 3)
    assert record["provenance"]["trial"] == 2
    assert record["voxel_size"] == {"y": 2e-6, "x": 5e-7}


@pytest.mark.parametrize("change", [{"voxel_size_um": (2.0, 0.6)}, {"periodic": False}])
def test_voxel_size_and_periodicity_are_compared_with_the_journal(run, tmp_path, change):
    (path,) = export_candidates(run, [1], "png", tmp_path / "exports")
    assert verify(path, run)
    config = run.config.model_copy(update=change)
    other = dataclasses.replace(run, config=config)
    with pytest.raises(ExportError, match=r"its sidecar says .*, the journal of"):
        verify(path, other)


def test_a_trial_that_does_not_exist_is_named(run, tmp_path):
    with pytest.raises(CampaignError, match="has no trial 9"):
        export_candidates(run, [9], "tiff", tmp_path / "exports")


def test_a_file_in_the_place_of_the_folder_is_refused(run, tmp_path):
    (tmp_path / "exports").touch()
    with pytest.raises(ExportError, match="a file has this name"):
        export_candidates(run, [0], "tiff", tmp_path / "exports")


def test_an_export_in_another_format_is_replaced_only_if_that_is_said(run, tmp_path):
    (path,) = export_candidates(run, [1], "dream3d7", tmp_path / "exports")
    before = path.read_bytes()
    with pytest.raises(OutputError, match=r"another origin \(format dream3d7\).*--overwrite"):
        export_candidates(run, [1], "dream3d8", tmp_path / "exports")
    assert path.read_bytes() == before
    export_candidates(run, [1], "dream3d7", tmp_path / "exports")
    export_candidates(run, [1], "dream3d8", tmp_path / "exports", overwrite=True)
    assert verify(path)["format"] == "dream3d8"


@pytest.mark.parametrize("kind", ["npz", "stl", "png"])
@pytest.mark.parametrize("change", [{"created": "2026-01-01"}, {"name": "other"}])
def test_an_export_of_another_campaign_is_replaced_only_if_that_is_said(
    run, tmp_path, kind, change
):
    others = {"provenance": change} if "created" in change else {}
    config = run.config.model_copy(update={} if others else change)
    other = dataclasses.replace(run, config=config, **others)
    (path,) = export_candidates(run, [1], kind, tmp_path / "exports")
    before = path.read_bytes()
    said = "created None" if others else "campaign campaign"
    with pytest.raises(OutputError, match=rf"another origin \({said}\)"):
        export_candidates(other, [1], kind, tmp_path / "exports")
    assert path.read_bytes() == before
    assert verify(*export_candidates(other, [1], kind, tmp_path / "exports", overwrite=True))

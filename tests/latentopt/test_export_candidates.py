import dataclasses

import numpy as np
import pytest

from latentopt.candidate_files import write_candidate
from latentopt.config import CampaignConfig
from latentopt.errors import CampaignError, ExportError
from latentopt.export import EXPORTERS, export_candidates, verify
from latentopt.run import Run, Trial


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

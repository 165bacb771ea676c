"""Structures measured before a campaign become trials of it, once, whole, and free of charge."""

import numpy as np
import pytest
import torch

from generative.data.synthetic import gaussian_random_field
from latentopt.campaign.campaign import Campaign
from latentopt.errors import CampaignError, DataError
from latentopt.microstructure import to_phases
from latentopt.runs.candidates import candidate_path
from latentopt.runs.run import Run


def fraction(images):
    return {"fraction": images.double().mean((1, 2, 3))}


@pytest.fixture
def open_campaign(tiny_space, tmp_path):
    def open_one(**settings):
        fields = {
            "objective": "fraction",
            "strategy": "prior",
            "engine": "serial",
            "trials": 4,
            "batch": 2,
        }
        return Campaign(
            space=tiny_space, objectives=[fraction], folder=tmp_path / "run", **fields | settings
        )

    return open_one


@pytest.fixture(scope="module")
def decoded(tiny_space):
    """Structures that the space has a point for."""
    return (tiny_space.decode(tiny_space.sample(5, seed=9)) > 0.5).float()


MEASURED = {"fraction": np.array([0.1, 0.5, 0.9, 0.2, 0.3]), "cost": np.arange(5.0)}


def test_a_value_belongs_to_the_point_that_decodes_to_its_structure(open_campaign, decoded):
    with open_campaign() as campaign:
        imported = campaign.import_data(decoded, MEASURED)
        history = campaign.history()
        differs = to_phases(campaign.space.decode(history.z)) != to_phases(decoded)
        assert imported.misfit == tuple(differs.flatten(1).double().mean(1).tolist())
        assert max(imported.misfit) < 0.15
        assert history.metrics["fraction"].tolist() == MEASURED["fraction"].tolist()
        assert campaign.best()[0].metrics["cost"] == 2


def test_the_budget_is_spent_on_new_trials_alone(open_campaign, decoded):
    with open_campaign() as campaign:
        campaign.import_data(decoded, MEASURED)
        run = campaign.run(progress=False)
    assert [trial.strategy for trial in run.trials] == ["imported"] * 5 + ["prior"] * 4
    assert [trial.index for trial in run.trials] == list(range(9))


def test_the_same_data_twice_are_imported_once(open_campaign, decoded):
    with open_campaign() as campaign:
        campaign.import_data(decoded[:3], {n: v[:3] for n, v in MEASURED.items()})
    with open_campaign() as campaign:
        again = campaign.import_data(decoded, MEASURED)
        assert again.trials == (3, 4)
        assert [line.split(":")[0] for line in again.known] == ["row 0", "row 1", "row 2"]
        assert campaign.import_data(decoded, MEASURED).trials == ()


def test_a_structure_the_campaign_has_evaluated_is_known(open_campaign, tiny_space):
    with open_campaign() as campaign:
        (trial, *_) = campaign.run(2, progress=False).trials
        images = (tiny_space.decode(torch.from_numpy(trial.z)[None]) > 0.5).float()
        assert campaign.import_data(images, {"fraction": [0.4]}).known == (
            "row 0: is the structure of trial 0 already",
        )


def test_the_candidate_is_the_structure_that_was_measured(open_campaign):
    images = torch.from_numpy(gaussian_random_field(3, (8, 8), seed=5))
    with open_campaign() as campaign:
        imported = campaign.import_data(images, {"fraction": [1, 2, 3]}, tolerance=1.0)
        assert max(imported.misfit) > 0
        for index, image in zip(imported.trials, images, strict=True):
            kept = campaign.result.candidate(index).microstructure.phases
            assert np.array_equal(kept, image[0].numpy())


def test_rows_too_far_from_any_structure_are_left_out_and_named(open_campaign):
    images = torch.from_numpy(gaussian_random_field(3, (8, 8), seed=5))
    with open_campaign() as campaign:
        imported = campaign.import_data(
            images, {"fraction": [1, 2, 3]}, names=["a.png", "b.png", "c.png"], tolerance=1e-6
        )
        assert imported.trials == ()
        assert [line[:5] for line in imported.too_far] == ["a.png", "b.png", "c.png"]
        assert campaign.result.trials == ()


@pytest.mark.parametrize(
    ("metrics", "message"),
    [
        ({"cost": np.zeros(5)}, "metric fraction, which the goal needs"),
        ({"fraction": np.zeros(4)}, "one value for each of 5 images"),
        ({"fraction": np.array([1, 2, np.nan, 4, 5])}, "row 2: fraction is nan"),
        ({"fraction": np.zeros(5), "distance_from_data": np.zeros(5)}, "is computed for every"),
    ],
)
def test_bad_values_are_refused_and_nothing_is_imported(open_campaign, decoded, metrics, message):
    with open_campaign() as campaign:
        with pytest.raises(DataError, match=message):
            campaign.import_data(decoded, metrics)
        assert campaign.result.trials == ()


def test_one_structure_with_two_values_is_refused(open_campaign, decoded):
    twice = decoded[[0, 1, 0]]
    with open_campaign() as campaign:
        with pytest.raises(DataError, match="row 2: shows the same structure as row 0, with anoth"):
            campaign.import_data(twice, {"fraction": [1, 2, 3]})
        imported = campaign.import_data(twice, {"fraction": [1, 2, 1]})
        assert len(imported.trials) == 2
        assert imported.known == ("row 2: shows the same structure as row 0",)


@pytest.mark.parametrize("moment", ["before the line", "after it"])
def test_an_import_that_is_killed_is_whole_or_not_there(
    open_campaign, decoded, tmp_path, monkeypatch, moment
):
    """Structures are on the disk before the line of the journal, and in their places after it."""
    folder = tmp_path / "run"
    with open_campaign() as campaign:
        write = campaign._ledger.record

        def killed(event):
            if moment == "after it":
                write(event)
            raise KeyboardInterrupt

        monkeypatch.setattr(campaign._ledger, "record", killed)
        with pytest.raises(KeyboardInterrupt):
            campaign.import_data(decoded, MEASURED)
    waiting = list((folder / "candidates").iterdir())
    assert {path.suffix for path in waiting} == {".import"}
    trials = Run.read(folder).trials
    assert len(trials) == (0 if moment == "before the line" else 5)
    for trial in trials:  # also before anything is put in order
        kept = Run.read(folder).candidate(trial.index).microstructure.phases
        assert np.array_equal(kept, to_phases(decoded)[trial.index])
    with open_campaign() as campaign:
        assert [t.index for t in campaign.result.trials] == [t.index for t in trials]
        names = {path.name for path in (folder / "candidates").iterdir()}
        assert names == {candidate_path(folder, trial.index).name for trial in trials}
        (first,) = campaign.ask(1)
        with np.load(candidate_path(folder, first.index)) as kept:
            assert np.array_equal(kept["z"], first.z)


def test_a_full_disk_imports_nothing(open_campaign, decoded, files_of_at_most, tmp_path):
    with open_campaign() as campaign:
        size = (tmp_path / "run" / "journal.jsonl").stat().st_size
        with files_of_at_most(size + 100), pytest.raises(CampaignError):
            campaign.import_data(decoded, MEASURED)
        assert not candidate_path(tmp_path / "run", 0).exists()
        assert len(campaign.import_data(decoded, MEASURED).trials) == 5
    assert len(Run.read(tmp_path / "run").trials) == 5

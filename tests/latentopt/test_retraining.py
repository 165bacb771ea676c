"""Weighted retraining: due in time, of the right images, resumable, and nothing else changes."""

import json

import numpy as np
import pytest
import torch

from generative import PCA, ConvVAE
from generative.data.synthetic import gaussian_random_field
from latentopt import retraining
from latentopt.campaign import Campaign
from latentopt.candidate_files import candidate_path
from latentopt.config import RetrainConfig
from latentopt.errors import CampaignError, ConfigError
from latentopt.microstructure import to_phases
from latentopt.rank_weights import rank_weights
from latentopt.retraining import retrain_space, training_images
from latentopt.run import Run
from latentopt.space import LatentSpace


def fraction(images):
    return {"fraction": images.double().mean((1, 2, 3))}


@pytest.fixture
def open_campaign(tiny_space, tmp_path):
    def open_one(folder="run", **settings):
        fields = {
            "objective": "fraction",
            "strategy": "prior",
            "engine": "serial",
            "trials": 8,
            "batch": 2,
            "retrain": {"every": 4, "images": 30, "weight_k": 0.5},
        }
        return Campaign(
            space=tiny_space,
            objectives=[fraction],
            folder=tmp_path / folder,
            **fields | settings,
        )

    return open_one


@pytest.fixture(scope="module")
def small_network_space():
    images = gaussian_random_field(16, (32, 32), seed=0)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = ConvVAE((1, 32, 32), widths=(4, 8))
    return LatentSpace.fit(model, images)


def test_a_space_is_retrained_each_time_so_many_evaluations_have_ended(open_campaign, tiny_space):
    campaign = open_campaign()
    run = campaign.run(progress=False)
    ((space_id, folder),) = run.retrained  # after 4; after 8 nothing more is proposed
    assert LatentSpace.load(folder).id == space_id == campaign.space.id
    assert [t.space_id for t in run.trials] == [tiny_space.id] * 4 + [space_id] * 4


def test_all_history_lies_in_the_new_space(open_campaign):
    campaign = open_campaign()
    run = campaign.run(4, progress=False)
    kept = [candidate_path(run.folder, t.index).read_bytes() for t in run.trials]
    campaign.ask(1)
    history = campaign.history()
    decoded = to_phases(campaign.space.decode(history.z)).numpy()
    structures = np.stack([run.candidate(i).microstructure.phases for i in range(4)])
    assert (decoded != structures).mean() < 0.2
    assert history.metrics["fraction"].tolist() == [t.metrics["fraction"] for t in run.trials]
    assert kept == [candidate_path(run.folder, t.index).read_bytes() for t in run.trials]


def test_a_candidate_tells_the_space_its_point_decodes_in(open_campaign):
    run = open_campaign().run(progress=False)
    for index in (0, 7):
        candidate = run.candidate(index)
        origin = candidate.microstructure.provenance
        first = origin["space_id"] == run.space_id
        space = open_campaign("other").space if first else LatentSpace.load(run.retrained[-1][1])
        decoded = to_phases(space.decode(candidate.z[None]))[0]
        assert np.array_equal(decoded, candidate.microstructure.phases)


def test_a_resumed_campaign_goes_on_in_the_new_space(open_campaign):
    whole = open_campaign("whole").run(progress=False)
    first = open_campaign("parts")
    first.run(5, progress=False)
    again = open_campaign("parts")
    assert again.space.id == first.space.id
    rest = again.run(progress=False)
    assert [t.z.tolist() for t in rest.trials] == [t.z.tolist() for t in whole.trials]
    assert [i for i, _ in rest.retrained] == [i for i, _ in whole.retrained]


@pytest.mark.parametrize("moment", ["finetune", "save", "invert"])
def test_a_kill_in_a_retraining_costs_only_time(open_campaign, monkeypatch, tmp_path, moment):
    """Wherever it stops, the same campaign then arrives at the same space and points."""
    whole = open_campaign("whole").run(progress=False)
    names = {"finetune": "retrain_space", "save": "_save", "invert": "invert"}

    def killed(*_, **__):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(retraining, names[moment], killed)
        with pytest.raises(KeyboardInterrupt):
            open_campaign("parts").run(progress=False)
    assert Run.read(tmp_path / "parts").retrained == ()
    rest = open_campaign("parts").run(progress=False)
    assert [t.z.tolist() for t in rest.trials] == [t.z.tolist() for t in whole.trials]
    assert [i for i, _ in rest.retrained] == [i for i, _ in whole.retrained]


def test_points_under_way_are_evaluated_first(open_campaign):
    with open_campaign() as campaign:
        campaign.run(4, progress=False)
        early = campaign.ask(1)
        assert len(campaign.result.retrained) == 1
        for _ in range(4):
            (trial,) = campaign.ask(1)
            campaign.tell(trial.index, {"fraction": 0.5})
        assert campaign.retraining_due
        assert len(campaign.result.retrained) == 1  # one is still pending
        campaign.tell(early[0].index, {"fraction": 0.5})
        campaign.ask(1)
        assert len(campaign.result.retrained) == 2


def test_nothing_feasible_is_nothing_to_learn_from(open_campaign):
    run = open_campaign(constraints=["fraction >= 2"]).run(progress=False)
    assert run.retrained == ()


def test_a_space_that_is_gone_is_named(open_campaign):
    run = open_campaign().run(progress=False)
    (run.retrained[-1][1] / "weights.safetensors").unlink()
    with pytest.raises(CampaignError, match="goes on in a space that is gone"):
        open_campaign()


def test_the_journal_says_what_was_moved_where(open_campaign):
    run = open_campaign().run(progress=False)
    lines = (run.folder / "journal.jsonl").read_text().splitlines()
    (event,) = [e for e in (json.loads(line)["e"] for line in lines) if e["kind"] == "space"]
    assert event["folder"] == "spaces/1"
    assert list(event["z"]) == ["0", "1", "2", "3"]
    assert event["z"]["2"] == run.trials[2].point.tolist()
    assert run.trials[2].z.tolist() != run.trials[2].point.tolist()


def test_a_retrained_network_keeps_the_best_better_than_before(small_network_space):
    images = gaussian_random_field(40, (32, 32), seed=3)
    best = images[:1]
    weights = rank_weights(np.array([1.0]), k=1e-3, unvalued=39)
    config = RetrainConfig(every=1, steps=40, learning_rate=3e-3)
    space = retrain_space(small_network_space, images, weights, config, seed=0)

    def error(of):
        return float(np.square(of.decode(of.encode(best)) - best).mean())

    assert error(space) < error(small_network_space)
    assert space.id != small_network_space.id
    assert torch.isfinite(space.distance_from_data(space.sample(3))).all()


def test_principal_components_are_fitted_to_what_weighs_most(tiny_space):
    images = gaussian_random_field(40, (8, 8), seed=3)
    weights = np.r_[np.full(10, 0.099), np.full(30, 0.01 / 30)]
    space = retrain_space(tiny_space, images, weights, RetrainConfig(every=1), seed=0)
    assert isinstance(space.model, PCA)

    def error(of):
        return float(np.square(of.decode(of.encode(images[:10])) - images[:10]).mean())

    assert error(space) < error(tiny_space)


def test_training_images_are_those_asked_for_or_known_or_decoded(tiny_space, tmp_path):
    images = gaussian_random_field(40, (8, 8), seed=3)
    np.save(tmp_path / "mine.npy", images)
    config = RetrainConfig(every=1, images=10, data=str(tmp_path / "mine.npy"))
    found, source = training_images(tiny_space, config)
    np.testing.assert_array_equal(found, images[::4])
    assert source == "mine.npy"
    found, source = training_images(tiny_space, RetrainConfig(every=1, images=20))
    assert found.shape == (20, 1, 8, 8)
    assert source == "decoded training points, in place of training images"


def test_the_default_space_draws_its_training_images_again():
    found, source = training_images(LatentSpace.default(), RetrainConfig(every=1, images=8))
    assert found.shape == (8, 1, 64, 64)
    assert set(np.unique(found)) == {0, 1}
    assert source == "training images of the space"


def test_what_cannot_be_retrained_is_refused_at_once(open_campaign, tiny_space, tmp_path):
    class Mine(PCA):
        pass

    mine = Mine((1, 8, 8), components=4)
    mine.load_state_dict(tiny_space.model.state_dict())
    space = LatentSpace(
        mine, tiny_space.whitening, reference=tiny_space.reference_, radius=tiny_space.radius
    )
    with pytest.raises(ConfigError, match="retrain: a Mine cannot be retrained"):
        Campaign(
            space=space,
            objectives=[fraction],
            objective="fraction",
            strategy="prior",
            retrain={"every": 4},
            folder=tmp_path / "mine",
        )
    with pytest.raises(ConfigError, match="distance_from_data means something else"):
        open_campaign(constraints=["distance_from_data <= 2"])
    with pytest.raises(ConfigError, match=r"retrain\.every"):
        open_campaign(retrain={"every": 0})

"""Weighted retraining: due in time, of the right images, resumable, and nothing else changes."""

import json
import sys

import numpy as np
import pytest
import torch
from PIL import Image

from generative import MODELS, PCA, ConvVAE
from generative.data.synthetic import gaussian_random_field
from generative.training.descent import descend
from latentopt.campaign import retraining
from latentopt.campaign.campaign import Campaign
from latentopt.campaign.rank_weights import rank_weights
from latentopt.campaign.retraining import retrain_space
from latentopt.campaign.retraining_images import training_images
from latentopt.errors import CampaignError, ConfigError
from latentopt.microstructure import to_images, to_phases
from latentopt.runs.candidates import candidate_path
from latentopt.runs.run import Run
from latentopt.settings.campaign import RetrainConfig
from latentopt.space.classes import Classes
from latentopt.space.inversion import InversionConfig
from latentopt.space.latent_space import LatentSpace


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


def test_points_to_start_from_are_asked_for_in_the_space_that_they_are_points_of(
    open_campaign, tiny_space, tmp_path
):
    points = tiny_space.sample(7, seed=3).numpy()
    np.save(tmp_path / "start.npy", points[:6])
    settings = {"start": str(tmp_path / "start.npy")}
    run = open_campaign(**settings).run(progress=False)
    ((space_id, _),) = run.retrained
    assert [t.space_id for t in run.trials] == [tiny_space.id] * 6 + [space_id] * 2
    np.save(tmp_path / "start.npy", points)
    with pytest.raises(
        CampaignError, match="1 of its points have not been asked for, and the model was"
    ):
        open_campaign(**settings, trials=10).run(progress=False)


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
    found = training_images(tiny_space, config)
    np.testing.assert_array_equal(found.images, images[::4])
    assert found.source == "mine.npy"
    found = training_images(tiny_space, RetrainConfig(every=1, images=20))
    assert found.images.shape == (20, 1, 8, 8)
    assert found.source == "decoded training points, in place of training images"


def test_the_default_space_draws_its_training_images_again():
    found = training_images(LatentSpace.default(), RetrainConfig(every=1, images=8))
    assert found.images.shape == (8, 1, 64, 64)
    assert set(np.unique(found.images)) == {0, 1}
    assert found.source == "training images of the space"


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


# -- every kind of model ---------------------------------------------------------------------------

SMALL = {"width": 4, "layers": 1}
PRIOR = {
    "autoencoder": {"widths": (4, 8)},
    "prior": {"width": 4, "hidden": 4, "blocks": 1},
    "solver_steps": 1,
}
# Options of a tiny model; a new row of MODELS needs its own.
TINY = {
    "pca": {"components": 4},
    "vae": {"widths": (4, 8)},
    "resnet_vae": {"width": 4, "latent_dim": 6},
    "ldm": PRIOR
    | {"detail": SMALL, "draws": {"detail": SMALL}, "calibration": {}, "one_step": True},
    "vae_gan": {"options": {"widths": (4, 8)}, "detail": SMALL},
    "lsgm": PRIOR,
    "dcgan": {"width": 4, "latent_dim": 6, "sets": {}},
    "gan": {"widths": (4, 8), "encoder": {"widths": (4, 8)}, "latent_dim": 6},
    "stylegan": {"widths": (4, 8), "encoder": {"widths": (4, 8)}, "latent_dim": 6},
    "infogan": {"widths": (4, 8), "encoder": {"widths": (4, 8)}, "latent_dim": 6},
    "rvae": {"width": 4, "hidden": 16},
}


def space_of(kind, shape=(1, 32, 32), **options):
    labels = gaussian_random_field(24, shape[1:], seed=0)[:, 0].astype(np.uint8)
    images = to_images(labels, shape[0])
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = MODELS[kind](shape, **TINY[kind] | options)
    if kind == "pca":
        model.fit(torch.from_numpy(images))
    return LatentSpace.fit(model.requires_grad_(False), images)


def share(images):
    return {"share": images[:, -1].double().flatten(1).mean(1)}


@pytest.fixture(autouse=True)
def images_of_all_shapes(tmp_path):
    """Networks here are not trained, and decode all points alike: images come from a file."""
    for shape in ((1, 32, 32), (3, 32, 32), (2, 16, 16, 16)):
        labels = gaussian_random_field(12, shape[1:], seed=4)[:, 0].astype(np.uint8)
        np.save(tmp_path / f"{'x'.join(map(str, shape))}.npy", to_images(labels, shape[0]))


@pytest.fixture(autouse=True)
def points_are_fitted_in_few_steps(few_points, monkeypatch):
    monkeypatch.setattr(retraining, "_FIT", InversionConfig(steps=5))


def campaign_of(space, folder, retrain=(), **settings):
    shape = "x".join(map(str, space.image_shape))
    (data,) = (path for path in (folder, *folder.parents) if (path / f"{shape}.npy").exists())
    few = {"every": 2, "steps": 1, "images": 12, "data": str(data / f"{shape}.npy")}
    fields = {
        "objective": "share",
        "strategy": "prior",
        "engine": "serial",
        "trials": 5,
        "batch": 2,
        "score": "decoded",  # grey images differ where all structures of an untrained model are one
        "retrain": None if retrain is None else few | dict(retrain),
    }
    return Campaign(space=space, objectives=[share], folder=folder, **fields | settings)


def test_every_kind_of_model_is_tried_here():
    assert TINY.keys() == MODELS.keys()


@pytest.mark.slow
@pytest.mark.parametrize("kind", MODELS)
def test_every_kind_of_model_is_retrained_in_a_campaign(kind, tmp_path):
    space = space_of(kind)
    run = campaign_of(space, tmp_path).run(progress=False)
    assert [t.status for t in run.trials] == ["completed"] * 5
    assert len(run.retrained) == 2
    for space_id, folder in run.retrained:
        found = LatentSpace.load(folder)
        assert found.id == space_id != space.id
        assert type(found.model) is type(space.model)
        assert torch.isfinite(found.decode(found.sample(2))).all()
        assert not list(folder.glob("training*.safetensors"))


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["ldm", "vae_gan", "lsgm"])
@pytest.mark.parametrize("shape", [(3, 32, 32), (2, 16, 16, 16)], ids=["3 phases", "3d"])
def test_a_model_of_stages_of_other_shapes_is_retrained_too(kind, shape, tmp_path):
    run = campaign_of(space_of(kind, shape), tmp_path, trials=3).run(progress=False)
    assert len(run.retrained) == 1
    assert {t.status for t in run.trials} == {"completed"}


def test_a_space_of_conditions_is_retrained_without_them(tmp_path):
    conditions = {"classes": ("fine", "coarse")}
    space = space_of("ldm", detail=None, draws=None, calibration=None, conditions=conditions)
    run = campaign_of(space, tmp_path, trials=3).run(progress=False)
    (_, folder) = run.retrained[0]
    assert LatentSpace.load(folder).model.conditions.size == 0


# -- failures --------------------------------------------------------------------------------------


def no_traceback(error):
    return "\n" not in str(error.value)


@pytest.mark.parametrize("kind", ["vae", "ldm"])
def test_a_loss_that_is_not_finite_loses_nothing_and_other_settings_go_on(kind, tmp_path):
    space = space_of(kind)
    wild = {"steps": 3, "learning_rate": 1e30}
    for _ in "ab":  # and at the next start again, with nothing evaluated in between
        with pytest.raises(CampaignError, match=r"All 2 trials are kept.*learning_rate") as error:
            campaign_of(space, tmp_path, retrain=wild).run(progress=False)
        assert no_traceback(error)
        assert len(Run.read(tmp_path).trials) == 2
    run = campaign_of(space, tmp_path).run(progress=False)
    assert len(run.retrained) == 2
    assert [t.status for t in run.trials] == ["completed"] * 5


@pytest.mark.slow
@pytest.mark.parametrize("moment", ["second stage", "save"])
def test_a_kill_between_stages_costs_only_time(moment, tmp_path, monkeypatch):
    space = space_of("ldm")
    whole = campaign_of(space, tmp_path / "whole", trials=3).run(progress=False)
    calls = 0

    def killed(stage, *given, **named):
        nonlocal calls
        calls += 1
        if moment == "save" or calls == 2:
            raise KeyboardInterrupt
        return descend(stage, *given, **named)

    with monkeypatch.context() as patch:
        patch.setattr(
            *(
                (retraining, "_save")
                if moment == "save"
                else (sys.modules["generative.training.train"], "descend")
            ),
            killed,
        )
        with pytest.raises(KeyboardInterrupt):
            campaign_of(space, tmp_path / "parts", trials=3).run(progress=False)
    assert list((tmp_path / "parts" / "spaces" / "1").glob("training-detail.safetensors"))
    rest = campaign_of(space, tmp_path / "parts", trials=3).run(progress=False)
    assert [t.z.tolist() for t in rest.trials] == [t.z.tolist() for t in whole.trials]
    assert [i for i, _ in rest.retrained] == [i for i, _ in whole.retrained]


def test_a_campaign_goes_on_without_the_retraining_that_fails(tmp_path):
    wild = {"steps": 3, "learning_rate": 1e30}
    with pytest.raises(CampaignError, match="leave it out"):
        campaign_of(space_of("vae"), tmp_path, retrain=wild).run(progress=False)
    run = campaign_of(space_of("vae"), tmp_path, retrain=None).run(progress=False)
    assert run.retrained == ()
    assert [t.status for t in run.trials] == ["completed"] * 5


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["vae", "ldm"])
def test_a_full_disk_in_a_retraining_loses_nothing(kind, tmp_path, files_of_at_most):
    space = space_of(kind)
    whole = campaign_of(space, tmp_path / "whole").run(progress=False)
    with campaign_of(space, tmp_path / "parts") as campaign:
        campaign.run(2, progress=False)
        with files_of_at_most(10_000), pytest.raises(CampaignError, match="free space there"):
            campaign.ask(1)
        assert len(campaign.result.trials) == 2
    rest = campaign_of(space, tmp_path / "parts").run(progress=False)
    assert [t.z.tolist() for t in rest.trials] == [t.z.tolist() for t in whole.trials]
    assert [i for i, _ in rest.retrained] == [i for i, _ in whole.retrained]


def test_images_that_are_gone_when_they_are_needed_lose_nothing(tmp_path):
    data = tmp_path / "1x32x32.npy"
    with campaign_of(space_of("vae"), tmp_path / "run") as campaign:
        campaign.run(2, progress=False)
        moved = data.rename(tmp_path / "elsewhere.npy")
        with pytest.raises(CampaignError, match=r"1x32x32\.npy.*All 2 trials are kept"):
            campaign.ask(1)
        moved.rename(data)
        assert len(campaign.ask(1)) == 1
        assert len(campaign.result.retrained) == 1


def test_a_state_that_is_damaged_is_named_with_what_to_do(tmp_path, monkeypatch):
    def killed(*_, **__):
        raise KeyboardInterrupt

    space = space_of("ldm")
    with monkeypatch.context() as patch:
        patch.setattr(retraining, "_save", killed)
        with pytest.raises(KeyboardInterrupt):
            campaign_of(space, tmp_path).run(progress=False)
    state = tmp_path / "spaces" / "1" / "training-detail.safetensors"
    state.write_bytes(state.read_bytes()[:-100])
    with pytest.raises(CampaignError, match=r"training-detail.*Delete the file.*trials are kept"):
        campaign_of(space, tmp_path).run(progress=False)
    state.unlink()
    assert len(campaign_of(space, tmp_path).run(progress=False).retrained) == 2


# -- refused before anything is paid for -----------------------------------------------------------


def test_fewer_images_than_components_are_refused_before_a_trial(tmp_path):
    space = space_of("pca", components=12)
    with pytest.raises(ConfigError, match=r"12 images or more, got 8.*Set images to 12"):
        campaign_of(space, tmp_path, retrain={"images": 8})
    assert not (tmp_path / "journal.jsonl").exists()
    assert len(campaign_of(space, tmp_path).run(progress=False).retrained) == 2


@pytest.mark.parametrize("data", [None, "same.npy"])
def test_images_that_are_all_the_same_are_refused_before_a_trial(data, tmp_path):
    np.save(tmp_path / "same.npy", np.ones((3, 1, 32, 32), np.float32))
    given = None if data is None else str(tmp_path / data)
    space = space_of("vae")
    space.model.decoder[-1].bias.fill_(20.0)  # whatever the point, it decodes to phase 1
    with pytest.raises(ConfigError, match="all images are the same"):
        campaign_of(space, tmp_path, retrain={"data": given})


@pytest.mark.parametrize("kind", ["pca", "vae"])
def test_weights_that_leave_one_image_alone_still_make_a_space(kind, tmp_path):
    alone = {"weight_k": 1e-12}
    run = campaign_of(space_of(kind), tmp_path, retrain=alone, trials=3).run(progress=False)
    assert len(run.retrained) == 1


def test_as_many_images_are_taken_as_are_asked_for(tiny_space, tmp_path):
    np.save(tmp_path / "mine.npy", gaussian_random_field(40, (8, 8), seed=3))
    for n in (3, 10, 27, 40, 50):
        config = RetrainConfig(every=1, images=n, data=str(tmp_path / "mine.npy"))
        assert len(training_images(tiny_space, config)) == min(n, 40)
        points = RetrainConfig(every=1, images=n)
        assert len(training_images(tiny_space, points)) == min(n, len(tiny_space.reference_))


@pytest.mark.parametrize("kind", ["pca", "ldm"])
def test_data_that_cannot_be_used_are_refused_before_a_trial(kind, tmp_path):
    missing = {"data": str(tmp_path / "nothing.npy")}
    with pytest.raises(ConfigError, match=r"retrain\.data"):
        campaign_of(space_of(kind), tmp_path / "run", retrain=missing)
    np.save(tmp_path / "small.npy", gaussian_random_field(30, (8, 8), seed=3))
    small = {"data": str(tmp_path / "small.npy")}
    with pytest.raises(ConfigError, match=r"retrain\.data: has images of shape"):
        campaign_of(space_of(kind), tmp_path / "run", retrain=small)


def test_the_command_line_says_it_in_one_line_and_goes_on_with_other_settings(run, tmp_path):
    space_of("vae").save(tmp_path / "space")

    def optimize(rate):
        (tmp_path / "campaign.yaml").write_text(
            f"""\
space: {tmp_path / "space"}
objective: volume_fraction
evaluate: [volume_fraction]
strategy: prior
engine: serial
trials: 4
batch: 2
folder: {tmp_path / "run"}
retrain: {{every: 2, steps: 3, images: 12, data: 1x32x32.npy, learning_rate: {rate}}}
"""
        )
        return run("optimize", tmp_path / "campaign.yaml")

    code, _, err = optimize(1e30)
    assert code == 4
    assert "Traceback" not in err
    (line,) = [line for line in err.splitlines() if line.startswith("latentopt:")]
    assert "All 2 trials are kept" in line
    code, _, _ = optimize(1e-4)
    assert code == 0
    found = Run.read(tmp_path / "run")
    assert [t.status for t in found.trials] == ["completed"] * 4
    assert len(found.retrained) == 1


def test_a_repeat_of_before_a_retraining_needs_its_file_and_not_the_space_of_then(tmp_path):
    """The space was given in Python: nobody can read it again."""
    campaign = campaign_of(space_of("pca"), tmp_path, score="phases")
    run = campaign.run(progress=False)
    assert run.retrained
    old = next(t for t in run.trials if t.space_id == run.space_id and t.repeat_of is None)
    again = campaign.repeat(old.index)
    assert again.space_id == run.space_id
    assert campaign.run(progress=False).trials[again.index].status == "completed"


def test_a_retrained_space_knows_the_classes_of_what_it_knew(tiny_space, tmp_path):
    """Of structures that were evaluated it has none."""
    images = torch.from_numpy(gaussian_random_field(60, (8, 8), seed=0))
    classes = Classes((images.mean((1, 2, 3)) > 0.5).long(), ("dark", "bright"))
    space = LatentSpace.fit(tiny_space.model, images, classes=classes)
    run = Campaign(
        space=space,
        objectives=[fraction],
        objective="fraction",
        folder=tmp_path / "run",
        strategy="prior",
        engine="serial",
        trials=5,
        retrain={"every": 4, "images": 30, "weight_k": 0.5},
    ).run(progress=False)
    ((_, folder),) = run.retrained
    new = LatentSpace.load(folder)
    evaluated = len(new.reference_) - 30
    expected = space.reference_classes_.names()[::2]
    assert new.reference_classes_.names() == (None,) * evaluated + expected
    assert evaluated > 0


def test_images_of_a_folder_of_classes_keep_their_classes(tiny_space, tmp_path):
    for name, share in (("dark", 0.2), ("bright", 0.8)):
        (tmp_path / "images" / name).mkdir(parents=True)
        for seed in range(3):
            pixels = np.random.default_rng(seed).random((8, 8)) < share
            image = Image.fromarray(255 * pixels.astype(np.uint8))
            image.save(tmp_path / "images" / name / f"{seed}.png")
    config = RetrainConfig(every=1, images=4, data=str(tmp_path / "images"))
    found = training_images(tiny_space, config)
    bright = found.images.mean((1, 2, 3)) > 0.5
    assert found.classes.names() == tuple("bright" if one else "dark" for one in bright)
    assert set(bright) == {True, False}

"""Training of generative adversarial networks: sides, stages, resume, and what each is good for."""

import math
import warnings

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from generative.data.augment import Augmentation
from generative.data.synthetic import gaussian_random_field
from generative.gans import DCGAN, GAN
from generative.gans.adversarial_stage import AdversarialStage
from generative.gans.encoder_stage import EncoderStage
from generative.gans.sets_stage import SetsStage
from generative.gans.settings import PenaltyConfig
from generative.losses.games import GAMES, mean_squared_distance
from generative.model import reconstruct
from generative.stages.config import StageConfig
from generative.stages.players import Batch
from generative.training.descent import descend
from generative.training.state import TrainingState
from generative.training.train import TrainConfig, finetune, train
from latentopt.space.latent_space import LatentSpace

IMAGES = gaussian_random_field(12, (32, 32), seed=0)
SMALL = {
    "gan": {"widths": (4, 8), "encoder": {"widths": (4, 8)}},
    "dcgan": {"width": 4, "sets": {}},
}
KINDS = {"gan": GAN, "dcgan": DCGAN}
TINY = TrainConfig(
    steps=6,
    batch_size=8,
    progress=False,
    precision="float32",
    stages={"sets": StageConfig(steps=3), "encoder": StageConfig(steps=3)},
)


def network(kind="gan", shape=(1, 32, 32), **changes):
    return KINDS[kind](shape, **(SMALL[kind] | changes))


def stages_of(model):
    return {stage.name: stage for stage in model.stages()}


def prepared(stage, images=IMAGES):
    stage.prepare(images, stage.settings(TINY))
    return stage.train()


def batch_of(images=IMAGES, step=0, progress=0.0):
    generator = torch.Generator().manual_seed(0)
    return Batch(
        torch.from_numpy(images),
        lambda size: torch.randn(len(images), size, generator=generator),
        step=step,
        progress=progress,
    )


def equal(a, b):
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


# -- stages ----------------------------------------------------------------------------------------


def test_a_moment_of_the_first_half_of_a_game_is_not_chosen(monkeypatch):
    compared = {}

    class Recorded(TrainingState):
        def keep_if_best(self, error, step):
            compared.setdefault(self.stage.name, []).append(step)
            super().keep_if_best(error, step)

    monkeypatch.setattr("generative.training.descent.TrainingState", Recorded)
    unseen = gaussian_random_field(8, (32, 32), seed=9)
    train(network(), IMAGES, validation=unseen, config=TINY)
    assert compared["adversarial"] == [3, 4, 5, 6]
    assert compared["sets"] == [1, 2, 3]


def test_the_stages_follow_what_is_asked_for():
    assert list(stages_of(network())) == ["adversarial", "sets", "encoder"]
    assert list(stages_of(network(sets=None))) == ["adversarial", "encoder"]
    assert list(stages_of(DCGAN((1, 32, 32), width=4))) == ["adversarial", "encoder"]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("shape", [(1, 32, 32), (2, 16, 16, 20)])
def test_a_gan_is_trained_in_two_and_three_dimensions(kind, shape):
    images = gaussian_random_field(8, shape[1:], seed=0).repeat(shape[0], axis=1)
    model = train(network(kind, shape), images, config=TINY)
    for name, value in model.state_dict().items():
        assert torch.isfinite(value).all(), name
    assert reconstruct(model, torch.from_numpy(images)).shape == images.shape


@pytest.mark.parametrize("kind", KINDS)
def test_a_run_stopped_in_each_stage_goes_on_to_the_same_weights(kind, tmp_path):
    """Of 6, 3 and 3 steps, with a penalty at each second one."""
    model = network(kind, penalty={"weight": 0.0024, "every": 2})
    whole = train(model, IMAGES, config=TINY).state_dict()
    count, stops = 0, [2, 8, 11]  # the last step or two of each stage are still to come

    class Stopped(Augmentation):
        def __call__(self, images, rng):
            nonlocal count
            if count in stops:
                stops.remove(count)
                raise KeyboardInterrupt
            count += 1
            return super().__call__(images, rng)

    changes = {"augmentation": Stopped(), "checkpoint_seconds": 1e-9}
    config = TINY.model_copy(update=changes)
    again = network(kind, penalty={"weight": 0.0024, "every": 2})
    while stops:
        with pytest.raises(KeyboardInterrupt):
            train(again, IMAGES, config=config, folder=tmp_path)
    assert count == 11
    assert equal(train(again, IMAGES, config=TINY, folder=tmp_path).state_dict(), whole)


def test_the_critic_goes_on_in_the_stage_of_sets():
    stages = stages_of(network())
    assert stages["adversarial"].critic is stages["sets"].critic


@pytest.mark.parametrize("name", ["adversarial", "sets"])
def test_each_side_has_the_gradient_of_its_own_loss(name):
    stage = prepared(stages_of(network())[name])
    sides = {player.name: player for player in stage.players(TINY)}
    assert list(sides) == ["generator", "critic"]
    batch = batch_of()
    stage.loss(batch, "generator")
    stage.loss(batch, "critic").total.backward()
    assert all(p.grad is not None for p in stage.critic.parameters())
    assert all(p.grad is None for p in stage.parts.parameters())


def test_without_a_game_the_distances_of_sets_are_all_there_is():
    stage = prepared(stages_of(network(sets={"game_weight": 0}))["sets"])
    (player,) = stage.players(TINY)
    assert player.name == "generator"
    assert stage.loss(batch_of(), "generator").terms.keys() == {
        "set distances",
        "code",
        "reconstruction",
    }


def test_the_encoder_alone_leaves_the_generator_as_it_is():
    model = network("dcgan")  # whose norms would change by being used
    before = {k: v.clone() for k, v in model.parts.generator.state_dict().items()}
    stage = prepared(EncoderStage(model))
    loss = stage.loss(batch_of(), "encoder")
    loss.total.backward()
    assert equal(model.parts.generator.state_dict(), before)
    assert all(p.grad is None for p in model.parts.generator.parameters())
    assert all(p.requires_grad for p in model.parts.generator.parameters())


# -- the penalty -----------------------------------------------------------------------------------


def test_the_penalty_is_in_units_of_the_images_and_falls():
    stage = prepared(
        stages_of(network(penalty={"weight": 0.01, "last_weight": 0.002}))["adversarial"]
    )
    unit = 4 * mean_squared_distance(torch.from_numpy(IMAGES))  # a critic sees -1 to 1
    for progress, weight in ((0.0, 0.01), (0.5, 0.006), (1.0, 0.002)):
        assert stage.penalty_weight(progress) == pytest.approx(weight * unit, rel=1e-5)


def test_it_is_taken_at_every_so_many_steps_and_counts_so_much_more():
    stage = prepared(stages_of(network(penalty={"every": 3}))["adversarial"])
    losses = []
    for step in range(4):
        batch = batch_of(step=step)
        stage.loss(batch, "generator")
        losses.append(stage.loss(batch, "critic"))
    assert ["slope" in loss.terms for loss in losses] == [True, False, False, True]
    extra = losses[0].total.item() - losses[1].total.item()
    slopes = extra / (3 / 2 * stage.penalty_weight(0.0))
    assert losses[0].terms["slope"] < slopes  # the sum of both, of which the last is told


def test_a_penalty_that_rises_is_refused():
    with pytest.raises(ValidationError, match="last_weight should be at most weight"):
        PenaltyConfig(weight=0.001, last_weight=0.01)


def test_real_and_made_images_go_through_norms_apart():
    stage = prepared(stages_of(network("dcgan"))["adversarial"])
    seen = []
    stage.critic.register_forward_pre_hook(lambda module, inputs: seen.append(len(inputs[0])))
    batch = batch_of()
    stage.loss(batch, "generator")
    assert seen == [12]  # of each image by itself: the generator asks nothing of real ones
    stage.loss(batch, "critic")
    assert seen == [12] * 3


def test_scores_that_no_loss_takes_change_no_weight(monkeypatch):
    without = train(network("dcgan"), IMAGES, config=TINY).state_dict()
    asked = GAMES["non_saturating"]._replace(pairs=True)
    monkeypatch.setitem(GAMES, "non_saturating", asked)
    assert equal(train(network("dcgan"), IMAGES, config=TINY).state_dict(), without)


def test_a_game_of_pairs_without_a_penalty_is_warned_of():
    without = {"penalty": {"weight": 0}}
    with pytest.warns(UserWarning, match=r"set penalty\.weight above 0, or game: non_saturating"):
        prepared(stages_of(network(**without))["adversarial"])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        prepared(stages_of(network())["adversarial"])
        prepared(stages_of(network("dcgan"))["adversarial"])


# -- what it learns --------------------------------------------------------------------------------


def test_the_error_tells_draws_that_are_all_alike():
    torch.manual_seed(0)
    model = network()
    stage = prepared(stages_of(model)["adversarial"], gaussian_random_field(60, (32, 32), seed=3))
    probe = torch.from_numpy(gaussian_random_field(40, (32, 32), seed=4))
    with torch.no_grad():
        alike = stage.eval().error(probe)  # untrained: every draw is the same grey
        real = stage.judge(torch.from_numpy(gaussian_random_field(40, (32, 32), seed=5)), probe)
    assert alike > 5 * abs(float(real))


MANY = gaussian_random_field(300, (32, 32), seed=0)
HELD_OUT = torch.from_numpy(gaussian_random_field(120, (32, 32), seed=1))


@pytest.fixture(scope="module")
def learned():
    """A trained model; after each stage distances and spread of its draws; what measures both.

    The distances are those of draws, as sets, from images that the training has not seen.
    """
    config = TINY.model_copy(
        update={"steps": 80, "batch_size": 24, "learning_rate": 9e-3, "ema_decay": 0.9}
    )
    config = config.model_copy(
        update={"stages": {"sets": StageConfig(steps=25), "encoder": StageConfig(steps=30)}}
    )
    torch.manual_seed(0)
    model = GAN((1, 32, 32), widths=(8, 16), encoder={"widths": (8, 16)})
    judge = prepared(stages_of(network())["sets"], MANY).judge
    errors = []

    def far(model):
        stage = stages_of(model)["adversarial"].eval()
        stage.judge = judge
        with torch.no_grad():
            draws = model.decode(torch.randn(200, 64)).mean((1, 2, 3))
        return stage.error(HELD_OUT), float(draws.std())

    errors.append(far(model))
    for stage in model.stages():
        descend(stage, MANY, config, None)
        errors.append(far(model))
    return model, errors, far


def wrong(model):
    """Mean squared error of reconstructions of images that it has not seen."""
    return float((reconstruct(model, HELD_OUT) - HELD_OUT).square().mean())


@pytest.mark.slow
def test_a_game_brings_draws_nearer_and_sets_widen_them(learned):
    model, ((untrained, _), (game, narrow), (sets, wide), _), _ = learned
    assert game < 0.3 * untrained
    assert sets < 0.85 * game
    real = float(HELD_OUT.mean((1, 2, 3)).std())
    assert abs(wide - real) < abs(narrow - real)
    assert wrong(model) < 0.8 * HELD_OUT.var()


@pytest.mark.slow
def test_a_trained_gan_is_trained_on_by_its_sets_and_its_encoder_and_not_spoiled(learned):
    model, _, far = learned
    before = {name: value.clone() for name, value in model.state_dict().items()}
    stages = {"sets": StageConfig(steps=12), "encoder": StageConfig(steps=12)}
    config = TINY.model_copy(update={"batch_size": 24, "ema_decay": 0.5, "stages": stages})
    tuned = finetune(model, MANY, np.full(300, 1 / 300), config=config)
    assert isinstance(tuned, GAN)
    assert equal(model.state_dict(), before)
    assert not equal(tuned.state_dict(), before)
    assert far(tuned)[0] < 1.1 * far(model)[0]
    assert wrong(tuned) < 1.02 * wrong(model)


def test_numbers_begin_as_voices_of_cells():
    model = GAN((1, 64, 64))
    with torch.no_grad():
        first = model.parts.generator.first.weight.reshape(64, 64, 64)
        own = first.diagonal(dim1=1, dim2=2).square()
        others = (first.square().sum() - own.sum()) / (first.numel() - own.numel())
    assert math.sqrt(own.mean() / others) > 10


def test_stages_are_of_the_classes_that_say_so():
    stages = stages_of(network())
    assert type(stages["adversarial"]) is AdversarialStage
    assert type(stages["sets"]) is SetsStage


# -- what a reviewer found -------------------------------------------------------------------------


def test_options_that_are_given_in_part_keep_the_other_defaults_of_the_model():
    with pytest.raises(ValidationError, match="every has no effect where weight is 0"):
        DCGAN((1, 32, 32), penalty={"every": 8})
    assert DCGAN((1, 32, 32), encoder={"share": 0.5}).config.encoder.joint == 0
    assert GAN((1, 32, 32), penalty={"weight": 0}).config.penalty.at(0.5) == 0


def test_a_width_that_the_encoder_of_a_dcgan_has_not_is_refused():
    with pytest.raises(ValidationError, match=r"encoder\.widths"):
        DCGAN((1, 32, 32), encoder={"widths": (4, 8)})


def test_blurred_phases_are_judged_as_they_are():
    blurred = torch.from_numpy(gaussian_random_field(24, (32, 32), seed=3))
    blurred = 0.2 + 0.6 * torch.cat([blurred, 1 - blurred], dim=1)
    model = network(shape=(2, 32, 32))
    stage = prepared(stages_of(model)["adversarial"], blurred.numpy())
    count = iter(range(100))

    class Known(torch.nn.Module):
        def forward(self, code):
            return blurred[[next(count) for _ in code]].logit()

    stage.parts.generator = Known()
    assert abs(stage.eval().error(blurred)) < 50  # of images cut in two it would be thousands


@pytest.mark.parametrize("few", [1, 3])
def test_no_moment_is_chosen_by_too_few_images(few):
    stage = prepared(stages_of(network())["adversarial"])
    assert stage.eval().error(torch.from_numpy(IMAGES[:few])) is None


@pytest.mark.parametrize("kind", KINDS)
def test_the_smallest_batch_is_finite_in_every_stage(kind):
    small = TINY.model_copy(update={"batch_size": 2})
    small = small.model_copy(
        update={"stages": {n: StageConfig(steps=2, batch_size=2) for n in ("sets", "encoder")}}
    )
    model = train(network(kind, encoder={"joint": 0.5}), IMAGES, config=small)
    assert all(torch.isfinite(value).all() for value in model.state_dict().values())


def test_a_generator_whose_critic_is_gone_is_not_trained_on_by_the_game_alone():
    model = DCGAN((1, 32, 32), width=4)
    with pytest.raises(ValueError, match=r"its critic is gone.*option sets"):
        finetune(model, IMAGES, np.full(12, 1 / 12), config=TINY)


def test_the_share_of_a_later_stage_does_not_belong_to_an_earlier_one():
    for changes in ({"encoder": {"share": 0.5}}, {"sets": {"share": 0.5}}):
        plain, other = (stages_of(GAN((1, 32, 32), **options)) for options in ({}, changes))
        assert plain["adversarial"].identity == other["adversarial"].identity
        assert plain["sets"].identity == other["sets"].identity


def test_a_space_of_styles_is_white_over_draws_and_decodes_as_noise_does():
    torch.manual_seed(0)
    model = network(mapping_layers=2, latent_dim=6)
    with torch.no_grad():
        model.parts.mapping.skew.normal_(0, 0.5)
        model.parts.mapping.offset.normal_(0, 1)
    images = gaussian_random_field(8, (32, 32), seed=0)
    style = LatentSpace.fit(model.in_coordinates("style"), images)
    z = style.whitening.to_z(model.in_coordinates("style").draw_codes(4000, seed=3))
    torch.testing.assert_close(z.mean(0), z.new_zeros(6), rtol=0, atol=0.06)
    torch.testing.assert_close(z.T @ z / 4000, torch.eye(6).to(z), rtol=0, atol=0.1)
    noise = style.in_coordinates("noise")
    assert noise.radius == LatentSpace.from_prior(model).radius
    known = style.reference_[:5]
    torch.testing.assert_close(
        noise.decode(noise.reference_[:5]), style.decode(known), rtol=0, atol=1e-4
    )
    with pytest.raises(ValueError, match="mapping_layers of 1 or more"):
        network(coordinates="style")

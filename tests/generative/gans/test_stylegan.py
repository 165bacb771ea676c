"""Training of a stylegan: path lengths, augmentation, mixed styles, and a run that is stopped."""

import math

import pytest
import torch

from generative.data.augment import Augmentation
from generative.data.synthetic import gaussian_random_field
from generative.gans import StyleGAN, style_stage
from generative.gans.critic_augmentation import CriticAugmentation
from generative.gans.style_stage import (
    PATH,
    PathLength,
    StyleStage,
    path_lengths,
    published_weight,
)
from generative.stages.config import StageConfig
from generative.stages.players import Batch
from generative.training.train import TrainConfig, train

IMAGES = gaussian_random_field(12, (32, 32), seed=0)
UNSEEN = gaussian_random_field(6, (32, 32), seed=1)
SMALL = {"widths": (4, 8), "encoder": {"widths": (4, 8)}, "latent_dim": 6, "mapping_layers": 2}
TINY = TrainConfig(
    steps=5,
    batch_size=8,
    progress=False,
    precision="float32",
    stages={
        "adversarial": StageConfig(batch_size=8),
        "sets": StageConfig(steps=2),
        "encoder": StageConfig(steps=2),
    },
)


def network(shape=(1, 32, 32), **changes):
    torch.manual_seed(0)
    return StyleGAN(shape, **(SMALL | changes))


def game_of(model, images=IMAGES, unseen=None):
    stage = model.stages()[0]
    stage.prepare(images, stage.settings(TINY))
    if unseen is not None:
        stage.probe(torch.from_numpy(unseen))
    return stage.train()


def batch_of(images=IMAGES, step=0, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return Batch(
        torch.from_numpy(images),
        lambda size: torch.randn(len(images), size, generator=generator),
        step=step,
    )


def played(stage, step):
    batch = batch_of(step=step, seed=step)
    return {
        player.name: stage.loss(batch, player.name)
        for player in stage.players(TINY)
        if step % player.every == 0
    }


def equal(a, b):
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


def test_it_trains_on_volumes():
    """Its learned input has four axes there, as a batch of pictures has."""
    model, config = network((1, 16, 16, 16)), TINY.model_copy(update={"steps": 1})
    train(model, gaussian_random_field(2, (16, 16, 16), seed=0), config=config)
    assert model.decode(torch.zeros(1, 6)).isfinite().all()


def test_a_run_stopped_in_each_stage_goes_on_to_the_same_weights(tmp_path, monkeypatch):
    """Path lengths come at steps 0 and 3, and the augmentation moves after step 3."""
    monkeypatch.setattr(style_stage, "EVERY", 3)
    monkeypatch.setattr(CriticAugmentation, "target", lambda self, validated: -math.inf)
    changes, unseen = {"penalty": {"every": 2}, "augment": {"pace": 50}}, UNSEEN[:3]
    whole = network(**changes)
    train(whole, IMAGES, validation=unseen, config=TINY)
    count, stops = 0, [2, 4, 6]

    class Stopped(Augmentation):
        def __call__(self, images, rng):
            nonlocal count
            if count in stops:
                stops.remove(count)
                raise KeyboardInterrupt
            count += 1
            return super().__call__(images, rng)

    config = TINY.model_copy(update={"augmentation": Stopped(), "checkpoint_seconds": 1e-9})
    again = network(**changes)
    while stops:
        with pytest.raises(KeyboardInterrupt):
            train(again, IMAGES, validation=unseen, config=config, folder=tmp_path)
    assert count == 6
    train(again, IMAGES, validation=unseen, config=TINY, folder=tmp_path)
    assert equal(again.state_dict(), whole.state_dict())


# -- path lengths ----------------------------------------------------------------------------------


def test_a_path_length_is_that_of_the_derivative_by_the_style():
    """Of images A w it is |A^T y|, whatever w; and (w^2)' = 2 w."""
    generator = torch.Generator().manual_seed(0)
    a, w, y = (torch.randn(s, generator=generator) for s in ((9, 4), (5, 4), (5, 9)))
    torch.testing.assert_close(path_lengths(lambda w: w @ a.T, w, y), (y @ a).norm(dim=1))
    squares = path_lengths(lambda w: w.square(), w, y[:, :4])
    torch.testing.assert_close(squares, (2 * w * y[:, :4]).norm(dim=1))


def test_its_penalty_pulls_lengths_together_and_its_mean_follows_them():
    path = PathLength(64, 1.0)
    assert float(path(torch.tensor([1.0, 3.0]), 0)) == pytest.approx(1)  # of a mean of 2
    for move in range(1, 400):
        path(torch.tensor([4.0, 6.0]), move)
    assert float(path.mean_) == pytest.approx(5, abs=0.1)


def test_its_weight_is_that_of_the_paper_also_for_volumes():
    assert published_weight(256**2) == pytest.approx(math.log(2) / (256**2 * math.log(128)))
    assert PathLength(16**3, None).weight == published_weight(64**2)


def test_it_moves_the_generator_by_its_optimizer_at_every_eighth_step():
    stage = game_of(network())
    sides = {player.name: player for player in stage.players(TINY)}
    assert list(sides) == ["generator", "critic", PATH]
    assert sides[PATH].optimizer == "generator"
    assert [step for step in (0, 7, 8, 9) if PATH in played(stage, step)] == [0, 8]
    stage.zero_grad()
    played(stage, 0)[PATH].total.backward()
    assert stage.generator.refine[0].convolve.layer.weight.grad.abs().max() > 0
    assert all(p.grad is None for p in stage.critic.parameters())
    alone = game_of(network(path_length_weight=0))
    assert [player.name for player in alone.players(TINY)] == ["generator", "critic"]


# -- augmentation ----------------------------------------------------------------------------------


@pytest.mark.parametrize("unseen", [None, UNSEEN])
def test_the_augmentation_is_told_all_scores_at_every_step(unseen):
    stage, told = game_of(network(), unseen=unseen), []
    measure = stage.augmentation.measure
    stage.augmentation.measure = lambda *given: told.append(given) or measure(*given)
    terms = [played(stage, step)["critic"].terms for step in range(4)]
    assert [step for *_, step in told] == [0, 1, 2, 3]
    for real, made, new, _ in told:
        assert len(real) == len(made) == 12
        assert (new is None) if unseen is None else len(new) == 6
    assert [t["augmented"] for t in terms[:3]] == [0, 0, 0]
    (said,) = stage.findings().values()
    assert said == f"probability {terms[3]['augmented']:.2f} at the end"
    assert torch.equal(stage.augmentation.sums_, torch.zeros(4).double())


def test_real_and_made_images_are_augmented_before_the_critic_and_the_encoders_are_not():
    stage = game_of(network())
    stage.augmentation.strength_.fill_(0.8)
    seen = []
    stage.critic.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0]))
    told = []
    stage.parts.encoder.register_forward_pre_hook(lambda module, inputs: told.append(inputs[0]))
    played(stage, 1)
    real = 2 * torch.from_numpy(IMAGES) - 1
    assert len(seen) == 4  # each side sees both
    assert all((images == 0).flatten(1).all(1).sum() == 0 for images in seen)
    assert all(((images == 0).flatten(1).sum(1) > 100).any() for images in seen)
    assert torch.equal(told[1], real)


def test_without_it_the_critic_sees_images_as_they_are():
    stage = game_of(network(augment=None))
    seen = []
    stage.critic.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0]))
    played(stage, 1)
    assert torch.equal(seen[0], 2 * torch.from_numpy(IMAGES) - 1)


def test_the_stage_of_sets_goes_on_with_critic_and_strength():
    game, sets, _ = network().stages()
    assert game.critic is sets.critic
    assert game.augmentation is sets.augmentation


# -- styles ----------------------------------------------------------------------------------------


def test_images_of_the_game_have_noise_and_some_of_them_two_styles():
    for share, mixed in ((0.0, 0), (1.0, 12)):
        stage = game_of(network(style_mixing=share))
        for layer in stage.generator.textures:
            torch.nn.init.zeros_(layer.strength)
        style = stage.parts.style(batch_of().noise(6))
        with torch.no_grad():
            made, alone = stage.logits(batch_of(seed=5), style), stage.parts.logits(style)
        assert int((made - alone).flatten(1).abs().amax(1).gt(1e-4).sum()) == mixed


def test_the_encoder_is_shown_images_as_they_are_decoded():
    stage, told = game_of(network()), []
    stage.parts.encoder.register_forward_pre_hook(lambda module, inputs: told.append(inputs[0]))
    played(stage, 1)
    again = stage.parts.logits(stage.parts.style(batch_of(seed=1).noise(6))).sigmoid()
    torch.testing.assert_close(told[0], 2 * again - 1)


def test_styles_are_nearly_white_and_the_way_back_is_exact():
    model = StyleGAN((1, 32, 32), widths=(4, 8))
    with torch.no_grad():
        noise = torch.randn(4000, 64, generator=torch.Generator().manual_seed(0))
        style = model.to_code(noise)
    spreads = torch.linalg.eigvalsh(style.T.cov())
    assert spreads.max() / spreads.min() < 10
    torch.testing.assert_close(model.to_noise(style), noise, rtol=0, atol=1e-4)


def test_volumes_of_unequal_sides_are_trained_on():
    shape = (16, 17, 20)
    changes = {"steps": 1, "batch_size": 2, "stages": {}}
    model = train(
        network((1, *shape), sets=None),
        gaussian_random_field(4, shape, seed=0),
        config=TINY.model_copy(update=changes),
    )
    assert model.decode(torch.zeros(1, 6)).isfinite().all()


def test_the_stage_is_of_its_own_class():
    assert type(network().stages()[0]) is StyleStage

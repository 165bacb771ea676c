"""Two players take the two sides of the game, each with its own gradient and optimizer."""

from itertools import product

import pytest
import torch
from torch import nn

from generative import VAEGAN, ConvVAE
from generative.autoencoders.detail import (
    DetailConfig,
    DetailStage,
    detail_error,
)
from generative.data.synthetic import gaussian_random_field
from generative.losses.variogram import fraction_error, variogram, variogram_error
from generative.stages.players import Batch
from generative.training.train import TrainConfig, train
from objectives.phases import to_images

IMAGES = gaussian_random_field(12, (32, 32), seed=0)
SMALL = DetailConfig(
    adversarial_weight=0.5, variogram_weight=0.0, fraction_weight=0.0, width=4, layers=1
)
TINY = TrainConfig(steps=4, batch_size=4, progress=False, precision="float32")


@pytest.fixture
def stage():
    return DetailStage(ConvVAE((1, 32, 32), widths=(4, 8)), SMALL).train()


def gradients(stage, player, **changes):
    """Of every parameter that has one after the loss of a player; others are not held here."""
    noise = torch.randn(4, 64, generator=torch.Generator().manual_seed(0))
    stage.config = stage.config.model_copy(update=changes)
    batch = Batch(torch.from_numpy(IMAGES[:4]), lambda size: noise[:, :size])
    for name in ("autoencoder", "discriminator"):
        stage.zero_grad()
        stage.loss(batch, name).total.backward()
        if name == player:
            break
    return {
        n: value.grad.clone() for n, value in stage.named_parameters() if value.grad is not None
    }


def test_the_adversarial_term_moves_encoder_and_decoder(stage):
    few, many = (
        gradients(stage, "autoencoder", adversarial_weight=weight) for weight in (1e-6, 1.0)
    )
    # A bias before a normalization has no gradient but what rounding leaves.
    nothing = 1e-4 * max(value.abs().max() for n, value in few.items() if n[:5] == "autoe")
    moved = set()
    for name in few:
        if name.startswith("autoencoder") and few[name].abs().max() > nothing:
            assert not torch.allclose(few[name], many[name], rtol=1e-4, atol=float(nothing)), name
            moved.add(name.split(".")[1])
    assert moved == {"encoder", "decoder"}


def test_the_discriminator_learns_by_its_own_loss_alone(stage):
    few, many = (
        gradients(stage, "discriminator", adversarial_weight=weight) for weight in (1e-6, 1.0)
    )
    assert all(name.startswith("discriminator") for name in few)
    for name in few:
        torch.testing.assert_close(few[name], many[name], rtol=1e-4, atol=1e-7)
    assert max(value.abs().max() for value in few.values()) > 0


def test_each_player_moves_what_is_its_own(stage):
    generator, discriminator = stage.players(TINY)
    assert [generator.name, discriminator.name] == ["autoencoder", "discriminator"]
    ours, theirs = (set(map(id, player.parameters)) for player in (generator, discriminator))
    assert not ours & theirs
    assert len(ours | theirs) == len(list(stage.parameters()))
    alone = DetailStage(stage.autoencoder, SMALL.model_copy(update={"adversarial_weight": 0.0}))
    assert [player.name for player in alone.players(TINY)] == ["autoencoder"]


def test_at_the_last_layer_the_two_gradients_are_in_the_ratio_set(stage):
    last = "autoencoder.decoder." + str(len(stage.autoencoder.decoder) - 1) + ".weight"
    none, half = (
        gradients(stage, "autoencoder", adversarial_weight=1e-9)[last],
        gradients(stage, "autoencoder", adversarial_weight=0.5)[last],
    )
    assert float((half - none).norm() / none.norm()) == pytest.approx(0.5, rel=1e-2)


def test_the_discriminator_is_drawn_from_its_seed_and_draws_nothing_else():
    state = torch.get_rng_state()
    first, second = (DetailStage(ConvVAE((1, 32, 32), widths=(4, 8)), SMALL) for _ in "ab")
    torch.set_rng_state(state)
    for a, b in zip(
        first.discriminator.parameters(), second.discriminator.parameters(), strict=True
    ):
        assert torch.equal(a, b)


@pytest.mark.parametrize("autoencoder", ["vae", "resnet_vae"])
def test_a_vae_gan_is_trained_in_two_stages_and_keeps_no_discriminator(autoencoder, tmp_path):
    options = {"widths": (4, 8)} if autoencoder == "vae" else {"width": 8, "latent_dim": 4}
    model = VAEGAN((1, 32, 32), autoencoder=autoencoder, options=options, detail=SMALL)
    train(model, IMAGES, validation=IMAGES[:4], config=TINY, folder=tmp_path)
    assert not any("discriminator" in name for name in model.state_dict())
    states = {path.name for path in tmp_path.glob("training*")}
    assert states == {"training-autoencoder.safetensors", "training-detail.safetensors"}


@pytest.mark.slow
def test_a_variogram_that_is_asked_for_is_met_more_closely_than_by_reconstruction_alone():
    images = gaussian_random_field(32, (32, 32), seed=1)
    x = torch.from_numpy(images)
    config = TINY.model_copy(
        update={"steps": 40, "batch_size": 8, "ema_decay": 0.9, "learning_rate": 0.01}
    )

    def error(model):
        with torch.no_grad():
            made = (16 * (model.decode(model.encode(x)).logit(eps=1e-6))).sigmoid()
        return float(variogram_error(made, x, 6))

    plain = {"autoencoder": "vae", "options": {"widths": (4, 8)}}
    asked = {"variogram_weight": 50.0, "fraction_weight": 0.0, "share": 1.0}
    asked |= {"width": 4, "layers": 1}
    errors = [
        error(train(VAEGAN((1, 32, 32), **plain, detail=detail), images, config=config))
        for detail in (asked | {"variogram_weight": 0.0}, asked)
    ]
    assert errors[1] < 0.5 * errors[0]


def stripes(period):
    x = torch.arange(16) % period < period // 2
    return x.float().expand(1, 1, 16, 16)


def test_the_variogram_of_stripes_tells_their_period_and_direction():
    fine, coarse = stripes(2), stripes(8)
    assert variogram_error(fine, fine, 4) == 0
    assert variogram_error(fine, coarse, 4) > 1
    assert variogram_error(coarse, coarse.mT, 4) > 1


def test_at_the_shortest_shift_the_variogram_is_the_interface():
    # One of eight neighbours differs twice a period: half of the mean squared difference is 1/8.
    blank = torch.zeros(1, 1, 16, 16)
    error = variogram_error(blank, stripes(8), 1)  # all relative errors are 1, along y none is
    assert float(error) == pytest.approx(6 / 8)


def three_phases(seed=0):
    generator = torch.Generator().manual_seed(seed)
    labels = torch.randint(0, 3, (4, 16, 16), generator=generator).to(torch.uint8)
    return to_images(labels, 3)


class Faint(nn.Module):
    """Remembers images whole, and answers with probabilities of which none need be large."""

    def __init__(self, largest):
        super().__init__()
        self.largest = largest

    def encode(self, images):
        return images.flatten(1)

    def decode(self, code):
        images, rest = code.reshape(-1, 3, 16, 16), (1 - self.largest) / 2
        return rest + (self.largest - rest) * images


def test_the_error_that_chooses_weights_is_none_where_every_phase_is_right():
    images = three_phases()
    assert detail_error(Faint(0.45), images) == detail_error(Faint(0.9), images) == 0
    assert detail_error(Faint(0.1), images) > 0.01


def test_a_texture_turned_half_round_has_the_same_variogram():
    x = torch.from_numpy(IMAGES)
    assert variogram_error(x.flip(2, 3), x, 4) < 1e-6


@pytest.mark.parametrize("shape", [(13, 9), (5, 7, 6)])
def test_the_variogram_is_half_the_mean_squared_difference_of_pairs_inside(shape):
    x = torch.rand(2, 3, *shape, generator=torch.Generator().manual_seed(0))
    found = variogram(x, 2)
    shifts = [r for r in product(range(-2, 3), repeat=len(shape)) if any(r)]
    assert found.shape == (2, 3, len(shifts))
    for i, shift in enumerate(shifts):
        here = tuple(slice(max(-r, 0), n - max(r, 0)) for r, n in zip(shift, shape, strict=True))
        there = tuple(slice(max(r, 0), n - max(-r, 0)) for r, n in zip(shift, shape, strict=True))
        half = (x[..., *there] - x[..., *here]).square().flatten(2).mean(2) / 2
        torch.testing.assert_close(found[..., i], half)


def test_no_pair_reaches_across_the_edge_and_a_short_side_shortens_the_reach():
    halves = (torch.arange(8) >= 4).float().expand(1, 1, 3, 8)
    found = variogram(halves, 4)
    assert found.shape == (1, 1, 5 * 9 - 1)
    assert float(found[0, 0, 5 * 9 // 2]) == pytest.approx(1 / 14)  # one face of seven differs


def test_the_error_of_fractions_sees_what_no_variogram_does():
    black, white = torch.zeros(1, 1, 16, 16), torch.ones(1, 1, 16, 16)
    assert variogram_error(black, white, 4) < 1e-9
    assert fraction_error(black, white) == 1
    shifted = torch.from_numpy(IMAGES).roll((3, 5), (-1, -2))
    assert fraction_error(shifted, torch.from_numpy(IMAGES)) < 1e-12


def test_fractions_that_are_asked_for_are_met_more_closely():
    images = gaussian_random_field(32, (32, 32), seed=1)
    x = torch.from_numpy(images)
    config = TINY.model_copy(
        update={"steps": 30, "batch_size": 8, "ema_decay": 0.9, "learning_rate": 0.01}
    )

    def error(model):
        with torch.no_grad():
            return float(fraction_error((model.decode(model.encode(x)) > 0.5).float(), x))

    found = []
    for weight in (0.0, 2000.0):
        detail = {"fraction_weight": weight, "variogram_weight": 0.0, "adversarial_weight": 0.0}
        model = VAEGAN((1, 32, 32), options={"widths": (4, 8)}, detail=detail | {"share": 1.0})
        train(model, images, config=config)
        found.append(error(model))
    assert found[1] < 0.7 * found[0]

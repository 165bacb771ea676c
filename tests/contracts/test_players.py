"""Players move in turn by their own rules; a run that was killed goes on to the same weights."""

import copy

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from generative import PCA
from generative.data.augment import Augmentation
from generative.data.synthetic import gaussian_random_field
from generative.errors import ModelFileError
from generative.stages.loss import Loss
from generative.stages.players import Batch, Player
from generative.stages.stage import Stage
from generative.training.descent import _schedule, descend
from generative.training.state import TrainingState, digest, state_path
from generative.training.train import TrainConfig, train

IMAGES = gaussian_random_field(24, (8, 8), seed=0)
UNSEEN = torch.from_numpy(gaussian_random_field(8, (8, 8), seed=1))
CONFIG = TrainConfig(
    steps=10, batch_size=6, progress=False, precision="float32", checkpoint_seconds=1e-9
)


@pytest.fixture
def model(tiny_generator):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return tiny_generator((1, 8, 8))


def trained(stage, config=CONFIG, folder=None, **given):
    descend(stage, IMAGES, config, folder, **given)
    return {name: value.clone() for name, value in stage.state_dict().items()}


def equal(a, b):
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


def test_each_player_is_asked_for_its_loss_when_it_is_its_turn(model):
    (stage,) = model.stages()
    asked, loss = [], stage.loss

    def recorded(batch, player):
        asked.append((batch.step, player, round(batch.progress, 3)))
        return loss(batch, player)

    stage.loss = recorded
    trained(stage, CONFIG.model_copy(update={"steps": 6}))
    names = ("discriminator", "penalty", "generator")
    expected = [(i, n, i / 5) for i in range(6) for n in names if n != "penalty" or i % 4 == 0]
    assert asked == expected


def test_a_player_moves_its_own_parameters_and_holds_the_others(model):
    (stage,) = model.stages()
    moved, held, loss = {}, {}, stage.loss
    before = copy.deepcopy(stage.state_dict())

    def recorded(batch, player):
        held[player] = {n for n, p in stage.named_parameters() if not p.requires_grad}
        moved[player] = {n for n, p in stage.named_parameters() if not torch.equal(p, before[n])}
        return loss(batch, player)

    stage.loss = recorded
    trained(stage, CONFIG.model_copy(update={"steps": 1, "weight_decay": 0.0}))
    judge = {n for n, _ in stage.named_parameters() if n.startswith("discriminator")}
    generator = {n for n, _ in stage.named_parameters() if n.startswith("generator")}
    assert moved == {"discriminator": set(), "penalty": judge, "generator": judge}
    assert held == {"discriminator": generator, "penalty": generator, "generator": judge}
    assert all(parameter.requires_grad for parameter in stage.parameters())


@pytest.mark.parametrize("steps", [0, 1, 3, 4, 5, 9])
@pytest.mark.parametrize("validation", [None, UNSEEN])
def test_a_stopped_run_goes_on_to_the_weights_of_an_uninterrupted_one(
    model, tmp_path, steps, validation
):
    whole = trained(*copy.deepcopy(model).stages(), validation=validation)
    calls = 0

    class Stopped(Augmentation):
        def __call__(self, images, rng):
            nonlocal calls
            if (calls := calls + 1) > steps:
                raise KeyboardInterrupt
            return super().__call__(images, rng)

    stopping = CONFIG.model_copy(update={"augmentation": Stopped()})
    with pytest.raises(KeyboardInterrupt):
        trained(*copy.deepcopy(model).stages(), stopping, tmp_path, validation=validation)
    again = trained(*copy.deepcopy(model).stages(), CONFIG, tmp_path, validation=validation)
    assert equal(again, whole)
    assert again["mean_score"] != 0


def test_the_state_has_the_moments_of_each_optimizer_by_its_name(model, tmp_path):
    train(model, IMAGES, config=CONFIG, folder=None)
    (stage,) = model.stages()
    trained(stage, CONFIG, tmp_path)
    names = load_file(state_path(tmp_path, stage.name))
    assert {n.split(".")[1] for n in names if n.startswith("optimizer.")} == {
        "discriminator",
        "generator",
    }
    for optimizer in ("discriminator", "generator"):
        kept = {n for n in names if n.startswith(f"optimizer.{optimizer}.")}
        assert len(kept) == 3 * 4
        steps = {float(names[n]) for n in kept if n.endswith(".step")}
        # The penalty moves the weights of the discriminator three times more.
        assert max(steps) == (13.0 if optimizer == "discriminator" else 10.0)


def test_the_weight_of_a_penalty_counts_where_it_shares_the_optimizer():
    """Against AdamW itself, which is given the two gradients in turn."""

    class Pulled(Stage):
        name, augments = "pulled", False

        def __init__(self, model, weight):
            super().__init__(model)
            self.point, self.weight = torch.nn.Parameter(torch.zeros(2)), weight

        def players(self, config):
            shared = {"clip": None, "optimizer": "point", "weight_decay": 0.0}
            both = (self.point,)
            return Player("pull", both, **shared), Player("penalty", both, every=3, **shared)

        def loss(self, batch, player):
            goal = torch.tensor([1.0, 2.0] if player == "pull" else [3.0, -1.0])
            total = (self.point - goal).square().sum() * (self.weight if player == "penalty" else 1)
            return Loss(total, {player: total.item()})

        def error(self, probe):
            return None

    ends = []
    for weight in (0.01, 100.0):
        stage = Pulled(PCA((1, 8, 8), components=2), weight)
        config = CONFIG.model_copy(update={"steps": 5, "ema_decay": 0.0, "learning_rate": 0.1})
        ends.append(trained(stage, config)["point"])
        point = torch.nn.Parameter(torch.zeros(2))
        adam = torch.optim.AdamW([point], 0.1, weight_decay=0.0)
        for step in range(5):
            for group in adam.param_groups:
                group["lr"] = 0.1 * _schedule(step, 5)
            for every, factor, goal in ((1, 1, [1.0, 2.0]), (3, weight, [3.0, -1.0])):
                if step % every == 0:
                    adam.zero_grad()
                    (factor * (point - torch.tensor(goal)).square().sum()).backward()
                    adam.step()
        torch.testing.assert_close(ends[-1], point.detach(), rtol=1e-5, atol=1e-7)
    assert not torch.allclose(*ends, rtol=1e-2)


@pytest.mark.parametrize(
    ("second", "problem"),
    [
        ({"name": "pull"}, "two players of stage pulled are called pull"),
        ({"betas": (0.5, 0.9)}, "share the optimizer point"),
    ],
)
def test_players_that_cannot_go_together_are_refused(second, problem):
    class Pulled(Stage):
        name = "pulled"

        def __init__(self, model):
            super().__init__(model)
            self.point = torch.nn.Parameter(torch.zeros(2))

        def players(self, config):
            first = {"name": "pull", "parameters": (self.point,), "optimizer": "point"}
            return Player(**first), Player(**{**first, "name": "penalty", **second})

        def loss(self, batch, player):
            raise AssertionError("no player moves")

    with pytest.raises(ValueError, match=problem):
        trained(Pulled(PCA((1, 8, 8), components=2)))


def test_only_the_result_is_averaged_and_its_buffers_are_copied(model):
    (stage,) = model.stages()
    stage.generator.register_buffer("strength", torch.zeros(()))
    state = TrainingState(stage, {}, None, {})
    first = stage.generator[0].weight.detach().clone()
    with torch.no_grad():
        stage.generator[0].weight.add_(1.0)
        stage.generator.strength.fill_(3.0)
        stage.discriminator[0].weight.add_(1.0)
        last = stage.discriminator[0].weight.detach().clone()
    state.average(0.75, step=10**6)
    torch.testing.assert_close(state.average_["0.weight"], first + 0.25)
    assert float(state.average_["strength"]) == 3.0
    state.use_result()
    torch.testing.assert_close(stage.generator[0].weight.detach(), first + 0.25)
    assert torch.equal(stage.discriminator[0].weight, last)


def test_the_state_of_an_earlier_version_is_refused_and_kept(model, tmp_path):
    (stage,) = model.stages()
    trained(stage, CONFIG, tmp_path)
    path = state_path(tmp_path, stage.name)
    kept = load_file(path)
    former = {name.replace("optimizer.generator.", "optimizer."): v for name, v in kept.items()}
    note = {"step": "3", "fingerprint": "{}", "best": "inf 0", "sha256": digest(former)}
    save_file(former, path, note)
    before = path.read_bytes()
    with pytest.raises(ModelFileError, match=r"earlier version of latentopt.*delete the file"):
        trained(*model.stages(), CONFIG, tmp_path)
    assert path.read_bytes() == before


def test_the_noise_of_a_step_follows_from_seed_and_step(model):
    (stage,) = model.stages()
    seen, loss = [], stage.loss

    def recorded(batch, player):
        if player == "generator":
            seen.append(batch.noise(3).numpy())
        return loss(batch, player)

    stage.loss = recorded
    trained(stage, CONFIG.model_copy(update={"steps": 2}))
    trained(stage, CONFIG.model_copy(update={"steps": 2}))
    assert not np.array_equal(seen[0], seen[1])
    np.testing.assert_array_equal(seen[:2], seen[2:])


def test_a_batch_can_be_made_by_hand():
    batch = Batch(torch.zeros(2, 1), lambda size: torch.ones(2, size))
    assert batch.noise(3).shape == (2, 3)
    assert (batch.step, batch.progress, batch.condition) == (0, 0.0, None)

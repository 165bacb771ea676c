"""Control variables among normal numbers: their distribution, their information, their training."""

import math

import numpy as np
import pytest
import torch
from pydantic import ValidationError
from scipy.stats import kstest

from generative.data.augment import Augmentation
from generative.data.synthetic import gaussian_random_field
from generative.gans import InfoGAN
from generative.gans.controls import Controls, ControlsConfig
from generative.stages.config import StageConfig
from generative.stages.players import Batch
from generative.training.train import TrainConfig, finetune, train

IMAGES = gaussian_random_field(12, (32, 32), seed=0)
SMALL = {"widths": (4, 8), "encoder": {"widths": (4, 8)}}
TINY = TrainConfig(
    steps=4,
    batch_size=8,
    progress=False,
    precision="float32",
    stages={"sets": StageConfig(steps=2), "encoder": StageConfig(steps=2)},
)
THREE_AND_TWO = Controls(ControlsConfig(categories=(3,), continuous=2))


def network(**changes):
    return InfoGAN((1, 32, 32), **(SMALL | changes))


def draws(n=20000, d=8):
    return torch.randn(n, d, generator=torch.Generator().manual_seed(0))


def stage_of(model, name="adversarial"):
    (stage,) = (stage for stage in model.stages() if stage.name == name)
    stage.prepare(IMAGES, stage.settings(TINY))
    return stage.train()


def batch_of(images=IMAGES):
    generator = torch.Generator().manual_seed(0)
    return Batch(
        torch.from_numpy(images),
        lambda size: torch.randn(len(images), size, generator=generator),
        step=1,
    )


# -- what they are ---------------------------------------------------------------------------------


def test_categories_are_as_often_one_as_another_and_others_are_uniform():
    values = THREE_AND_TWO.values(draws())
    often = values[:, :3].argmax(1).bincount() / len(values)
    torch.testing.assert_close(often, torch.full((3,), 1 / 3), rtol=0, atol=0.015)
    torch.testing.assert_close(values[:, :3].sum(1), torch.ones(len(values)))
    for u in values[:, 3:].T:
        assert kstest(u, "uniform", args=(-1, 2)).pvalue > 0.01


def test_a_cold_softmax_tells_the_place_of_the_largest_number():
    code = draws(100)
    cold = Controls(ControlsConfig(categories=(3,), continuous=0, temperature=1e-4))
    assert torch.equal(cold.values(code).argmax(1), code[:, :3].argmax(1))
    assert (cold.values(code).amax(1) > 0.999).double().mean() > 0.95


def test_the_generator_is_told_values_of_mean_0_and_variance_1_and_the_noise_as_it_is():
    cold = Controls(ControlsConfig(categories=(3, 2), continuous=1, temperature=1e-3))
    code = draws()
    told = cold.told(code)
    torch.testing.assert_close(told.mean(0), torch.zeros(8), rtol=0, atol=0.03)
    torch.testing.assert_close(told.var(0), torch.ones(8), rtol=0, atol=0.03)
    assert torch.equal(told[:, 6:], code[:, 6:])


def test_names_and_places_of_controls():
    controls = Controls(ControlsConfig(categories=(3, 2), continuous=1)).all
    assert [(c.name, c.numbers, c.categories) for c in controls] == [
        ("category 1", (0, 1, 2), 3),
        ("category 2", (3, 4), 2),
        ("continuous 1", (5,), 0),
    ]


def test_numbers_of_a_category_that_is_not_the_largest_hardly_count_in_an_image():
    torch.manual_seed(0)
    model = network(controls={"temperature": 0.01})
    code = draws(1, 64).repeat(2, 1)
    code[:, :3] = torch.tensor([[2.0, 0.0, -1.0], [2.5, -1.0, 0.5]])
    one, other = model.decode(code)
    torch.testing.assert_close(one, other, rtol=0, atol=1e-6)


@pytest.mark.parametrize(
    ("controls", "message"),
    [
        ({"categories": [], "continuous": 0}, "use model gan"),
        ({"categories": [1]}, "2 categories or more"),
        ({"categories": [40, 30], "continuous": 0}, "take 70 numbers of 64"),
        ({"temperature": 0}, "greater than 0"),
        ({"categories": [], "temperature": 0.5}, "temperature has no effect without categories"),
        ({"continuous": 0, "continuous_weight": 1}, "has no effect without continuous"),
    ],
)
def test_controls_that_cannot_be_are_refused(controls, message):
    with pytest.raises(ValidationError, match=message):
        network(controls=controls)


def test_sets_without_the_game_are_refused_because_nothing_would_be_told_of_the_controls():
    with pytest.raises(ValidationError, match="game_weight should be above 0 for an infogan"):
        network(sets={"game_weight": 0})


# -- information -----------------------------------------------------------------------------------


def test_a_guess_that_knows_nothing_has_no_information_and_a_sure_one_all_of_it():
    controls = Controls(ControlsConfig(categories=(3,), continuous=0, temperature=1e-4))
    values = controls.values(draws(500))
    nothing, _ = controls.information(values, torch.zeros(500, 3))
    assert abs(float(nothing)) < 1e-5
    everything, _ = controls.information(values, 50 * values)
    assert float(everything) == pytest.approx(math.log(3), abs=0.01)


def test_information_of_a_uniform_control_is_bounded_by_the_spread_of_the_guess():
    controls = Controls(ControlsConfig(categories=(), continuous=1))
    values = controls.values(draws(20000))
    for spread in (0.1, 0.3):
        noise = spread * torch.randn(len(values), 1, generator=torch.Generator().manual_seed(1))
        guess = torch.cat([values + noise, torch.full_like(values, math.log(spread))], 1)
        _, bound = controls.information(values, guess)
        exact = math.log(2) - 0.5 * math.log(2 * math.pi * math.e * spread**2)
        assert float(bound) == pytest.approx(exact, abs=0.02)


def test_of_no_guess_the_bound_is_above_the_entropy():
    """No more can be known than there is, whatever Q answers."""
    values = THREE_AND_TWO.values(draws(4000))
    generator = torch.Generator().manual_seed(2)
    for scale in (0.1, 1, 10):
        guess = scale * torch.randn(4000, THREE_AND_TWO.guessed, generator=generator)
        categorical, others = THREE_AND_TWO.information(values, guess)
        assert categorical <= math.log(3)
        assert others <= 2 * (math.log(2) - 0.5 * math.log(2 * math.pi * 0.05**2))


def test_no_code_has_less_confusion_of_categories_than_the_true_one():
    code = draws(500, 64)
    model = network()
    least = model.parts.code_error(code, code)
    for scale in (0.1, 1.0):
        guess = code + scale * draws(500, 64).flip(0)
        assert model.parts.code_error(guess, code) > least
    swapped = code.clone()
    swapped[:, :3] = code[:, [1, 2, 0]]
    cross = model.parts.code_error(swapped, code) - (swapped - code).square().mean()
    assert cross > 5 * least


# -- training --------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def trained():
    return train(network(), IMAGES, config=TINY)


@pytest.mark.parametrize("name", ["adversarial", "sets"])
def test_both_sides_are_moved_by_the_information(name):
    torch.manual_seed(0)
    stage = stage_of(network(), name)
    batch = batch_of()
    for side, part in (("generator", stage.parts.generator), ("critic", stage.critic)):
        loss = stage.loss(batch, side)
        assert {"nats of categories", "nats of continuous"} <= loss.terms.keys()
        loss.total.backward()
        assert all(p.grad is not None for p in part.parameters())
    heads = list(stage.critic.head.parameters())
    assert any(p.grad.abs().max() > 0 for p in heads)
    players = {player.name: player for player in stage.players(TINY)}
    moved = {id(p) for p in players["critic"].parameters}
    assert {id(p) for p in heads} < moved


def test_without_a_weight_nothing_is_guessed():
    torch.manual_seed(0)
    stage = stage_of(network(controls={"weight": 0, "continuous_weight": 0}))
    batch = batch_of()
    stage.loss(batch, "generator")
    loss = stage.loss(batch, "critic")
    assert "nats of categories" not in loss.terms
    loss.total.backward()
    assert all(p.grad is None for p in stage.critic.head.parameters())


def test_q_learns_what_a_generator_shows_plainly():
    """Twenty steps of Q alone at images whose grey is the control."""
    torch.manual_seed(0)
    stage = stage_of(network(controls={"categories": [2], "continuous": 0}))
    code = draws(24, 64)
    made = (code[:, 0] > code[:, 1]).float().reshape(-1, 1, 1, 1).expand(-1, 1, 32, 32)
    values = stage.controls.values(code)
    optimizer = torch.optim.Adam(stage.critic.parameters(), 1e-2)
    bounds = []
    for _ in range(20):
        bound, _ = stage.controls.information(values, stage.critic.guess(2 * made - 1))
        optimizer.zero_grad()
        (-bound).backward()
        optimizer.step()
        bounds.append(bound.item())
    assert bounds[0] < 0.1
    assert bounds[-1] > 0.4  # of .69, less what lies between the categories


def test_a_run_stopped_in_each_stage_goes_on_to_the_same_weights(trained, tmp_path):
    count, stops = 0, [2, 5, 7]

    class Stopped(Augmentation):
        def __call__(self, images, rng):
            nonlocal count
            if count in stops:
                stops.remove(count)
                raise KeyboardInterrupt
            count += 1
            return super().__call__(images, rng)

    changes = {"augmentation": Stopped(), "checkpoint_seconds": 1e-9}
    config, again = TINY.model_copy(update=changes), network()
    while stops:
        with pytest.raises(KeyboardInterrupt):
            train(again, IMAGES, config=config, folder=tmp_path)
    weights = train(again, IMAGES, config=TINY, folder=tmp_path).state_dict()
    assert all(torch.equal(weights[name], v) for name, v in trained.state_dict().items())


def test_a_trained_one_is_trained_on_by_its_sets(trained):
    tuned = finetune(trained, IMAGES, np.full(12, 1 / 12), config=TINY)
    assert isinstance(tuned, InfoGAN)
    assert tuned.controls == trained.controls


def test_it_is_trained_in_3d_with_two_phases():
    shape = (2, 16, 16, 20)
    images = gaussian_random_field(8, shape[1:], seed=0).repeat(2, axis=1)
    model = train(InfoGAN(shape, **SMALL, sets=None), images, config=TINY)
    assert all(torch.isfinite(value).all() for value in model.state_dict().values())

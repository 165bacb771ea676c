"""Losses of a game against their closed forms, and slopes that are known."""

import math

import pytest
import torch
from torch import nn

from generative.losses.games import GAMES, mean_squared_distance, squared_slope


def scores(*values):
    return torch.tensor(values, requires_grad=True)


@pytest.mark.parametrize("game", GAMES)
def test_a_critic_that_cannot_tell_has_the_loss_of_a_coin(game):
    coin = math.log(2) * {"relativistic": 1, "non_saturating": 2}[game]
    equal = scores(0.0, 0.0)
    assert GAMES[game].critic(equal, equal).item() == pytest.approx(coin)
    assert GAMES[game].generator(equal, equal).item() == pytest.approx(math.log(2))


@pytest.mark.parametrize("game", GAMES)
def test_the_critic_parts_what_the_generator_brings_together(game):
    real, made = scores(0.3, -0.2), scores(0.1, 0.4)
    for side, sign in ((GAMES[game].critic, 1), (GAMES[game].generator, -1)):
        (slope,) = torch.autograd.grad(side(real, made), made)
        assert (sign * slope > 0).all()
    (slope,) = torch.autograd.grad(GAMES[game].critic(real, made), real)
    assert (slope < 0).all()


def test_pairs_see_differences_alone_and_single_images_do_not():
    real, made = scores(0.3, -0.2), scores(0.1, 0.4)
    for side in range(2):
        pairs, single = (GAMES[game][side] for game in ("relativistic", "non_saturating"))
        torch.testing.assert_close(pairs(real + 7, made + 7), pairs(real, made))
        assert abs(single(real + 7, made + 7) - single(real, made)) > 0.5


def linear_critic(weights):
    critic = nn.Sequential(nn.Flatten(), nn.Linear(len(weights), 1))
    critic[1].weight.data.copy_(torch.tensor([weights]))
    return critic


@pytest.mark.parametrize("space", [(2, 2), (2, 2, 1)])
def test_the_slope_of_a_linear_critic_is_that_of_its_weights_both_ways(space):
    critic = linear_critic([1.0, -2.0, 0.5, 3.0])
    images = torch.randn(20_000, 1, *space, generator=torch.Generator().manual_seed(0))
    noise = torch.randn(20_000, 4, generator=torch.Generator().manual_seed(1))
    expected = 1 + 4 + 0.25 + 9
    exact = squared_slope(critic, images)
    assert exact.item() == pytest.approx(expected, rel=1e-5)
    near = squared_slope(critic, images, noise)
    assert near.item() == pytest.approx(expected, rel=0.05)  # 1.4 % is its standard error
    for found in (exact, near):
        (slope,) = torch.autograd.grad(found, critic[1].weight)
        torch.testing.assert_close(slope, 2 * critic[1].weight, rtol=0.15, atol=0.15)


def test_the_slope_is_in_the_unit_of_the_scores_over_that_of_the_images():
    images = torch.rand(5, 1, 2, 2)
    one, three = (squared_slope(linear_critic([w, 0.0, 0.0, 0.0]), images) for w in (1.0, 3.0))
    assert three.item() == pytest.approx(9 * one.item())


def test_the_mean_distance_is_that_of_all_pairs():
    images = torch.rand(7, 2, 3, 4, generator=torch.Generator().manual_seed(0)).double()
    apart = torch.pdist(images.flatten(1)).square().mean()
    assert mean_squared_distance(images) == pytest.approx(float(apart))

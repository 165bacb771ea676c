"""Statistics of sets of structures, and how far two sets are apart in them."""

import math

import pytest
import torch

from generative.data.synthetic import gaussian_random_field
from generative.diffusion.calibration import antithetic
from generative.losses.set_distance import (
    Recent,
    SetStatistics,
    amount,
    amount_and_interface,
    interface,
    moment_kernel,
    set_distance,
    texture,
    two_point,
)

FIELDS = torch.from_numpy(gaussian_random_field(200, (32, 32), seed=1))
MEASURES = {
    "amount": (amount, True),
    "interface": (interface, True),
    "amount_and_interface": (amount_and_interface, True),
    "texture": (texture, True),
    "two_point": (two_point, False),
}
SHAPES = ("interface", "amount_and_interface", "texture", "two_point")  # of several numbers


def statistics_of(images, reach, components, name="texture"):
    measure, equal = MEASURES[name]
    return SetStatistics(measure, reach, components, equal=equal).fit(images)


def seed(number):
    return torch.Generator().manual_seed(number)


def normal(n, number, mean=0.0):
    return torch.randn(n, 1, generator=seed(number)).double() + mean


@pytest.mark.parametrize("shift", [0.0, 0.5, 3.0])
def test_the_energy_distance_of_two_normal_distributions_is_the_one_in_closed_form(shift):
    """X - Y is normal with mean `shift` and variance 2, and so is X - X' with mean 0."""
    between = 2 / math.sqrt(math.pi) * math.exp(-(shift**2) / 4) + shift * math.erf(shift / 2)
    expected = 2 * between - 4 / math.sqrt(math.pi)
    found = torch.stack(
        [set_distance(normal(30, 2 * i, shift), normal(30, 2 * i + 1)) for i in range(400)]
    )
    assert float(found.mean()) == pytest.approx(expected, abs=4 * float(found.std()) / 20)
    assert float(found.std()) / 20 < 0.03  # or this would show nothing


@pytest.mark.parametrize("n", [3, 4, 7])
def test_samples_of_antithetic_noise_are_no_further_than_others(n):
    """Of one distribution: 0 on average, which it is not if antithetic rows count as a pair."""
    images = (2 * (torch.arange(100).double() + 0.5) / 100 - 1).erfinv()[:, None] * math.sqrt(2)
    made = [antithetic(normal(n, i)) for i in range(500)]
    found, naive = (
        torch.stack([set_distance(x, images, antithetic=known) for x in made])
        for known in (True, False)
    )
    off = float(found.std()) / math.sqrt(500)
    assert float(found.mean()) == pytest.approx(0, abs=4 * off + 0.02)  # 0.02: of a hundred images
    assert float(naive.mean()) < -0.05


@pytest.mark.parametrize("n", [2, 3, 8])
def test_antithetic_noise_is_on_average_nothing_and_normal(n):
    noise = torch.randn(n, 2, generator=seed(0))
    found = antithetic(noise)
    half = -(-n // 2)
    assert torch.equal(found[:half], noise[:half])
    assert torch.equal(found[half:], -noise[: n - half])


def test_rows_can_be_compared_with_more_than_the_second_set():
    x, y, among = torch.zeros(3, 1), torch.zeros(2, 1), torch.tensor([[1.0], [2.0]])
    assert float(set_distance(x, y, among=among)) == pytest.approx(3)


@pytest.mark.parametrize(("shift", "spread"), [(0.0, 1.0), (0.5, 1.0), (0.0, 2.0), (1.0, 0.5)])
def test_of_moments_it_is_the_difference_of_means_and_of_second_moments(shift, spread):
    expected = 2 * shift**2 + (spread**2 + shift**2 - 1) ** 2
    found = torch.stack(
        [
            set_distance(spread * normal(30, 2 * i) + shift, normal(30, 2 * i + 1), moment_kernel)
            for i in range(1000)
        ]
    )
    off = float(found.std()) / math.sqrt(1000)
    assert float(found.mean()) == pytest.approx(expected, abs=4 * off)
    assert off < 0.1 * max(1.0, expected)  # or this would show nothing


def test_moments_tell_a_correlation_that_no_spread_shows():
    x = torch.randn(1500, 2, generator=seed(0)).double()
    together = torch.stack([x[:, 0], 0.6 * x[:, 0] + 0.8 * x[:, 1]], dim=1)
    apart = torch.randn(1500, 2, generator=seed(1)).double()
    assert float(set_distance(together, apart, moment_kernel)) == pytest.approx(
        2 * 0.6**2, rel=0.15
    )


def test_two_points_are_twice_their_distance_apart():
    x, y = torch.zeros(3, 2), torch.tensor([[3.0, 4.0]]).expand(5, 2)
    assert float(set_distance(x, y)) == pytest.approx(10)


@pytest.mark.parametrize("name", SHAPES)
def test_statistics_of_the_images_that_fixed_them_are_white(name):
    found = statistics_of(FIELDS, 4, 3, name)(FIELDS)
    torch.testing.assert_close(found.mean(0), torch.zeros(3).double(), atol=1e-5, rtol=0)
    covariance = found.T.cov(correction=0)
    torch.testing.assert_close(covariance, torch.eye(3).double(), atol=1e-4, rtol=0)


@pytest.mark.parametrize("name", SHAPES)
def test_statistics_see_amount_size_and_direction_and_not_the_place(name):
    reach = 1 if "interface" in name else 4
    some, statistics = FIELDS[:20], statistics_of(FIELDS, reach, 4, name)
    x = statistics(some)
    torch.testing.assert_close(statistics(some.flip(2, 3)), x, atol=1e-4, rtol=1e-4)
    # What is between phases does not tell one from the other.
    inverse = [] if name == "interface" else [1 - some]
    for other in (*inverse, some.mT, some[:, :, :16, :16].repeat(1, 1, 2, 2)):
        assert float((statistics(other) - x).norm(dim=1).mean()) > 0.3


@pytest.mark.parametrize("name", SHAPES)
def test_images_that_are_all_alike_in_a_statistic_are_not_divided_by_nothing(name):
    x = FIELDS[:1].repeat(6, 1, 1, 1)
    x[3:] = x[3:].mT.clone()
    assert torch.isfinite(statistics_of(x, 3, 8, name)(x)).all()


def test_the_interface_of_stripes_is_all_across_them():
    stripes = torch.arange(8).remainder(2).float().expand(1, 1, 8, 8)
    fraction, *found = amount_and_interface(stripes, 1)[0].tolist()
    assert interface(stripes, 1)[0].tolist() == found
    assert fraction == pytest.approx(0.5)
    # Shifts (-1, -1), (-1, 0), (-1, 1), (0, -1): half of the pairs' squared differences.
    assert found == pytest.approx([0.5, 0.0, 0.5, 0.5], abs=1e-6)


def test_two_point_correlations_of_stripes_are_those_one_can_count():
    stripes = torch.arange(8).remainder(2).float().expand(1, 1, 8, 8)
    fraction, *correlations = two_point(stripes, 2)[0].tolist()
    assert fraction == pytest.approx(0.5)
    # Half of the shifts -2 to 2 along each axis, in C order, up to (0, -1).
    across = [across for along in (-2, -1, 0) for across in range(-2, 3)][:12]
    assert correlations == pytest.approx([0.0 if x % 2 else 0.5 for x in across], abs=1e-6)


def test_the_largest_correlation_that_two_phases_allow_is_their_fraction():
    found = two_point(FIELDS, 8)
    assert (found[:, 1:] <= found[:, :1] + 1e-6).all()
    assert (found[:, 1:] >= 2 * found[:, :1] - 1 - 0.2).all()  # 0.2: pairs are those inside


def test_statistics_of_many_shifts_are_fixed_by_fewer_images(monkeypatch):
    monkeypatch.setattr("generative.losses.set_distance.NUMBERS", 41 * 50)
    some = statistics_of(FIELDS, 4, 3)
    assert torch.equal(some.mean_, texture(FIELDS[::4], 4).double().mean(0))


def test_what_is_recent_is_the_last_rows_put_in():
    recent, rows = Recent(5, 1), torch.arange(12.0)[:, None]
    assert sorted(recent.put(rows[:3]).flatten().tolist()) == [0, 1, 2]
    assert sorted(recent.put(rows[3:7]).flatten().tolist()) == [2, 3, 4, 5, 6]
    assert sorted(recent.put(rows[7:9]).flatten().tolist()) == [4, 5, 6, 7, 8]
    assert sorted(recent.put(rows).flatten().tolist()) == [7, 8, 9, 10, 11]


def test_what_is_recent_holds_no_gradient_and_is_kept_with_the_state():
    recent = Recent(4, 1)
    known = recent.put(torch.ones(2, 1, requires_grad=True))
    assert not known.requires_grad
    again = Recent(4, 1)
    again.load_state_dict(recent.state_dict())
    assert again.put(torch.zeros(1, 1)).flatten().tolist() == [1, 1, 0]


def test_images_of_one_amount_are_not_told_apart_by_their_rounding():
    rows = torch.arange(64.0).remainder(2).reshape(1, 1, 8, 8).repeat(6, 1, 1, 1)
    statistics = statistics_of(rows, 1, 1, "amount")
    assert statistics(1 - rows).numel() == 0
    x = statistics(rows)
    assert float(set_distance(x, x)) == 0

"""The flow of Gaussian data is known in closed form, which every solver must approach."""

import math

import pytest
import torch

from generative.diffusion.flow import (
    NEAR_DATA,
    NEAR_NOISE,
    SOLVERS,
    ddim,
    heun,
    midpoint,
    mix,
)

SPREAD = torch.tensor([0.5, 2.0], dtype=torch.float64)
START = torch.tensor([[1.0, -1.0], [0.3, 2.0]], dtype=torch.float64)


def gaussian_velocity(x, time):
    """Best prediction of the velocity where the data are normal with these spreads."""
    cos, sin = time.cos()[:, None], time.sin()[:, None]
    return x * (1 - SPREAD**2) * sin * cos / ((SPREAD * cos) ** 2 + sin**2)


def spread_at(time):
    return ((SPREAD * math.cos(time)) ** 2 + math.sin(time) ** 2).sqrt()


def test_the_ends_of_a_mixture_are_data_and_noise():
    data, noise = torch.randn(2, 3, 4, dtype=torch.float64)
    time = torch.tensor([0.0, math.pi / 2, math.pi / 4], dtype=torch.float64)
    mixed, velocity = mix(data, noise, time)
    torch.testing.assert_close(mixed[0], data[0])
    torch.testing.assert_close(mixed[1], noise[1])
    torch.testing.assert_close(velocity[0], noise[0])
    torch.testing.assert_close(velocity[1], -data[1])


def test_the_velocity_is_the_derivative_of_the_mixture():
    data, noise = torch.randn(2, 3, 4, dtype=torch.float64)
    time, small = torch.tensor([0.2, 0.7, 1.3], dtype=torch.float64), 1e-6
    ahead, _ = mix(data, noise, time + small)
    behind, _ = mix(data, noise, time - small)
    torch.testing.assert_close((ahead - behind) / (2 * small), mix(data, noise, time)[1])


@pytest.mark.parametrize("name", SOLVERS)
def test_gaussian_data_are_scaled_to_unit_spread(name):
    noise = SOLVERS[name](gaussian_velocity, START, NEAR_DATA, NEAR_NOISE, 2000)
    exact = START / spread_at(NEAR_DATA) * spread_at(NEAR_NOISE)
    torch.testing.assert_close(noise, exact, rtol=2e-3, atol=0)


def test_heun_and_midpoint_are_of_second_order_and_ddim_of_first():
    exact = START / spread_at(NEAR_DATA) * spread_at(NEAR_NOISE)

    def error(solver, steps):
        return float(
            (solver(gaussian_velocity, START, NEAR_DATA, NEAR_NOISE, steps) - exact).norm()
        )

    for solver in (heun, midpoint):
        assert error(solver, 20) / error(solver, 40) == pytest.approx(4, rel=0.25)
    assert error(ddim, 100) / error(ddim, 200) == pytest.approx(2, rel=0.15)


def test_ddim_with_the_exact_velocity_of_one_point_is_exact_in_one_step():
    point = torch.tensor([[0.4, -1.2]], dtype=torch.float64)

    def velocity(x, time):  # all data are this point, so the noise in x is known
        cos, sin = time.cos()[:, None], time.sin()[:, None]
        return cos * (x - cos * point) / sin - sin * point

    end = ddim(velocity, torch.randn(1, 2, dtype=torch.float64), math.pi / 2, 0.0, 1)
    torch.testing.assert_close(end, point)


@pytest.mark.parametrize("solver", [heun, midpoint])
def test_there_and_back_is_where_one_started(solver):
    noise = solver(gaussian_velocity, START, NEAR_DATA, NEAR_NOISE, 50)
    back = solver(gaussian_velocity, noise, NEAR_NOISE, NEAR_DATA, 50)
    torch.testing.assert_close(back, START, rtol=1e-3, atol=1e-3)

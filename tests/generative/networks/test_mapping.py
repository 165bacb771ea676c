"""The invertible mapping from noise to style."""

import pytest
import torch

from generative.networks.mapping import Mapping


def trained(conditions=0):
    """One whose every weight is a random number, as after a training."""
    mapping = Mapping(16, 3, conditions)
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for weight in mapping.parameters():
            weight.copy_(0.5 * torch.randn(weight.shape, generator=generator))
    return mapping.double()


NOISE = torch.randn(8, 16, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
ASKED = torch.eye(3, dtype=torch.float64)[torch.arange(8) % 3]


def test_the_way_back_is_exact():
    for mapping, condition in ((trained(), None), (trained(3), None), (trained(3), ASKED)):
        style = mapping(NOISE, condition)
        torch.testing.assert_close(mapping.inverse(style, condition), NOISE)
        assert (style - NOISE).abs().max() > 0.1


def test_a_new_one_is_the_same_for_each_number_alone():
    moved = NOISE.clone()
    moved[:, 3] += 1
    mapping = Mapping(16, 3).double()
    change = (mapping(moved) - mapping(NOISE)).abs() > 0
    assert change[:, 3].all()
    assert not change[:, [*range(3), *range(4, 16)]].any()


def test_conditions_move_styles_and_nothing_asked_is_as_none_given():
    mapping = trained(3)
    free = mapping(NOISE)
    torch.testing.assert_close(mapping(NOISE, torch.zeros_like(ASKED)), free)
    assert (mapping(NOISE, ASKED) - free).abs().max() > 0.1


def test_it_keeps_volume_up_to_its_rectifiers():
    """The determinant of an orthogonal matrix is 1: of one layer nothing is left to change it."""
    mapping = Mapping(16, 1).double()
    with torch.no_grad():
        mapping.skew.normal_(generator=torch.Generator().manual_seed(0))
    jacobian = torch.autograd.functional.jacobian(lambda x: mapping(x[None])[0], NOISE[0])
    torch.testing.assert_close(jacobian.det().abs(), NOISE.new_ones(()), rtol=1e-4, atol=0)


def test_a_rotated_one_keeps_the_variance_and_its_inverse_is_well_conditioned():
    torch.manual_seed(0)
    mapping = Mapping(64, 4, slope=0.5, rotated=True).double()
    noise = torch.randn(2000, 64, dtype=torch.float64)
    with torch.no_grad():
        style = mapping(noise)
        torch.testing.assert_close(mapping.inverse(style), noise)
    assert float(style.square().mean()) == pytest.approx(1, abs=0.1)
    jacobian = torch.autograd.functional.jacobian(lambda x: mapping(x[None])[0], noise[0])
    lengths = torch.linalg.svdvals(jacobian)
    assert lengths.max() / lengths.min() < 20


def test_the_rate_makes_a_mapping_learn_so_much_slower():
    """The first step of Adam has the length of the learning rate for each parameter."""
    steps = []
    for rate in (1.0, 0.01):
        mapping = Mapping(16, 2, rate=rate).double()
        optimizer = torch.optim.Adam(mapping.parameters(), 1e-3)
        mapping(NOISE).pow(3).sum().backward()
        optimizer.step()
        with torch.no_grad():
            steps.append((mapping(NOISE) - Mapping(16, 2).double()(NOISE)).norm())
    assert float(steps[1] / steps[0]) == pytest.approx(0.01, rel=0.05)

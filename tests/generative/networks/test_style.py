"""Modulated convolutions against weights of each row's own; mixed styles; fixed and given noise."""

import pytest
import torch
from torch.nn import functional

from generative.networks.layout import plan_layout
from generative.networks.style import ModulatedConvolution, StyleGenerator


def generator(shape=(1, 32, 32), **changes):
    torch.manual_seed(0)
    layout = plan_layout(shape, (4, 8))
    return StyleGenerator(layout, 6, changes.get("padding", "zeros"), changes.get("first", "cells"))


def styles(n=3, seed=1):
    return torch.randn(n, 6, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("dims", [2, 3])
@pytest.mark.parametrize("demodulate", [True, False])
def test_scaled_channels_are_a_convolution_with_weights_of_each_rows_own(dims, demodulate):
    torch.manual_seed(0)
    layer = ModulatedConvolution(dims, 6, 3, 5, padding="zeros", demodulate=demodulate)
    x, style = torch.randn(2, 3, *[7] * dims), styles(2)
    convolve = {2: functional.conv2d, 3: functional.conv3d}[dims]
    for row, answer in enumerate(layer(x, style)):
        factors = layer.factors(style[row]).reshape(1, 3, *[1] * dims)
        weights = layer.layer.weight * factors
        if demodulate:
            weights = weights / weights.square().flatten(1).sum(1).sqrt().reshape(
                -1, 1, *[1] * dims
            )
        expected = convolve(x[row : row + 1], weights, padding=1)[0]
        torch.testing.assert_close(answer, expected, rtol=1e-4, atol=1e-5)


def test_demodulated_features_have_unit_variance_whatever_the_style():
    torch.manual_seed(0)
    layer = ModulatedConvolution(2, 6, 16, 16, padding="circular")
    answer = layer(torch.randn(2, 16, 48, 48), 10 * styles(2))
    torch.testing.assert_close(answer.var((2, 3)), torch.ones(2, 16), rtol=0, atol=0.15)


def test_modulation_starts_at_one():
    layer = ModulatedConvolution(2, 6, 4, 4, padding="zeros")
    assert torch.equal(layer.factors(torch.zeros(2, 6)), torch.ones(2, 4))


@pytest.mark.parametrize("first", ["cells", "constant"])
@pytest.mark.parametrize("shape", [(1, 32, 32), (2, 16, 20, 16)])
def test_images_are_of_the_shape_and_follow_the_style(shape, first):
    net = generator(shape, first=first)
    with torch.no_grad():
        images = net(styles())
    assert images.shape == (3, *shape)
    assert (images[0] - images[1]).abs().max() > 0.1


def test_without_noise_given_an_image_is_a_function_of_its_style():
    net, style = generator(), styles()
    with torch.no_grad():
        fixed = net(style)
        assert torch.equal(net(style), fixed)
        given = torch.cat([layer.field.flatten() for layer in net.textures])
        assert len(given) == net.noise_size
        torch.testing.assert_close(net(style, given.expand(3, -1)), fixed)
        other = net(style, torch.randn(3, net.noise_size))
    assert (other - fixed).abs().max() > 0.01


def test_layers_from_the_crossing_on_have_the_other_style():
    net, a, b = generator(), styles(seed=1), styles(seed=2)
    every = torch.full((3,), net.layers)
    with torch.no_grad():
        alone, others = net(a), net(b)
        torch.testing.assert_close(net(a, other=b, crossing=every), alone)
        torch.testing.assert_close(net(a, other=b, crossing=0 * every), others)
        mixed = net(a, other=b, crossing=torch.tensor([net.layers, 2, 0]))
    torch.testing.assert_close(mixed[[0, 2]], torch.stack([alone[0], others[2]]))
    assert (mixed[1] - alone[1]).abs().max() > 0.01
    assert (mixed[1] - others[1]).abs().max() > 0.01


def test_a_number_begins_as_the_voice_of_a_cell():
    net = StyleGenerator(plan_layout((1, 32, 32), (4, 8)), 64, "zeros", "cells")
    heard = net.cells.weight.reshape(8, 64, 64).square().sum(0)
    assert torch.equal(heard, heard.diag().diag())


def test_periodic_padding_commutes_with_shifts_where_nothing_has_a_place():
    net = generator(padding="circular", first="constant")
    with torch.no_grad():
        net.constant.copy_(net.constant[:, :1, :1].expand_as(net.constant))
        for layer in net.textures:
            layer.strength.zero_()
        images = net(styles())
    torch.testing.assert_close(images.roll(5, 2), images)

"""Layers of 2-D and 3-D networks against their definitions."""

import itertools

import pytest
import torch
from torch.nn import functional

from generative.networks.blocks import ResidualBlock, Upsample, convolution, pixel_shuffle

SPACES = {2: (6, 8), 3: (4, 6, 8)}


def draw(*shape):
    return torch.rand(*shape, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("factor", [1, 2, 3])
def test_pixel_shuffle_is_that_of_torch_in_two_dimensions(factor):
    x = draw(2, 3 * factor**2, 4, 5)
    assert torch.equal(pixel_shuffle(x, (factor, factor)), functional.pixel_shuffle(x, factor))


@pytest.mark.parametrize("factors", [(2, 3), (1, 2), (2, 1, 3)])
def test_pixel_shuffle_puts_each_channel_at_its_place_in_the_cell(factors):
    space = SPACES[len(factors)]
    offsets = list(itertools.product(*map(range, factors)))
    x = draw(2, len(offsets), *space)
    answer = pixel_shuffle(x, factors)
    for channel, offset in enumerate(offsets):
        cells = tuple(slice(o, None, f) for o, f in zip(offset, factors, strict=True))
        assert torch.equal(answer[(slice(None), 0, *cells)], x[:, channel])


@pytest.mark.parametrize("dims", [2, 3])
def test_a_residual_block_starts_as_its_skip(dims):
    x = draw(2, 3, *SPACES[dims])
    assert torch.equal(ResidualBlock(dims, 3, 3, "zeros")(x), x)
    wider = ResidualBlock(dims, 3, 5, "zeros")
    assert torch.equal(wider(x), wider.skip(x))


@pytest.mark.parametrize("dims", [2, 3])
def test_a_residual_block_can_learn(dims):
    block = ResidualBlock(dims, 3, 3, "zeros")
    block(draw(2, 3, *SPACES[dims])).square().sum().backward()
    assert block.body[-1].weight.grad.abs().max() > 0


@pytest.mark.parametrize("dims", [2, 3])
@pytest.mark.parametrize("kernel", [1, 3, 5])
def test_a_convolution_keeps_the_size_at_stride_one_and_divides_it_at_two(dims, kernel):
    x = draw(1, 2, *SPACES[dims])
    assert convolution(dims, 2, 3, kernel)(x).shape == (1, 3, *SPACES[dims])
    halved = tuple(side // 2 for side in SPACES[dims])
    assert convolution(dims, 2, 3, kernel, stride=2)(x).shape == (1, 3, *halved)


@pytest.mark.parametrize("dims", [2, 3])
def test_a_circular_convolution_commutes_with_periodic_shifts(dims):
    layer, x = convolution(dims, 1, 2, padding="circular"), draw(1, 1, *SPACES[dims])
    axes = tuple(range(2, 2 + dims))
    shifts = (1, 2, 3)[:dims]
    moved = layer(x.roll(shifts, axes))
    torch.testing.assert_close(moved, layer(x).roll(shifts, axes), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("factors", [(2, 3), (3, 1), (2, 1, 3)])
def test_upsampling_repeats_each_voxel(factors):
    x = draw(1, 2, *SPACES[len(factors)])
    expected = x
    for axis, factor in enumerate(factors):
        expected = expected.repeat_interleave(factor, 2 + axis)
    assert torch.equal(Upsample(factors)(x), expected)

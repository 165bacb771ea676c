"""Periodic padding: torch's own answers, its gradient and the gradient's."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional

from objectives.convolutions import sound
from objectives.periodic_padding import periodic_padding


@st.composite
def cases(draw):
    dims = draw(st.sampled_from([2, 3]))
    shape = [draw(st.integers(1, 5)) for _ in range(dims)]
    widths = [draw(st.integers(0, side)) for side in shape[::-1] for _ in "ab"]
    return [draw(st.integers(1, 3)), draw(st.integers(1, 3)), *shape], tuple(widths)


@given(cases(), st.booleans())
def test_it_answers_what_torch_does_and_keeps_the_layout(case, last):
    shape, widths = case
    layout = torch.contiguous_format
    if last:
        layout = torch.channels_last if len(shape) == 4 else torch.channels_last_3d
    x = torch.rand(shape).contiguous(memory_format=layout)
    padded = periodic_padding(x, widths)
    assert torch.equal(padded, functional.pad(x, widths, mode="circular"))
    # An image of one voxel has both layouts, whichever was asked for.
    assert padded.is_contiguous(memory_format=layout) or math.prod(shape[2:]) == 1


@pytest.mark.parametrize(
    ("shape", "widths"), [((2, 2, 3, 4), (1, 2, 3, 0)), ((1, 2, 2, 3, 2), (1, 1, 0, 2, 2, 1))]
)
def test_its_gradients_are_those_of_finite_differences(shape, widths):
    x = torch.rand(shape, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x: periodic_padding(x, widths), x)
    assert torch.autograd.gradgradcheck(lambda x: periodic_padding(x, widths) ** 3, x)


@pytest.mark.filterwarnings("ignore::torch.jit.TracerWarning")
@pytest.mark.parametrize(
    ("shape", "widths"), [((2, 2, 3, 4), (1, 2, 3, 0)), ((1, 2, 2, 3, 2), (1, 1, 0, 2, 2, 1))]
)
def test_a_trace_of_it_pads_other_images_too(shape, widths):
    x = torch.rand(shape)
    traced = torch.jit.trace(lambda x: periodic_padding(x, widths), torch.zeros(shape))
    assert torch.equal(traced(x), periodic_padding(x, widths))


@pytest.mark.parametrize("layer", [nn.Conv1d, nn.Conv2d, nn.Conv3d])
def test_a_sound_periodic_convolution_answers_what_it_did(layer):
    torch.manual_seed(0)
    own = layer(2, 3, 3, stride=2, padding=1, padding_mode="circular").double()
    dims = own.weight.ndim - 2
    x = torch.rand(2, 2, *[5] * dims, dtype=torch.float64, requires_grad=True)
    answer = own(x)
    (slope,) = torch.autograd.grad(answer.pow(2).sum(), x)
    again = sound(own)(x)
    torch.testing.assert_close(again, answer)
    torch.testing.assert_close(torch.autograd.grad(again.pow(2).sum(), x)[0], slope)


def test_more_voxels_than_there_are_is_refused():
    with pytest.raises(ValueError, match="smaller kernel"):
        periodic_padding(torch.zeros(1, 1, 2, 2), (3, 0, 0, 0))

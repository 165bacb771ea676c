"""Every allowed size gets strides that reach the code grid with little padding."""

import math

import pytest
import torch
from torch.nn import functional

from generative.networks.layout import CODE_GRIDS, SIZES, WIDTHS, plan_layout


def sizes(dims):
    low, high = SIZES[dims]
    return range(low, high + 1)


@pytest.mark.parametrize("dims", [2, 3])
def test_every_size_is_padded_to_the_code_grid_times_its_strides(dims):
    for side in sizes(dims):
        layout = plan_layout((1, *[side] * dims))
        for axis, cells in enumerate(CODE_GRIDS[dims]):
            padded = cells * math.prod(stride[axis] for stride in layout.strides)
            before, after = layout.padding[2 * (dims - 1 - axis) :][:2]
            assert side + before + after == padded
            assert 0 <= after - before <= 1
            assert padded < 1.51 * side


@pytest.mark.parametrize("dims", [2, 3])
def test_there_are_widths_for_every_size(dims):
    for side in sizes(dims):
        layout = plan_layout((1, *[side] * dims))
        assert len(layout.strides) == len(layout.channels)
        assert layout.channels in WIDTHS[dims].values()


def test_strides_are_two_and_at_most_one_three_last():
    for side in sizes(2):
        strides = [stride[0] for stride in plan_layout((1, side, side)).strides]
        assert set(strides[:-1]) <= {2}
        assert strides[-1] in (2, 3)


def test_sizes_that_divide_are_not_padded():
    for space in ((32, 32), (48, 48), (64, 64), (96, 64), (256, 256), (16, 16, 16), (24, 32, 48)):
        assert set(plan_layout((1, *space)).padding) == {0}


def test_a_short_axis_waits_for_the_last_stages():
    assert plan_layout((1, 64, 32)).strides == ((2, 1), (2, 2), (2, 2))


@pytest.mark.parametrize("space", [(33, 100), (64, 47), (21, 17, 50)])
def test_the_crop_undoes_the_padding(space):
    images = torch.rand(2, 1, *space)
    layout = plan_layout((1, *space))
    padded = functional.pad(images, layout.padding)
    assert padded.shape != images.shape
    assert torch.equal(padded[layout.crop], images)


def test_widths_given_replace_the_defaults():
    assert plan_layout((1, 32, 32), (4, 8)).channels == (4, 8)


@pytest.mark.parametrize("shape", [(1, 31, 64), (1, 64, 257), (1, 16, 16, 65)])
def test_a_side_outside_the_limits_is_refused_with_both_and_a_remedy(shape):
    low, high = SIZES[len(shape) - 1]
    with pytest.raises(ValueError, match=f"{low} to {high} voxels, got .*Cut patches") as refusal:
        plan_layout(shape)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize("shape", [(1,), (1, 64), (1, 16, 16, 16, 16), (0, 64, 64)])
def test_a_shape_that_is_not_of_images_is_refused(shape):
    with pytest.raises(ValueError, match=r"\(c, h, w\) or \(c, d, h, w\), got"):
        plan_layout(shape)


def test_widths_that_do_not_number_the_stages_are_refused():
    for widths in ((4, 8), ()):
        with pytest.raises(ValueError, match="take 3 widths"):
            plan_layout((1, 64, 64), widths)

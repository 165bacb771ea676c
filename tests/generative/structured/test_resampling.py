import numpy as np
import pytest
import torch

from generative.structured.resampling import (
    cropped,
    permutations_of,
    permuted,
    points_of,
    resampled,
    turned_back,
)
from generative.structured.rotations import turns_of


@pytest.mark.parametrize("shape", [(1, 8, 8), (3, 5, 5), (2, 6, 6, 6), (1, 5, 5, 5)])
def test_right_angles_are_permutations_of_voxels(shape):
    images, points = torch.rand(3, *shape), points_of(shape[1:])
    turns = turns_of(len(shape) - 1, 4)
    made = turned_back(images, points, turns)
    torch.testing.assert_close(permuted(images, permutations_of(points, turns)), made)
    if len(shape) == 3:  # counter-clockwise as shown, so that x goes to -y
        expected = torch.stack([torch.rot90(images, k, (2, 3)) for k in range(4)], 1)
        torch.testing.assert_close(made, expected)


@pytest.mark.parametrize(("sides", "space"), [((8, 9), (4, 4)), ((7, 8, 6), (4, 4, 4))])
def test_the_middle_is_what_is_seen_without_rotation(sides, space):
    images = torch.rand(2, 3, *sides)
    dims = len(space)
    size = torch.tensor([a / b for a, b in zip(sides, space, strict=True)][::-1])
    one = torch.eye(dims).expand(2, 1, -1, -1)
    expected = resampled(images, points_of(space), one, size=size)[:, 0]
    torch.testing.assert_close(cropped(images, space), expected, rtol=0, atol=1e-5)


def test_a_turned_ramp_is_a_ramp_along_the_turned_axis():
    """Linear interpolation is exact for it, at any angle."""
    points = points_of((9, 9))
    ramp = points[..., 0][None, None]  # the value is x
    angle = 0.7
    cos, sin = np.cos(angle), np.sin(angle)
    turn = torch.tensor([[cos, -sin], [sin, cos]]).float()
    made = resampled(ramp, 0.5 * points, turn[None, None], torch.tensor([[[0.1, 0.0]]]))[0, 0, 0]
    expected = cos * 0.5 * points[..., 0] + sin * 0.5 * points[..., 1] - 0.1
    torch.testing.assert_close(made, expected)

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from generative.structured.rotations import exponential, logarithm, reach_of, turns_of

VECTORS = st.lists(st.floats(-1.8, 1.8), min_size=3, max_size=3)


@given(VECTORS)
def test_a_rotation_vector_becomes_the_matrix_that_scipy_makes_and_comes_back(numbers):
    vector = torch.tensor(numbers, dtype=torch.float64)
    matrix = exponential(vector)
    expected = torch.from_numpy(Rotation.from_rotvec(vector.numpy()).as_matrix())
    torch.testing.assert_close(matrix, expected, rtol=0, atol=1e-6)
    torch.testing.assert_close(exponential(logarithm(expected)), expected, rtol=0, atol=1e-6)


@given(st.floats(-3.1, 3.1))
def test_an_angle_of_the_plane_comes_back(angle):
    given_ = torch.tensor([[angle]], dtype=torch.float64)
    torch.testing.assert_close(logarithm(exponential(given_)), given_)


@pytest.mark.parametrize("axis", range(3))
def test_half_turns_of_space_are_no_exception(axis):
    vector = torch.zeros(3, dtype=torch.float64)
    vector[axis] = math.pi
    assert logarithm(exponential(vector)).norm() == pytest.approx(math.pi, abs=1e-6)


def test_the_turns_of_the_cube_are_a_group_of_24():
    turns = turns_of(3, 24)
    products = (turns[:, None] @ turns[None]).reshape(-1, 9)
    assert {*map(tuple, products.tolist())} == {*map(tuple, turns.reshape(-1, 9).tolist())}
    assert len({*map(tuple, turns.reshape(-1, 9).tolist())}) == 24


@pytest.mark.parametrize(("dims", "count", "fold"), [(2, 4, 1), (2, 8, 1), (2, 4, 3), (3, 24, 1)])
def test_turns_and_what_refines_them_reach_every_rotation(dims, count, fold):
    """A structure of that fold looks the same after a period, which counts as reached."""
    turns = turns_of(dims, count, fold).double()
    if dims == 2:
        rotations = exponential(torch.linspace(-math.pi, math.pi, 100)[:, None].double())
        alike = exponential(2 * math.pi / fold * torch.arange(fold)[:, None].double())
    else:
        rotations = torch.from_numpy(Rotation.random(100, random_state=0).as_matrix())
        alike = torch.eye(3, dtype=torch.float64)[None]
    between = (turns[:, None].mT @ rotations[None, :])[:, :, None] @ alike
    distance = logarithm(between).norm(dim=-1).amin((0, 2))
    assert distance.max() < reach_of(dims, count, fold)

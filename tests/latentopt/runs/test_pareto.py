"""Fronts and their volume, against their definitions and BoTorch's."""

import numpy as np
import pytest
import torch

from latentopt.runs.pareto import hypervolume, non_dominated


@pytest.fixture(params=[1, 2, 3, 4])
def values(request):
    return np.random.default_rng(request.param).random((30, request.param))


def test_every_point_off_the_front_is_surpassed_by_one_on_it(values):
    front = non_dominated(values)
    assert front.any()
    for row in values[~front]:
        assert ((values[front] >= row).all(1) & (values[front] > row).any(1)).any()


def test_no_point_of_the_front_surpasses_another(values):
    front = values[non_dominated(values)]
    for row in front:
        assert not ((front >= row).all(1) & (front > row).any(1)).any()


def test_equal_points_are_on_the_front_together():
    assert non_dominated(np.ones((3, 2))).tolist() == [True] * 3
    assert non_dominated(np.zeros((0, 2))).tolist() == []


def test_the_volume_of_one_point_is_its_box_above_the_reference():
    assert hypervolume(np.array([[3.0, 4.0]]), np.array([1.0, 1.0])) == 6.0
    assert hypervolume(np.array([[3.0, 1.0]]), np.array([1.0, 1.0])) == 0.0
    assert hypervolume(np.zeros((0, 2)), np.zeros(2)) == 0.0


def test_the_volume_is_the_share_of_random_points_that_the_front_surpasses(values):
    darts = np.random.default_rng(9).random((20_000, values.shape[1]))
    hit = np.zeros(len(darts), dtype=bool)
    for row in values:
        hit |= (darts <= row).all(1)
    assert hypervolume(values, np.zeros(values.shape[1])) == pytest.approx(hit.mean(), abs=0.02)


@pytest.mark.slow
def test_the_volume_is_that_of_botorch(values):
    from botorch.utils.multi_objective.hypervolume import Hypervolume

    if values.shape[1] == 1:
        pytest.skip("BoTorch's volume is of two objectives or more")
    front = torch.from_numpy(values[non_dominated(values)])
    theirs = Hypervolume(front.new_full((front.shape[1],), 0.1)).compute(front)
    ours = hypervolume(values, np.full(values.shape[1], 0.1))
    assert ours == pytest.approx(theirs, rel=1e-9)

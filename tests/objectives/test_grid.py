"""The grid that images stand on."""

import pytest

from objectives.errors import EvaluationError
from objectives.grid import Grid, takes_grid


def test_one_edge_is_that_of_every_axis():
    assert Grid(2).edges_um(3) == (2.0, 2.0, 2.0)
    assert Grid([5, 1]).edges_um(2) == (5.0, 1.0)


def test_edges_of_other_axes_than_the_image_has_are_refused():
    with pytest.raises(EvaluationError, match="3 for images of 3 axes"):
        Grid((5, 1)).edges_um(3)


@pytest.mark.parametrize("edges", [0, -1.0, float("nan"), float("inf"), (1, 0), ()])
def test_an_edge_that_is_no_length_is_refused(edges):
    with pytest.raises(ValueError, match="voxel_size_um should be"):
        Grid(edges)


def test_boxes_are_refused_in_the_name_of_what_needs_cubes():
    assert Grid((2, 2)).cube_edge_um("percolation") == 2.0
    with pytest.raises(EvaluationError, match="overhang needs voxels that are cubes"):
        Grid((5, 1)).cube_edge_um("overhang")


def test_an_objective_gets_a_grid_where_it_has_a_parameter_of_that_name():
    class Objective:
        def __call__(self, images, grid=None):
            return {}

    assert takes_grid(Objective())
    assert not takes_grid(max)


def test_edges_are_counted_in_steps_of_the_shortest():
    assert Grid(3.0).steps(2) == (1.0, 1.0)
    assert Grid((5, 2)).steps(2) == (2.5, 1.0)
    with pytest.raises(EvaluationError, match="2 for images of 2 axes"):
        Grid((1, 2, 3)).steps(2)

"""Every objective in the table keeps the promises of `Objective`."""

import json

import pytest
import torch
from pydantic import ValidationError

from latentopt.evaluation.objective import Objective
from objectives import OBJECTIVES
from objectives.errors import EvaluationError
from objectives.grid import Grid, takes_grid
from objectives.surrogates import SURROGATES

# Settings in two and three dimensions, as a config file would give them; a new row needs its own.
SETTINGS = {
    "volume_fraction": ({}, {"phase": 0}),
    "effective_conductivity": (
        {"conductivity": [1, 10], "dim": 2},
        {"conductivity": [1, 10], "dim": 3},
    ),
    "effective_spectrum": (
        {
            "phases": [1, {"kind": "drude", "plasma_frequency": 1, "damping": 0.2}],
            "axis": {"start": 0.2, "stop": 1, "points": 9},
            "quantity": "energy_loss",
            "bands": {"low_loss": [0.2, 0.55]},
            "peak": [0.3, 1],
        },
        {
            "phases": [{"kind": "constant", "real": 2, "loss": 0.1}, {"kind": "axis"}],
            "axis": [1, 2, 10],
            "along": "mean",
            "target": [2, 3, 4],
        },
    ),
    "effective_stiffness": (
        {"young": [1, 10], "plane": "stress", "dim": 2},
        {"young": [0, 10], "dim": 3},
    ),
    "manufacturability": (
        {
            "rules": [
                {"kind": "min_solid", "limit_um": 2},
                {"kind": "percolation"},
                {"kind": "local_packing", "limit": 0.8, "window_um": 3},
                {"kind": "min_gap", "limit_um": 2, "erosion_um": 0.5},
            ]
        },
        {"rules": "sintered_ceramic"},
    ),
    "two_point_target": (
        {"target": [[0, 1, 1, 0, 0, 1]] * 5},
        {"target": [[[0, 1, 1]] * 4] * 5},
    ),
    "surrogate": ({"prefix": "gp_"}, {}),  # and a folder, which `fitted` makes
}
NO_LENGTHS = {"volume_fraction"}
# Objectives whose values depend on where in the image something is: none of ours.
OF_PLACES: set[str] = set()
SPACES = ((5, 6), (5, 4, 3))
CASES = [(kind, dim) for kind in OBJECTIVES for dim in (2, 3)]


@pytest.fixture(scope="module")
def fitted(tmp_path_factory):
    """Folder of a small surrogate for each number of dimensions."""

    def fit(space):
        images = torch.rand(12, 1, *space, generator=torch.Generator().manual_seed(1))
        surrogate = SURROGATES["two_point_gp"](components=2)
        surrogate.fit(images, {"property": images.double().flatten(1).mean(1)})
        return surrogate.save(tmp_path_factory.mktemp("surrogate"))

    return {2 + i: fit(space) for i, space in enumerate(SPACES)}


@pytest.fixture(params=CASES, ids=[f"{kind}-{dim}d" for kind, dim in CASES])
def case(request, fitted):
    kind, dim = request.param
    settings = {"kind": kind, **SETTINGS[kind][dim - 2]}
    if kind == "surrogate":
        settings["folder"] = fitted[dim]
    objective = OBJECTIVES[kind].model_validate(settings)
    generator = torch.Generator().manual_seed(0)
    return objective, torch.rand(4, 1, *SPACES[dim - 2], generator=generator)


def test_every_row_has_settings_here():
    assert SETTINGS.keys() == OBJECTIVES.keys()


def test_the_kind_is_the_name_in_the_table():
    for kind, objective in OBJECTIVES.items():
        assert objective.model_fields["kind"].default == kind


def test_every_field_is_described():
    for objective in OBJECTIVES.values():
        for name, field in objective.model_fields.items():
            assert name == "kind" or field.description


def test_it_matches_the_protocol(case):
    assert isinstance(case[0], Objective)


def test_one_finite_float64_value_a_row_for_every_unit(case):
    objective, images = case
    values = objective(images)
    assert list(values) == list(objective.units)
    for value in values.values():
        assert value.shape == (4,)
        assert value.dtype == torch.float64
        assert torch.isfinite(value).all()


def test_rows_do_not_depend_on_each_other(case):
    objective, images = case
    whole, part = objective(images), objective(images[2:3])
    for name in objective.units:
        torch.testing.assert_close(whole[name][2:3], part[name], rtol=1e-9, atol=1e-12)


def test_images_are_left_as_they_were_and_asked_twice_answer_the_same(case):
    objective, images = case
    before = images.clone()
    first, second = objective(images), objective(images)
    assert torch.equal(images, before)
    assert all(torch.equal(first[name], second[name]) for name in objective.units)


def test_no_images_have_no_values(case):
    objective, images = case
    assert all(value.shape == (0,) for value in objective(images[:0]).values())


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), 7.0])
def test_a_bad_row_is_refused_by_number(case, bad):
    objective, images = case
    images[2, 0, 1, 1] = bad
    with pytest.raises(EvaluationError, match="row 2") as refusal:
        objective(images)
    assert "\n" not in str(refusal.value)


def test_settings_survive_json(case):
    objective, _ = case
    settings = json.loads(json.dumps(objective.model_dump(mode="json")))
    assert type(objective).model_validate(settings) == objective


def test_an_unknown_setting_is_refused(case):
    objective, _ = case
    with pytest.raises(ValidationError, match="Extra inputs are not permitted"):
        type(objective).model_validate({**objective.model_dump(), "tolerence": 1})


def values_on(objective, images, grid):
    """Values of an objective, which is given the grid if anything in it depends on one."""
    return objective(images) if objective.kind in NO_LENGTHS else objective(images, grid)


def test_it_takes_a_grid_unless_nothing_in_it_is_a_length(case):
    objective, images = case
    assert takes_grid(objective) == (objective.kind not in NO_LENGTHS)
    alone, given = objective(images), values_on(objective, images, Grid())
    assert all(torch.equal(alone[name], given[name]) for name in objective.units)


@pytest.mark.parametrize("periodic", [True, False])
def test_a_point_reflection_of_the_image_has_the_same_values(case, periodic):
    objective, images = case
    if objective.kind in OF_PLACES:
        pytest.skip("its values depend on places")
    if objective.kind == "surrogate" and not periodic:
        pytest.skip("it was fitted to images that repeat")
    grid = Grid((2.0, *[1.0] * (images.ndim - 3)), periodic)
    if objective.kind == "surrogate":
        grid = Grid(2.0)
    before = values_on(objective, images, grid)
    after = values_on(objective, images.flip(tuple(range(2, images.ndim))), grid)
    for name in objective.units:
        torch.testing.assert_close(before[name], after[name], rtol=1e-3, atol=1e-6)


def slabs(dim):
    """Two voxels of four along the first axis."""
    return torch.zeros(1, 1, *SPACES[dim - 2]).index_fill(2, torch.tensor([1, 2]), 1.0)


def test_boxes_have_the_values_of_the_cubes_they_could_be_cut_into_or_are_refused(case):
    objective, images = case
    images, edges = slabs(images.ndim - 2), (2.0, *[1.0] * (images.ndim - 3))
    if objective.kind == "surrogate":
        with pytest.raises(EvaluationError, match="cubes that repeat"):
            objective(images, Grid(edges))
        return
    boxes = values_on(objective, images, Grid(edges))
    if objective.kind == "two_point_target":  # a target that says nothing is on the same grid
        cubes = objective(images)
    else:
        cubes = values_on(objective, images.repeat_interleave(2, 2), Grid())
    for name in objective.units:
        torch.testing.assert_close(boxes[name], cubes[name], rtol=1e-3, atol=1e-6)


def test_a_grid_of_other_axes_is_refused(case):
    objective, images = case
    if objective.kind in NO_LENGTHS:
        pytest.skip("nothing in it is a length")
    with pytest.raises(ValueError, match="voxel_size_um should be one length"):
        values_on(objective, images, Grid((1.0, 2.0, 3.0, 4.0)))

"""Sets of generated structures against real ones: what passes, what fails, what is absent."""

import pytest
import torch

from generative.data.synthetic import gaussian_random_field
from objectives.errors import EvaluationError
from objectives.fidelity import (
    Copies,
    DrawFigures,
    FeatureSpaces,
    TwoPointScores,
    frechet_distance,
    lone_voxels,
    shuffled_pixels,
    thin_voxels,
    two_point_features,
    undecided_voxels,
)
from objectives.phases import to_images

SIDE = 24


def fields(n, seed, shape=(SIDE, SIDE)):
    return torch.from_numpy(gaussian_random_field(n, shape, seed=seed))


REAL, OTHERS, TRAINING = fields(80, 1), fields(80, 2), fields(150, 3)


@pytest.fixture(scope="module")
def judge():
    return DrawFigures(REAL, OTHERS, training=TRAINING)


def test_other_real_structures_are_at_the_floor_and_shuffled_ones_are_not(judge):
    draws, floor, control = judge(fields(80, 4)), judge.floor, judge.control
    for space in ("two_point", "two_point_features", "random_cnn"):
        near = max(draws[f"frechet_{space}"], floor[f"frechet_{space}"])
        assert control[f"frechet_{space}"] > 5 * near
        assert min(draws[f"recall_{space}"], floor[f"precision_{space}"]) > 0.8
        assert control[f"recall_{space}"] < 0.2
    for name in ("lone_voxels", "thin_voxels"):
        assert control[name] > 10 * max(draws[name], floor[name])
    assert draws.keys() - {"undecided_voxels"} == floor.keys() == control.keys() | {"copied"}
    assert draws["undecided_voxels"] == 0


def test_the_reference_itself_is_at_no_distance(judge):
    same = judge(REAL)
    assert same["frechet_two_point"] == pytest.approx(0, abs=1e-6)
    assert (same["precision_two_point"], same["recall_two_point"]) == (1, 1)


def test_draws_that_are_all_alike_have_no_recall(judge):
    one = fields(1, 5).expand(80, -1, -1, -1)
    assert judge(one)["recall_two_point"] < 0.1


def test_sets_are_of_one_size_and_soft_draws_are_cut(judge):
    assert judge.size == 80
    assert judge(0.2 + 0.6 * OTHERS.repeat(2, 1, 1, 1))["frechet_random_cnn"] == pytest.approx(
        judge.floor["frechet_random_cnn"]
    )
    small = DrawFigures(REAL, OTHERS, size=30)
    spaces = FeatureSpaces(REAL)
    expected = frechet_distance(spaces(OTHERS[:30])["two_point"], spaces(REAL[:30])["two_point"])
    assert small.floor["frechet_two_point"] == pytest.approx(expected)
    assert "copied" not in small.floor


def test_draws_that_are_of_no_phase_are_told_though_a_cut_makes_good_structures_of_them(judge):
    grey = judge(0.45 + 0.1 * OTHERS)
    assert grey["frechet_two_point"] == pytest.approx(judge.floor["frechet_two_point"])
    assert grey["undecided_voxels"] == 1
    assert judge(0.2 + 0.6 * OTHERS)["undecided_voxels"] == 0
    half = OTHERS.clone()
    half[:, :, :12] = 0.3
    assert judge(half)["undecided_voxels"] == pytest.approx(0.5)


def test_a_voxel_of_three_phases_is_undecided_if_none_has_three_quarters():
    shares = torch.tensor([[0.8, 0.1, 0.1], [0.7, 0.2, 0.1], [0.4, 0.3, 0.3], [0.0, 0.0, 1.0]])
    assert undecided_voxels(shares.T.reshape(1, 3, 2, 2)) == 0.5


def test_grey_levels_have_no_lone_voxels_and_are_compared_as_they_are():
    grey = DrawFigures(0.2 + 0.3 * REAL, 0.2 + 0.3 * OTHERS)
    assert not grey.phases
    assert "lone_voxels" not in grey.floor
    assert "undecided_voxels" not in grey(REAL)
    assert grey(REAL)["frechet_two_point"] > 10 * grey.floor["frechet_two_point"]


def test_volumes_of_three_phases_are_compared_in_the_same_figures(judge):
    labels = (fields(60, 1, (8, 8, 8)) + fields(60, 2, (8, 8, 8)))[:, 0].to(torch.uint8)
    volumes = to_images(labels, 3)
    three = DrawFigures(volumes[:20], volumes[20:40], training=volumes[20:])
    assert three(volumes[40:]).keys() == judge(REAL).keys()
    assert three.control["lone_voxels"] > three.floor["lone_voxels"]


def test_what_cannot_be_compared_is_absent():
    flat = DrawFigures(torch.ones(12, 1, 8, 8))
    assert flat.floor == {}
    alone = {"lone_voxels": 0, "thin_voxels": 0, "undecided_voxels": 0}
    assert flat(torch.ones(12, 1, 8, 8)) == alone
    few = DrawFigures(REAL[:4], OTHERS[:4], training=TRAINING[:7])
    assert not {"recall_two_point", "copied"} & few.floor.keys()


def test_draws_of_another_shape_are_refused(judge):
    with pytest.raises(EvaluationError, match=r"shape \(1, 24, 24\), got \(2, 1, 8, 8\)"):
        judge(torch.ones(2, 1, 8, 8))
    with pytest.raises(EvaluationError, match="one shape"):
        DrawFigures(REAL, torch.ones(9, 1, 8, 8))


# -- copies ----------------------------------------------------------------------------------------


def test_draws_that_are_not_finite_are_refused(judge):
    with pytest.raises(EvaluationError, match="images should be finite"):
        judge(torch.full((80, 1, SIDE, SIDE), float("nan")))


def test_training_structures_are_copies_wherever_they_lie_and_others_are_not():
    copies = Copies(TRAINING)
    assert copies(TRAINING) == 1
    assert copies(TRAINING.roll((5, 9), (2, 3)).flip(2).transpose(2, 3)) == 1
    assert copies(REAL) < 0.05
    assert copies(shuffled_pixels(TRAINING)) == 0
    assert copies(torch.cat([TRAINING[:20], REAL[:60]])) == pytest.approx(0.25, abs=0.04)


def test_a_copy_of_which_one_voxel_in_fifty_changed_is_one():
    changed = torch.rand(TRAINING.shape, generator=torch.Generator().manual_seed(0)) < 0.02
    assert Copies(TRAINING)((TRAINING - changed.float()).abs()) > 0.9


def test_volumes_are_copies_when_turned_about_any_axis():
    volumes = fields(40, 1, (8, 8, 8))
    copies = Copies(volumes)
    assert copies(volumes.rot90(1, (2, 4)).roll(3, 3)) == 1
    assert copies(fields(40, 2, (8, 8, 8))) < 0.3  # few and small ones are more alike


def test_amplitudes_are_no_further_apart_than_voxels():
    known = Copies(TRAINING)._known
    far = (TRAINING[1:] - TRAINING[:-1]).flatten(1).norm(dim=1)
    assert ((known[1:] - known[:-1]).norm(dim=1) <= far + 1e-4).all()


def test_copies_of_what_the_training_has_many_times_are_copies():
    many = torch.cat([TRAINING[:4].roll(shift, 2) for shift in range(12)])
    assert Copies(many)(TRAINING[:4]) == 1
    assert Copies(many)(fields(20, 4)) == 0
    assert Copies(torch.zeros_like(many))(many.new_zeros(3, 1, SIDE, SIDE)) == 0  # one phase


def test_copies_are_looked_for_among_structures_of_one_shape():
    with pytest.raises(EvaluationError, match=r"shape \(1, 24, 24\) of the training structures"):
        Copies(TRAINING)(fields(2, 4, (32, 32)))


def test_copies_of_a_handful_cannot_be_told():
    with pytest.raises(EvaluationError, match="8 training structures or more, got 7"):
        Copies(TRAINING[:7])


# -- voxels and features ---------------------------------------------------------------------------


@pytest.mark.parametrize("dims", [2, 3])
def test_voxels_alone_and_in_a_line_are_counted_inside(dims):
    image = torch.zeros(1, 1, *(6,) * dims)
    image[0, 0, *(1,) * dims] = image[0, 0, *(0,) * dims] = 1  # one inside, one on the edge
    assert lone_voxels(image) == pytest.approx(4.0**-dims)
    image = torch.zeros_like(image)
    image[..., 2] = 1
    assert (lone_voxels(image), thin_voxels(image)) == (0, 0.25)
    image[..., 3] = 1
    assert thin_voxels(image) == 0


def test_a_checkerboard_is_nothing_but_lone_voxels_in_any_number_of_phases():
    board = (torch.arange(6)[:, None] + torch.arange(6)) % 2
    for phases in (torch.stack([board]), torch.stack([2 * board])):
        channels = 1 if phases.max() == 1 else 3
        assert lone_voxels(to_images(phases.to(torch.uint8), channels)) == 1


def test_images_without_an_inside_are_refused():
    with pytest.raises(EvaluationError, match=r"3 voxels or more along each axis, got \(2, 8\)"):
        thin_voxels(torch.zeros(1, 1, 2, 8))


@pytest.mark.parametrize("shape", [(1, 24, 30), (3, 9, 8), (2, 8, 9, 10), (1, 3, 3)])
def test_features_are_those_of_shifts_mirrors_and_each_channel(shape):
    images = torch.rand(3, *shape, generator=torch.Generator().manual_seed(0))
    found = two_point_features(images)
    assert found.shape[1] % shape[0] == 0
    torch.testing.assert_close(two_point_features(images.flip(2)), found, atol=1e-6, rtol=0)
    own = torch.cat([two_point_features(images[:, k : k + 1]) for k in range(shape[0])], dim=1)
    torch.testing.assert_close(own, found, atol=1e-6, rtol=0)
    torch.testing.assert_close(
        found[:, 0], images[:, 0].double().square().flatten(1).mean(1), atol=1e-6, rtol=0
    )


def test_scores_have_unit_variance_over_their_reference():
    scores = TwoPointScores(REAL)(REAL)
    torch.testing.assert_close(scores.var(0), torch.ones(10).double(), atol=1e-4, rtol=0)

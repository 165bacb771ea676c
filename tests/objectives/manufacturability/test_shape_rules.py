"""Overhang, packing, gaps, seams, fractions, distance from the training structures."""

import json
from itertools import combinations

import numpy as np
import pytest
import torch
from pydantic import ValidationError
from scipy import ndimage

from generative.data.synthetic import gaussian_random_field
from objectives.errors import EvaluationError
from objectives.manufacturability import RULES, check_design_rules
from objectives.manufacturability.clusters import find_clusters
from objectives.manufacturability.depth import depth_inside
from objectives.two_point import TwoPointPCA


def measured(structure, kind, periodic=False, voxel_size_um=1.0, **settings):
    images = np.asarray(structure, float)[None, None]
    rules = [{"kind": kind, **settings}]
    return check_design_rules(images, rules, periodic=periodic, voxel_size_um=voxel_size_um)[0][
        kind
    ]


# -- overhang -------------------------------------------------------------------------------------


def slope(degrees, n=48, dim=2):
    """Solid above a plane that leans from the build axis (axis 0) by an angle."""
    up, across = np.indices((n, n)) - n / 2
    a = np.radians(degrees)
    section = np.clip(up * np.sin(a) - across * np.cos(a) + 0.5, 0, 1)
    return section if dim == 2 else np.repeat(section[..., None], 6, axis=2)


@pytest.mark.parametrize("dim", [2, 3])
@pytest.mark.parametrize("degrees", [10, 20, 30, 45, 60, 75])
def test_a_slope_has_its_angle(degrees, dim):
    structure = slope(degrees, dim=dim)
    assert measured(structure, "overhang").value == pytest.approx(degrees, abs=3)
    assert measured(structure > 0.5, "overhang").value == pytest.approx(degrees, abs=9)


def test_a_ceiling_leans_by_90_degrees_and_a_wall_by_none():
    ceiling = np.zeros((20, 20))
    ceiling[12:] = 1
    assert measured(ceiling, "overhang").value == pytest.approx(90)
    assert measured(ceiling, "overhang").margin == pytest.approx(-45)
    assert measured(ceiling.T, "overhang").value == pytest.approx(0, abs=1e-6)
    assert measured(ceiling.T, "overhang", axis=1).value == pytest.approx(90)


def test_what_stands_on_the_plate_does_not_overhang():
    block = np.zeros((20, 20))
    block[:12] = 1  # faces up only
    result = measured(block, "overhang")
    assert result.value == 0
    assert result.margin == 45


def test_overhanging_voxels_are_those_that_face_down():
    table = np.zeros((24, 30))
    table[:12, 13:17] = table[12:16, 4:26] = 1
    result = measured(table, "overhang")
    assert result.margin < 0
    assert result.mask[12, 6:11].all()
    assert not result.mask[15:].any()
    assert not result.mask[:10].any()


def test_the_angle_changes_smoothly_with_the_slope():
    angles = [measured(slope(degrees), "overhang").value for degrees in np.arange(30, 60, 0.5)]
    assert np.abs(np.diff(angles)).max() < 1.5


# -- local packing --------------------------------------------------------------------------------


def test_the_fullest_window_is_found():
    structure = np.zeros((20, 20))
    structure[8:12, 9:13] = 1
    for periodic in (True, False):
        result = measured(structure, "local_packing", periodic, limit=0.5, window_um=8)
        assert result.value == pytest.approx(16 / 64)
        result = measured(structure, "local_packing", periodic, limit=0.5, window_um=4)
        assert result.value == 1
        assert result.mask.any()
        assert (np.argwhere(result.mask) > 6).all()


def test_a_window_reaches_over_a_periodic_face_only():
    structure = np.zeros((12, 12))
    structure[:2, 4:8] = structure[-2:, 4:8] = 1
    assert measured(structure, "local_packing", True, limit=1, window_um=4).value == 1
    assert measured(structure, "local_packing", False, limit=1, window_um=4).value == 0.5


def test_every_window_inside_is_looked_at():
    generator = np.random.default_rng(0)
    for edge in (2, 3, 4, 5):
        image = (generator.random((9, 8)) > 0.5).astype(float)
        windows = np.lib.stride_tricks.sliding_window_view(image, (edge, edge)).mean((2, 3))
        result = measured(image, "local_packing", limit=1, window_um=edge)
        assert result.value == pytest.approx(windows.max())


def test_a_window_larger_than_the_image_is_refused():
    with pytest.raises(EvaluationError, match=r"window_um should fit .* 20 voxels"):
        measured(np.zeros((8, 8)), "local_packing", limit=0.5, window_um=20)


# -- gaps -----------------------------------------------------------------------------------------


def discs(gap, radius=6.0, fine=6, shape=(24, 44)):
    y, x = (np.indices([n * fine for n in shape]) + 0.5) / fine - 0.5
    half = radius + gap / 2
    inside = [np.hypot(y - 12.2, x - 21.7 - side * half) < radius for side in (-1, 1)]
    share = (inside[0] | inside[1]).reshape(shape[0], fine, shape[1], fine)
    return share.mean((1, 3))


@pytest.mark.parametrize("periodic", [True, False])
@pytest.mark.parametrize("gap", range(1, 8))
def test_walls_have_the_voxels_between_them(gap, periodic):
    structure = np.zeros((30, 12))
    structure[2:6] = structure[6 + gap : 9 + gap] = 1
    result = measured(structure, "min_gap", periodic, limit_um=10)
    assert result.value == pytest.approx(gap)
    rows = np.nonzero(result.mask)[0]
    assert rows.min() >= 5
    assert rows.max() <= 6 + gap


@pytest.mark.parametrize("gap", [-2.0, -1.0, -0.5, 0.0, 0.5, 1.0, 2.0, 3.0, 5.0])
def test_discs_have_their_gap_even_where_they_touch_or_overlap(gap):
    result = measured(discs(gap), "min_gap", limit_um=8, erosion_um=4.5)
    assert result.value == pytest.approx(gap, abs=0.6)
    assert abs(np.argwhere(result.mask)[:, 1].mean() - 21.7) < 2


def test_the_gap_changes_smoothly_from_apart_to_overlapping():
    steps = np.arange(-1, 2, 0.1)
    values = [measured(discs(g), "min_gap", limit_um=1, erosion_um=4.5).value for g in steps]
    assert np.abs(np.diff(values)).max() < 0.7


def test_gaps_reach_over_periodic_faces():
    structure = np.zeros((20, 10))
    structure[1:5] = structure[14:17] = 1
    assert measured(structure, "min_gap", True, limit_um=1).value == pytest.approx(4)
    assert measured(structure, "min_gap", False, limit_um=1).value == pytest.approx(9)
    shifted = np.roll(structure, 7, 0)
    assert measured(shifted, "min_gap", True, limit_um=1).value == pytest.approx(4)


def test_wide_gaps_of_periodic_images_are_measured_across_the_faces():
    structure = np.zeros((100, 3))
    structure[20:22] = structure[72:75] = 1
    assert measured(structure, "min_gap", True, limit_um=1).value == pytest.approx(45)


@pytest.mark.parametrize("periodic", [True, False])
@pytest.mark.parametrize("shape", [(22, 19), (11, 12, 10)])
def test_the_gap_is_the_smallest_distance_of_all_pairs_of_voxels(shape, periodic):
    for seed in range(6):
        field = ndimage.gaussian_filter(
            np.random.default_rng(seed).normal(size=shape), 1.2, mode="wrap"
        )
        structure = field > np.quantile(field, 0.85)
        labels = find_clusters(structure, periodic=periodic).labels
        particles = [np.argwhere(labels == i) for i in range(1, labels.max() + 1)]
        expected = max(shape)
        for one, other in combinations(particles, 2):
            apart = np.abs(one[:, None] - other)
            if periodic:
                apart = np.minimum(apart, np.array(shape) - apart)
            expected = min(expected, np.sqrt((apart**2).sum(-1)).min() - 1)
        result = measured(structure, "min_gap", periodic, limit_um=1)
        assert result.value == pytest.approx(expected)


def test_with_erosion_it_is_the_smallest_of_all_pairs_less_what_lies_beyond_the_cores():
    for seed in range(4):
        field = np.random.default_rng(seed).normal(size=(30, 28))
        structure = ndimage.gaussian_filter(field, 1.5, mode="wrap") > 0.1
        depth, _ = depth_inside(structure * 1.0, periodic=True)
        cores = structure & (depth >= 1.2)
        own, _ = depth_inside(cores * 1.0, periodic=True)
        labels = find_clusters(cores, periodic=True).labels
        where, beyond = np.argwhere(cores), (depth - own)[cores]
        particle = labels[cores]
        apart = np.abs(where[:, None] - where)
        apart = np.sqrt((np.minimum(apart, np.array(cores.shape) - apart) ** 2).sum(-1))
        gaps = (apart - 1 - beyond[:, None] - beyond)[particle[:, None] != particle]
        result = measured(structure, "min_gap", True, limit_um=1, erosion_um=1.2)
        # Only voxels at the cores' surface are compared: their own depth is half a voxel.
        assert result.value >= gaps.min() - 1e-9
        at_surface = own[cores] == 0.5
        both = at_surface[:, None] & at_surface & (particle[:, None] != particle)
        gaps = (apart - 1 - beyond[:, None] - beyond)[both]
        assert result.value == pytest.approx(gaps.min())


def test_fewer_than_two_particles_have_the_longest_edge():
    for structure in (np.zeros((8, 9)), np.ones((8, 9)), np.pad(np.ones((2, 2)), 4)):
        result = measured(structure, "min_gap", True, limit_um=3)
        assert result.value == max(structure.shape)
        assert not result.mask.any()


# -- seams, fractions ------------------------------------------------------------------------------


def test_a_periodic_image_has_no_seam_wherever_it_is_cut_and_a_step_has_one():
    wave = np.sin(np.arange(32) * 2 * np.pi / 32)[:, None] * np.ones((1, 16)) * 0.5 + 0.5
    for shift in range(0, 32, 5):
        assert abs(measured(np.roll(wave, shift, 0), "periodic_seam").value) < 0.05
    step = np.zeros((16, 16))
    step[8:] = 1
    result = measured(step, "periodic_seam", limit=0.1)
    assert result.value == pytest.approx(1 - 1 / 15)
    assert result.mask[[0, -1]].all()
    assert not result.mask[1:-1].any()


def test_the_fraction_is_held_against_its_target():
    structure = np.zeros((10, 10))
    structure[:3] = 1
    result = measured(structure, "phase_fraction", target=0.5, tolerance=0.1)
    assert result.value == pytest.approx(0.2)
    assert result.margin == pytest.approx(-0.1)
    np.testing.assert_array_equal(result.mask, structure == 0)
    assert measured(structure, "phase_fraction", target=0.3, tolerance=0.0).margin == 0


# -- distance from the training structures ---------------------------------------------------------


def rows_and_columns(images):
    """Two scores of an image: the fractions of its halves."""
    x = torch.as_tensor(images).double()
    half = x.shape[-1] // 2
    return torch.stack([x[..., :half].mean((1, 2, 3)), x[..., half:].mean((1, 2, 3))], 1)


def test_the_distance_is_that_of_mahalanobis():
    generator = np.random.default_rng(0)
    reference = generator.normal(0.4, [0.05, 0.1], (500, 2))
    rule = RULES["training_distance"](score=rows_and_columns, reference=reference, limit=2)
    image = np.zeros((1, 1, 10, 10))
    image[..., :6, :] = 1
    off = np.array([0.6, 0.6]) - reference.mean(0)
    expected = np.sqrt(off @ np.linalg.inv(np.cov(reference.T)) @ off / 2)
    result = check_design_rules(image, [rule])[0]["training_distance"]
    assert result.value == pytest.approx(expected)
    assert result.margin == pytest.approx(2 - expected)
    assert not result.mask.any()


def test_two_point_scores_with_their_residual_tell_a_checkerboard_from_the_training_set():
    images = torch.from_numpy(gaussian_random_field(80, (16, 16), seed=0))
    pca = TwoPointPCA(4).fit(images[:40])

    def score(images):
        scores = pca.transform(images)
        residual = pca.statistics(images) - pca.inverse_transform(scores)
        return torch.cat([scores, residual.flatten(1).norm(dim=1, keepdim=True).to(scores)], 1)

    rule = RULES["training_distance"](score=score, reference=score(images[40:]), limit=3)
    typical = [row["training_distance"].value for row in check_design_rules(images[40:], [rule])]
    assert np.sqrt(np.mean(np.square(typical))) == pytest.approx(1, abs=0.05)
    board = (np.indices((16, 16)).sum(0) % 2)[None, None].astype(float)
    assert check_design_rules(board, [rule])[0]["training_distance"].margin < 0


def test_scores_of_another_length_and_too_few_references_are_refused():
    make = RULES["training_distance"]
    with pytest.raises(ValidationError, match="more of them than scores"):
        make(score=rows_and_columns, reference=[[0.0, 1.0], [1.0, 2.0]])
    rule = make(score=rows_and_columns, reference=np.eye(5, 3))
    with pytest.raises(EvaluationError, match=r"shape \(1, 3\)"):
        check_design_rules(np.zeros((1, 1, 4, 4)), [rule])


def test_the_score_goes_by_its_name():
    make = RULES["training_distance"]
    rule = make(score="objectives.images:checked_images", reference=[[0.0], [1.0]])
    settings = json.loads(json.dumps(rule.model_dump(mode="json")))
    assert settings["score"] == "objectives.images:checked_images"
    assert make(**settings) == rule
    with pytest.raises(ValidationError, match="score cannot be imported"):
        make(score="objectives.images:nothing", reference=[[0.0], [1.0]])

"""The check as a whole: presets, batches, bad input; the objective, alone and in a campaign."""

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from generative import PCA
from generative.data.synthetic import gaussian_random_field
from latentopt.campaign.campaign import Campaign
from latentopt.space.latent_space import LatentSpace
from objectives.errors import EvaluationError
from objectives.grid import Grid
from objectives.manufacturability import PRESETS, RULES, Manufacturability, check_design_rules
from objectives.manufacturability.min_solid import MinSolid
from objectives.phases import to_images

# Voxels such that the smallest limits of a preset are some voxels.
VOXELS = {
    "laser_powder_bed": 100.0,
    "vat_photopolymer": 100.0,
    "resin_transfer_fibre": 1.5,
    "sintered_ceramic": 1.0,
}


def blocks(n, shape, seed=0):
    generator = np.random.default_rng(seed)
    coarse = generator.random((n, 1, *[side // 4 for side in shape])) > 0.5
    return np.kron(coarse, np.ones((1, 1, *[4] * len(shape))))


@pytest.mark.parametrize("periodic", [True, False])
@pytest.mark.parametrize("shape", [(32, 24), (16, 16, 20)])
@pytest.mark.parametrize("preset", PRESETS)
def test_presets_give_finite_margins_and_masks_of_the_images_shape(preset, shape, periodic):
    images = blocks(2, shape)
    results = check_design_rules(images, preset, voxel_size_um=VOXELS[preset], periodic=periodic)
    assert len(results) == 2
    for result in (r for row in results for r in row.values()):
        assert np.isfinite([result.value, result.margin]).all()
        assert abs(result.margin) == pytest.approx(abs(result.value - result.limit))
        assert result.feasible == (result.margin >= 0)
        assert result.mask.shape == shape
        assert result.mask.any() <= (not result.feasible)
        assert result.unit in ("um", "deg", "1")


def test_rules_are_the_same_one_by_one_and_for_torch():
    images = blocks(3, (24, 24))
    together = check_design_rules(images, "sintered_ceramic")
    for i in range(3):
        alone = check_design_rules(torch.from_numpy(images[i : i + 1]), "sintered_ceramic")[0]
        for name, result in together[i].items():
            assert alone[name].value == result.value
            np.testing.assert_array_equal(alone[name].mask, result.mask)


def test_a_channel_for_each_phase_is_checked_by_its_own():
    labels = np.zeros((16, 16), int)
    labels[2:5], labels[8:14] = 1, 2
    images = np.stack([labels == phase for phase in range(3)]).astype(float)[None]
    for phase, width in ((1, 3), (2, 6)):
        rules = [MinSolid(limit_um=1, phase=phase)]
        assert check_design_rules(images, rules)[0]["min_solid"].value == pytest.approx(width)


@pytest.mark.parametrize("largest", [1.0, 0.6, 0.45])
def test_of_three_phases_the_most_likely_one_is_there_also_below_one_half(largest):
    labels = np.zeros((1, 6, 9), np.uint8)
    labels[..., 3:6], labels[..., 6:] = 1, 2
    rest = (1 - largest) / 2
    images = rest + (largest - rest) * to_images(labels, 3)
    for phase in range(3):
        rules = [{"kind": "percolation", "axis": 0, "limit_um": 1, "phase": phase}]
        (result,) = check_design_rules(images, rules, periodic=False)[0].values()
        assert result.value > 1


def test_a_voxel_of_one_half_is_of_phase_0_as_in_an_export():
    half = np.full((1, 1, 6, 6), 0.5)
    for phase, there in ((0, True), (1, False)):
        rules = [{"kind": "percolation", "axis": 0, "limit_um": 1, "phase": phase}]
        (result,) = check_design_rules(half, rules, periodic=False)[0].values()
        assert (result.value > 0) == there


def test_rules_of_one_kind_need_labels():
    two = [MinSolid(limit_um=1), MinSolid(limit_um=2)]
    with pytest.raises(ValueError, match="min_solid more than once"):
        check_design_rules(np.zeros((1, 1, 8, 8)), two)
    labelled = [two[0], MinSolid(limit_um=2, label="walls")]
    assert list(check_design_rules(np.zeros((1, 1, 8, 8)), labelled)[0]) == ["min_solid", "walls"]


def test_every_field_of_every_rule_is_described():
    for kind, rule in RULES.items():
        assert rule.model_fields["kind"].default == kind
        for name, field in rule.model_fields.items():
            assert name == "kind" or field.description


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"rules": "casting"}, "one of laser_powder_bed"),
        ({"rules": []}, "at least one"),
        ({"rules": [{"kind": "min_sold", "limit_um": 1}]}, "min_solid"),
        ({"rules": [{"kind": "min_solid", "limit_um": -1}]}, "greater than 0"),
        ({"rules": [{"kind": "min_solid", "limit_mm": 1}]}, "limit_um"),
        ({"voxel_size_um": 0.0}, "voxel_size_um should be one positive"),
        ({"voxel_size_um": float("nan")}, "voxel_size_um should be one positive"),
        ({"images": np.zeros((8, 8))[None, None] + 3}, "should be in"),
        ({"images": np.full((1, 1, 8, 8), np.nan)}, "should be finite"),
        ({"images": np.zeros((1, 2, 8, 8))}, "sum to one"),
        ({"images": np.zeros((1, 1, 8))}, "shape"),
        ({"rules": [{"kind": "percolation", "axis": 2}]}, "axis should be 0 to 1"),
        ({"rules": [{"kind": "min_solid", "limit_um": 1, "phase": 4}]}, "phase should be one of"),
    ],
)
def test_bad_input_is_refused_in_one_line(change, message):
    arguments = {
        "images": np.zeros((1, 1, 8, 8)),
        "rules": "laser_powder_bed",
        "voxel_size_um": 1.0,
        **change,
    }
    with pytest.raises(ValueError, match=message) as refusal:
        check_design_rules(arguments.pop("images"), arguments.pop("rules"), **arguments)
    assert "\n" not in str(refusal.value)


def test_the_objective_gives_the_margins_of_the_check_with_their_units():
    images = blocks(2, (16, 16))
    objective = Manufacturability(rules="laser_powder_bed")
    values = objective(torch.from_numpy(images), Grid(100, periodic=False))
    results = check_design_rules(images, "laser_powder_bed", voxel_size_um=100.0, periodic=False)
    assert objective.units["overhang_margin"] == "deg"
    assert objective.units["min_solid_margin"] == "um"
    assert objective.units["islands_margin"] == "1"
    for rule in PRESETS["laser_powder_bed"]:
        expected = [row[rule.name].margin for row in results]
        assert values[f"{rule.name}_margin"].tolist() == expected


def test_the_objective_refuses_wrong_rules_when_it_is_made():
    with pytest.raises(ValidationError, match="one of laser_powder_bed"):
        Manufacturability(rules="casting")
    with pytest.raises(ValidationError, match="more than once"):
        Manufacturability(rules=[{"kind": "islands"}, {"kind": "islands"}])


@pytest.mark.parametrize("setting", [{"voxel_size_um": 2.0}, {"periodic": False}])
def test_the_objective_says_where_a_voxel_size_of_its_own_belongs_now(setting):
    (name,) = setting
    with pytest.raises(ValidationError, match=rf"set campaign\.{name}, and leave it out here"):
        Manufacturability.model_validate({"rules": "sintered_ceramic", **setting})


@pytest.mark.parametrize(
    ("rule", "shape", "message"),
    [
        ({"kind": "percolation", "axis": 2}, (1, 8, 8), "percolation: axis should be 0 to 1"),
        ({"kind": "overhang", "axis": 2, "label": "roof"}, (1, 8, 8), "roof: axis should be 0"),
        ({"kind": "islands", "phase": 3}, (3, 8, 8, 8), "islands: phase should be one of 0 to 2"),
    ],
)
def test_rules_that_no_structure_can_have_are_refused_before_any_is_seen(rule, shape, message):
    with pytest.raises(EvaluationError, match=message):
        Manufacturability(rules=[rule]).for_images(shape)
    fits = Manufacturability(rules=[{"kind": "percolation", "axis": 1}])
    assert fits.for_images(shape) is fits


@pytest.mark.parametrize("edge", [0.1, 0.3, 0.7, 1.1])
def test_what_is_just_at_the_limit_is_kept_in_spite_of_rounding(edge):
    wall = np.zeros((1, 1, 12, 12))
    wall[..., 3:6, :] = 1
    limit = round(3 * edge, 12)  # 3 * 0.7 is a little less than 2.1
    for kind in ("min_solid", "percolation"):
        rule = {"kind": kind, "limit_um": limit} | ({"axis": 1} if kind == "percolation" else {})
        assert check_design_rules(wall, [rule], voxel_size_um=edge)[0][kind].margin == 0
    fraction = {"kind": "phase_fraction", "target": 0.3, "tolerance": 0.05}
    assert check_design_rules(wall, [fraction])[0]["phase_fraction"].margin == 0


def test_the_boundary_is_that_of_the_grid():
    rules = Manufacturability(rules="sintered_ceramic")
    assert rules.boundary(Grid()) == "periodic"
    assert rules.boundary(Grid(periodic=False)) == "open"


def test_a_campaign_is_held_by_a_margin(tmp_path):
    images = torch.from_numpy(gaussian_random_field(60, (16, 16), seed=0))
    space = LatentSpace.fit(PCA((1, 16, 16), components=8).fit(images), images)
    settings = {
        "objective": "volume_fraction",
        "constraints": ["min_solid_margin >= 0", "percolation_margin >= 0"],
        "evaluate": [
            "volume_fraction",
            {
                "kind": "manufacturability",
                "rules": [{"kind": "min_solid", "limit_um": 2}, {"kind": "percolation"}],
            },
        ],
        "voxel_size_um": 2.0,
        "strategy": "prior",
        "engine": "serial",
        "trials": 12,
        "batch": 4,
    }
    run = Campaign(space=space, folder=tmp_path / "run", **settings).run()
    assert [trial.status for trial in run.trials] == ["completed"] * 12
    keys = ("min_solid_margin", "percolation_margin")
    feasible = [t for t in run.trials if all(t.metrics[key] >= 0 for key in keys)]
    assert 0 < len(feasible) < 12
    best = max(feasible, key=lambda trial: trial.metrics["volume_fraction"])
    assert run.best()[0].index == best.index

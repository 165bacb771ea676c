"""The grid of a campaign: every objective measures by its voxel size, and is told what repeats."""

import json

import numpy as np
import pytest
import torch

from latentopt.campaign.campaign import Campaign
from latentopt.errors import CampaignError, ConfigError
from latentopt.report import write_report
from latentopt.runs.journal import Journal, read_events
from latentopt.runs.run import Run
from objectives.effective_conductivity import EffectiveConductivity
from objectives.grid import Grid
from objectives.homogenize import effective_conductivity

CONDUCTOR = {"kind": "effective_conductivity", "conductivity": [1, 50]}


def edges(images, grid):
    """A user's own function that has a parameter of that name."""
    return {"first": grid.edges_um(2)[0], "second": grid.edges_um(2)[1], "wraps": grid.periodic}


@pytest.fixture
def make(tiny_space, tmp_path):
    def call(folder="run", **changes):
        settings = {
            "space": tiny_space,
            "objective": "k_xx",
            "evaluate": [CONDUCTOR],
            "strategy": "prior",
            "engine": "serial",
            "trials": 2,
            **changes,
        }
        return Campaign(folder=tmp_path / folder, **settings)

    return call


@pytest.mark.parametrize(
    ("engine", "periodic"), [("serial", True), ("serial", False), ("process", False)]
)
def test_conduction_is_that_of_the_voxels_and_the_boundary_of_the_campaign(
    forked_workers, make, engine, periodic
):
    campaign = make(voxel_size_um=(5, 1), periodic=periodic, engine=engine, trials=1)
    (trial,) = campaign.run(progress=False).trials
    phases = campaign.evaluation.phases(trial.z).astype(float)[None, None]
    grid = Grid((5, 1), periodic=periodic)
    expected = effective_conductivity(phases, (1, 50), grid=grid, tol=1e-8)[0]
    assert trial.metrics["k_xx"] == pytest.approx(expected[1, 1], rel=1e-6)
    assert trial.metrics["k_yy"] == pytest.approx(expected[0, 0], rel=1e-6)
    cubes = effective_conductivity(phases, (1, 50), tol=1e-8)[0]
    assert abs(cubes[1, 1] / expected[1, 1] - 1) > 1e-3
    assert trial.metrics["conductivity_error"] < 1e-6


def test_a_function_is_given_the_grid_where_it_has_such_a_parameter(make):
    campaign = make(
        objectives=[edges, EffectiveConductivity()], voxel_size_um=(3, 2), periodic=False
    )
    (trial, _) = campaign.run(progress=False).trials
    assert [trial.metrics[name] for name in ("first", "second", "wraps")] == [3, 2, 0]


def test_a_screen_measures_by_the_grid_too(make):
    campaign = make(
        objectives=[edges],
        objective="first",
        screen={"evaluate": [CONDUCTOR], "require": ["k_xx >= 0"]},
        voxel_size_um=(5, 1),
        trials=1,
    )
    (trial,) = campaign.run(progress=False).trials
    phases = campaign.evaluation.phases(trial.z).astype(float)[None, None]
    expected = effective_conductivity(phases, (1, 50), grid=Grid((5, 1)))[0]
    assert trial.metrics["k_xx"] == pytest.approx(expected[1, 1], rel=1e-6)


def test_journal_and_report_say_under_which_boundary_values_hold(make, tmp_path):
    for periodic, name in ((True, "periodic"), (False, "mirrored")):
        run = make(name, periodic=periodic, voxel_size_um=(5, 1)).run(progress=False)
        assert set(run.boundary) == {"k_xx", "k_yy", "k_xy", "conductivity_error"}
        assert set(Run.read(run.folder).boundary.values()) == {name}
        page = write_report(run).read_text(encoding="utf-8")
        assert f"{name}: k_yy" in page
        assert "5 x 1" in page


def test_with_values_recorded_voxels_and_boundary_are_what_they_were(make):
    make(trials=1).run(progress=False)
    with pytest.raises(CampaignError, match=r"voxel_size_um 1\.0, not 2\.0"):
        make(voxel_size_um=2.0)
    with pytest.raises(CampaignError, match="periodic True, not False"):
        make(periodic=False)


def test_before_any_value_everything_that_measures_may_be_corrected(make):
    with make(evaluate=[{**CONDUCTOR, "conductivity": [1, 5]}]) as campaign:
        (trial,) = campaign.ask(1)
        campaign.fail(trial.index, "no licence")
    campaign = make(voxel_size_um=(5, 1), periodic=False)
    run = campaign.run(progress=False)
    assert run.config.evaluate[0]["conductivity"] == [1, 50]
    assert set(run.boundary.values()) == {"mirrored"}
    assert Run.read(run.folder).boundary == run.boundary
    with pytest.raises(CampaignError, match="holds a campaign with evaluate"):
        make(evaluate=[{**CONDUCTOR, "conductivity": [1, 5]}], voxel_size_um=(5, 1), periodic=False)


def test_values_of_an_earlier_version_were_those_of_cubes_that_repeat(make, tmp_path):
    make().run(progress=False)
    header, *others = read_events(tmp_path / "run")
    del header["boundary"]
    for folder, sizes in (("cubes", 3.0), ("boxes", [5.0, 1.0])):
        header["config"]["voxel_size_um"] = sizes
        with Journal(tmp_path / folder) as journal:
            for event in (header, *others):
                journal.append(event)
    make("cubes", voxel_size_um=2.0).close()
    with pytest.raises(CampaignError, match="as if voxels were cubes"):
        make("boxes", voxel_size_um=(5, 1))


def test_the_axes_and_the_scheme_come_from_the_space_and_are_kept(make, tmp_path):
    make().run(progress=False)
    (spec,) = read_events(tmp_path / "run")[0]["config"]["evaluate"]
    assert (spec["dim"], spec["scheme"]) == (2, "rot")
    make(trials=3).run(progress=False)  # the same settings go on


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ({"conductivity": [1, 5, 50]}, r"campaign.evaluate\[0\]: images .* got 3 values"),
        ({"dim": 3}, r"campaign.evaluate\[0\]: .* Set dim: 2"),
    ],
)
def test_settings_that_no_structure_of_the_space_can_serve_are_refused(
    make, tmp_path, spec, message
):
    with pytest.raises(ConfigError, match=message):
        make(evaluate=[{**CONDUCTOR, **spec}])
    assert not (tmp_path / "run").exists()
    with pytest.raises(ConfigError, match=message.replace("evaluate", "screen.evaluate")):
        make(
            objectives=[edges],
            objective="first",
            screen={"evaluate": [{**CONDUCTOR, **spec}], "require": ["k_xx >= 0"]},
        )


def test_a_metric_of_volumes_is_refused_for_sections(make):
    with pytest.raises(ConfigError, match="'k_zz'"):
        make(objective="k_zz")


def test_a_candidate_carries_the_voxels_of_the_campaign(make):
    run = make(voxel_size_um=(5, 1), periodic=False).run(progress=False)
    structure = run.candidate(0).microstructure
    np.testing.assert_allclose(structure.voxel_size_m, (5e-6, 1e-6))
    assert structure.periodic == (False, False)
    assert json.dumps(structure.provenance)


TARGET = {"kind": "two_point_target", "target": np.eye(6).tolist(), "cutoff": 1}
RULES = {"kind": "manufacturability", "rules": [{"kind": "min_solid", "limit_um": 30}]}


def test_the_report_draws_boxes_as_boxes(make):
    run = make("boxes", voxel_size_um=(1.0, 3.0)).run(progress=False)
    height, width = run.structure(run.trials[0]).shape
    page = write_report(run).read_text(encoding="utf-8")
    assert page.count(f'style="aspect-ratio: {3 * width / height:g}"') == len(run.best(6))
    assert f'const proportions = "{3 * width / height:g}"' in page
    page = write_report(make("cubes").run(progress=False)).read_text(encoding="utf-8")
    assert "aspect-ratio" not in page
    assert 'const proportions = "auto"' in page


def test_rules_and_targets_are_measured_by_the_voxels_of_the_campaign(make):
    goal = {"objective": "min_solid_margin", "trials": 1, "voxel_size_um": (20, 10)}
    campaign = make(evaluate=[RULES, TARGET], periodic=False, **goal)
    run = campaign.run(progress=False)
    (trial,) = run.trials
    images = torch.from_numpy(campaign.evaluation.phases(trial.z).astype(float))[None, None]
    for objective in campaign.objectives:
        for name, value in objective(images, Grid((20, 10), periodic=False)).items():
            assert trial.metrics[name] == pytest.approx(value.item())
    assert set(run.boundary.values()) == {"open"}
    with pytest.raises(ConfigError, match=r"evaluate\[0\]: .* set campaign\.voxel_size_um"):
        make("own", evaluate=[{**RULES, "voxel_size_um": 10.0}], **goal)
    with pytest.raises(CampaignError, match=r"voxels of the target measure 5\.0 um"):
        make("other", evaluate=[RULES, {**TARGET, "voxel_size_um": 5.0}], **goal).run()


def test_a_target_that_said_whether_it_repeats_goes_on_as_the_campaign_does(make, tmp_path):
    goal = {"objective": "two_point_error", "evaluate": [TARGET]}
    make("new", **goal).run(progress=False)
    header, *others = read_events(tmp_path / "new")
    del header["boundary"]
    for folder, periodic in (("same", True), ("other", False)):
        header["config"]["evaluate"][0]["periodic"] = periodic
        with Journal(tmp_path / folder) as journal:
            for event in (header, *others):
                journal.append(event)
    make("same", **goal).close()
    with pytest.raises(CampaignError, match="holds a campaign with evaluate"):
        make("other", **goal)


def test_a_folder_whose_rules_had_a_voxel_size_of_their_own_is_read(make, tmp_path):
    make("new", objective="min_solid_margin", evaluate=[RULES]).run(progress=False)
    header, *others = read_events(tmp_path / "new")
    header["config"]["evaluate"][0] |= {"voxel_size_um": 10.0, "periodic": False}
    del header["boundary"]
    with Journal(tmp_path / "old") as journal:
        for event in (header, *others):
            journal.append(event)
    run = Run.read(tmp_path / "old")
    assert [trial.status for trial in run.trials] == ["completed"] * 2
    assert write_report(run).exists()


def test_margins_of_an_earlier_version_are_not_gone_on_with(make, tmp_path):
    rules = [{"kind": "min_solid", "limit_um": 2}]
    settings = {
        "evaluate": [{"kind": "manufacturability", "rules": rules}],
        "objective": "min_solid_margin",
    }
    make("new", **settings).run(progress=False)
    header, *others = read_events(tmp_path / "new")
    del header["boundary"]
    header["config"]["evaluate"][0] |= {"voxel_size_um": 1.0, "periodic": True}
    with Journal(tmp_path / "old") as journal:
        for event in (header, *others):
            journal.append(event)
    assert len(Run.read(tmp_path / "old").trials) == 2
    with pytest.raises(CampaignError, match="margins of rules as an earlier version measured them"):
        make("old", **settings)

"""The verdict on a campaign in each of its states, and the words for its metrics and units."""

from dataclasses import replace

import numpy as np
import pytest

from latentopt.runs.quantities import (
    objective_texts,
    plain_name,
    unit_of_constraint,
    unit_of_objective,
)
from latentopt.runs.run import Run, Trial
from latentopt.runs.verdict import found_briefly, verdict_of
from latentopt.settings.campaign import CampaignConfig


def ended(index, k_xx, k_yy=1.0, fraction=0.4):
    metrics = {"k_xx": k_xx, "k_yy": k_yy, "volume_fraction": fraction}
    return Trial(index, np.full(2, float(index)), "completed", metrics, None, "prior", 1.0)


def failed(index, reason="no convergence", state="crashed"):
    return Trial(index, np.full(2, float(index)), "failed", {}, reason, "prior", 1.0, state)


@pytest.fixture
def make(tmp_path):
    def call(*trials, **settings):
        settings = {
            "objective": "k_xx - 2*k_yy",
            "constraints": ["volume_fraction <= 0.5"],
            "evaluate": ["effective_conductivity", "volume_fraction"],
            "phase_names": ["matrix", "fibre"],
            "trials": 4,
        } | settings
        return Run(
            folder=tmp_path,
            config=CampaignConfig(**settings),
            space_id="a",
            trials=trials,
            units={"k_xx": "W/(m K)", "k_yy": "W/(m K)", "volume_fraction": "1"},
            provenance={},
        )

    return call


def test_a_finished_run_says_its_best_and_that_constraints_are_met(make):
    run = make(ended(0, 3.0), ended(1, 9.0), ended(2, 4.0), failed(3))
    verdict = verdict_of(run, is_running=False)
    assert verdict.state == "finished"
    assert verdict.text == (
        "Finished: all 4 evaluations have ended, and 1 of them failed. The best value is "
        "7 W/(m K), of trial 1, which meets the constraint."
    )


def test_a_running_run_says_how_many_have_ended(make):
    run = make(ended(0, 3.0), ended(1, 9.0))
    verdict = verdict_of(run, is_running=True)
    assert verdict.state == "running"
    assert "Running: 2 of 4 evaluations have ended." in verdict.text


def test_the_same_run_without_a_process_is_stopped_and_unfinished(make):
    verdict = verdict_of(make(ended(0, 3.0)), is_running=False)
    assert verdict.state == "stopped"
    assert "unfinished: 3 of 4 evaluations are left" in verdict.text
    assert verdict_of(make(), is_running=False).state == "stopped"


def test_a_run_that_ended_early_says_why(make):
    run = replace(make(ended(0, 3.0), stop_gain=0.5), final_gain=0.25)
    verdict = verdict_of(run, is_running=False)
    assert verdict.state == "ended early"
    assert "expected to gain 0.25, less than stop_gain 0.5" in verdict.text


def test_a_failed_run_gives_the_reason_first_and_says_that_it_is_unfinished(make):
    verdict = verdict_of(make(failed(0), failed(1, "the mesh has holes.")), is_running=False)
    assert verdict.state == "failed"
    assert verdict.text.startswith("Failed: the mesh has holes. All 2 evaluations failed")
    assert "the campaign is unfinished: 2 of 4 evaluations are left" in verdict.text


def test_failures_alike_in_a_row_fail_a_run_that_has_a_best(make):
    alike = [failed(k, f"no convergence after {k} steps") for k in (1, 2)]
    run = make(ended(0, 3.0), *alike, stop_failures=2)
    verdict = verdict_of(run, is_running=False)
    assert verdict.state == "failed"
    assert "The last 2 evaluations failed alike" in verdict.text
    assert "The best value is 1 W/(m K)" in verdict.text
    others = make(ended(0, 3.0), failed(1), failed(2, "another"), stop_failures=2)
    assert verdict_of(others, is_running=False).state == "stopped"


def test_a_run_that_is_all_failures_and_has_no_budget_left_has_no_result(make):
    verdict = verdict_of(make(failed(0), trials=1), is_running=False)
    assert verdict.text == (
        "Failed: no convergence. The only evaluation failed, and the budget is spent without a "
        "result."
    )


def test_a_run_without_a_feasible_trial_names_what_is_missed(make):
    verdict = verdict_of(make(ended(0, 3.0, fraction=0.75), trials=1), is_running=False)
    assert "No trial meets every constraint; trial 0 comes nearest" in verdict.text
    assert "misses volume_fraction <= 0.5 by 0.25" in verdict.text


def test_several_objectives_are_judged_by_their_front(make):
    trials = (ended(0, 3.0, 1.0), ended(1, 9.0, 4.0), ended(2, 2.0, 5.0), ended(3, 5.0, 2.0))
    run = make(*trials, objective="k_xx, -k_yy")
    verdict = verdict_of(run, is_running=False)
    assert "The Pareto front has 3 structures, which meet the constraint" in verdict.text
    assert "k_xx from 3 to 9 W/(m K); -k_yy from -4 to -1 W/(m K)" in verdict.text
    assert "best value" not in verdict.text
    assert found_briefly(run) == "3 structures on the Pareto front"


def test_an_objective_has_the_unit_that_its_metrics_share(make):
    run = make(objective="k_xx - 2*k_yy, -volume_fraction, k_xx - volume_fraction")
    assert [unit_of_objective(run, k) for k in range(3)] == ["W/(m K)", "", ""]
    assert objective_texts(run)[0] == "k_xx - 2*k_yy [W/(m K)]"
    assert unit_of_constraint(run, run.config.goal.constraints[0]) == ""


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("k_xx", "effective conductivity along x"),
        ("k_xy", "effective conductivity, component xy"),
        ("volume_fraction", "volume fraction of phase 1 (fibre)"),
        ("distance_from_data", "distance from the training data; 1 is typical of the data"),
        ("E_x", ""),  # no objective of the settings has such a value
        ("mine", ""),
    ],
)
def test_metrics_of_ours_have_plain_names(make, name, said):
    assert plain_name(make(), name) == said


def test_every_value_of_an_objective_of_ours_has_a_plain_name(make):
    from objectives.registry import OBJECTIVES

    for kind, settings in (
        ("effective_conductivity", {"conductivity": [1.0, 50.0]}),
        ("effective_stiffness", {"young": [1.0, 2.0], "poisson": [0.3, 0.3]}),
        ("volume_fraction", {"phase": 2}),
        ("manufacturability", {"rules": "laser_powder_bed"}),
        ("effective_spectrum", {"phases": [1, 2], "axis": [1, 2], "peak": [1, 2]}),
        (
            "effective_spectrum",
            {"phases": [1, 2], "axis": [1, 2], "target": [1, 2], "prefix": "y_"},
        ),
    ):
        run = make(evaluate=[{"kind": kind, **settings}], objective="x", constraints=[])
        names = OBJECTIVES[kind](**settings).units
        assert all(plain_name(run, name) for name in names), kind

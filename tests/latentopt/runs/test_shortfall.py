"""Which constraint is missed, and by how much."""

import numpy as np
import pytest

from latentopt.campaign.campaign import Campaign
from latentopt.report import write_report
from latentopt.runs.shortfall import shortfall_lines


def two(images):
    return {"a": images.double().mean((1, 2, 3)), "b": 1e6 * images.double().std((1, 2, 3))}


@pytest.fixture
def found(tiny_space, tmp_path):
    with Campaign(
        space=tiny_space,
        objective="a",
        constraints=["a >= 2", "b <= 1e6"],
        objectives=[two],
        strategy="prior",
        engine="serial",
        dry_run=False,
        folder=tmp_path / "run",
    ) as campaign:
        for trial, a in zip(campaign.ask(3), (0.5, 1.5, 1.0), strict=True):
            campaign.tell(trial.index, {"a": a, "b": 5e5})
        return campaign.result


def test_the_constraint_that_no_trial_meets_is_named_with_the_least_it_is_missed_by(found):
    assert shortfall_lines(found) == [
        "a >= 2: missed by all 3 trials, by 0.5 at least (trial 1)",
        "b <= 1e6: met by 3 of 3 trials",
        "trial 1 comes nearest: it misses a >= 2 by 0.5",
    ]


def test_status_and_report_say_it(found, run, tmp_path):
    _, out, _ = run("status", found.folder)
    assert "no trial meets the constraints yet" in out
    assert "a >= 2: missed by all 3 trials, by 0.5 at least (trial 1)" in out
    page = write_report(found, tmp_path / "page.html").read_text(encoding="utf-8")
    assert "missed by all 3 trials, by 0.5 at least" in page


def test_nothing_is_said_where_a_trial_is_feasible_or_none_has_completed(found, tiny_space):
    with Campaign.resume(found.folder, space=tiny_space, objectives=[two]) as campaign:
        (trial,) = campaign.ask(1)
        campaign.tell(trial.index, {"a": 3.0, "b": 0.0})
        assert shortfall_lines(campaign.result) == []
    assert np.isfinite(campaign.result.value(campaign.result.best()[0]))

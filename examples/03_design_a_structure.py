"""Inverse design by the Python API: a structure whose statistics match a target, lighter than it.

python examples/03_design_a_structure.py
"""

import os
from pathlib import Path

from generative.data.synthetic import gaussian_random_field
from latentopt import Campaign, LatentSpace
from latentopt.campaign import CampaignConfig
from latentopt.report import write_report
from latentopt.runs import export_candidates
from objectives import TwoPointTarget, VolumeFraction

SMOKE = os.environ.get("SMOKE") == "1"


def main() -> None:
    space = LatentSpace.default()

    # The target: a coarse structure, stretched three to one, 40 % dense.
    (target,) = gaussian_random_field(
        1, (64, 64), seed=5, correlation_length_px=(12, 12), anisotropy=(3, 3),
        volume_fraction=(0.4, 0.4),
    )[0]  # fmt: skip

    config = CampaignConfig(
        name="match-a-target",
        objective="-two_point_error",  # objectives are maximized; a minus minimizes
        constraints=("volume_fraction <= 0.38",),
        evaluate=("two_point_target", "volume_fraction"),
        engine={"kind": "serial"},  # evaluations of milliseconds need no processes
        trials=6 if SMOKE else 40,
        batch=4,
        seed=0,
        folder="runs/match-a-target",
    )
    objectives = [TwoPointTarget(target=target), VolumeFraction()]
    # Kill it and run it again: the journal in its folder loses nothing and repeats nothing.
    campaign = Campaign(config, space=space, objectives=objectives)
    run = campaign.run()

    for trial in run.best(3):
        error, fraction = trial.metrics["two_point_error"], trial.metrics["volume_fraction"]
        print(
            f"trial {trial.index:2d}: two-point error {error:.4f}, volume fraction {fraction:.2f}"
        )

    # A campaign is an Ax experiment: its client is yours to ask.
    print(f"{len(campaign.client.summarize())} trials in the Ax experiment")

    best = [trial.index for trial in run.best(1)]
    for path in export_candidates(run, best, "damask", Path("runs/match-a-target/exports")):
        print(f"for DAMASK: {path}")
    print(f"report: {write_report(run, space=space)}")


if __name__ == "__main__":
    main()

"""The whole chain: candidate -> .vti -> simulator, a program of its own -> constraint -> next one.

python examples/06_simulate_candidates.py

The simulator is `latentopt-screen`, which knows the rules of a manufacturing process. Put your own
program in its place: it reads a structure and writes {"state": "ok", "metrics": {...}}.
"""

import json
import os
import sys
from pathlib import Path

from latentopt import Campaign
from latentopt.campaign import CampaignConfig

SMOKE = os.environ.get("SMOKE") == "1"
FOLDER = Path("runs/conduct-and-print")

# Walls of at least 30 um and gaps of at least 30 um; a voxel is 10 um.
RULES = [{"kind": "min_solid", "limit_um": 30}, {"kind": "min_void", "limit_um": 30}]

SIMULATOR = {
    "kind": "subprocess",
    # Any program, without a shell; this is `latentopt-screen`, by the Python that runs us.
    "command": [
        *(sys.executable, "-m", "latentopt.simulators.reference"),
        *("{structure}", "--rules", json.dumps(RULES), "--result", "{result}"),
    ],
    "format": "damask",  # structure.vti
    "units": {"min_solid_margin": "um", "min_void_margin": "um"},
    "timeout_s": 120,
}


def main() -> None:
    config = CampaignConfig(
        name="conduct-and-print",
        objective="k_xx - 2*k_yy",
        constraints=("min_solid_margin >= 0", "min_void_margin >= 0"),
        evaluate=("effective_conductivity",),  # cheap: it runs first
        simulate=(SIMULATOR,),
        trials=2 if SMOKE else 60,
        batch=3,
        voxel_size_um=10.0,
        folder=str(FOLDER),
    )
    run = Campaign(config).run()

    for trial in run.trials[-3:]:
        margins = {name: round(trial.metrics[name], 1) for name in SIMULATOR["units"]}
        print(f"trial {trial.index:2d}: {run.value(trial):6.2f}, the simulator said {margins}")
    feasible = [trial for trial in run.trials if min(run.margins(trial).values()) >= 0]
    print(f"{len(feasible)} of {len(run.trials)} candidates can be made")
    for trial in run.best(1):
        print(f"the best of them is trial {trial.index}: {run.value(trial):.2f}")

    # What the last one was given and what it said stays in the campaign's folder.
    last = FOLDER / "simulations" / f"{run.trials[-1].index:04d}" / "subprocess"
    print(f"{last}: {', '.join(sorted(path.name for path in last.iterdir()))}")


if __name__ == "__main__":
    main()

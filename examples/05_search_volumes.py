"""3-D at 21x21x21: train a space of volumes, search it, export the best for a simulator.

python examples/05_search_volumes.py
"""

import os
from pathlib import Path

from latentopt import Campaign
from latentopt.campaign import CampaignConfig
from latentopt.export import verify
from latentopt.runs import export_candidates
from latentopt.training import TrainingSettings, train_space

SMOKE = os.environ.get("SMOKE") == "1"


def main() -> None:
    # The same code as in 2-D: the number of axes is read from the data.
    settings = TrainingSettings.checked(
        {
            "data": {
                "kind": "gaussian_random_field",
                "shape": (21, 21, 21),
                "n": 40 if SMOKE else 4000,
                "held_out": 5 if SMOKE else 400,
            },
            "training": {"steps": 3 if SMOKE else 1500, "augmentation": {"shifts": True}},
        }
    )
    space = train_space(settings, "runs/space-21")
    print(f"{space.latent_dim} numbers for volumes of {space.image_shape[1:]}")

    config = CampaignConfig(
        name="insulate-along-z",
        space="runs/space-21",
        objective="k_xx - 2*k_zz",
        constraints=("volume_fraction <= 0.5",),
        evaluate=(
            {"kind": "effective_conductivity", "conductivity": [1, 50], "dim": 3},
            "volume_fraction",
        ),
        engine={"kind": "serial"},  # evaluations of milliseconds need no processes
        trials=4 if SMOKE else 40,
        batch=4,
        voxel_size_um=2.0,
        folder="runs/insulate-along-z",
    )
    run = Campaign(config, space=space).run()
    for trial in run.best(3):
        print(f"trial {trial.index:2d}: {run.value(trial):.2f}  {dict(trial.metrics)}")

    best = [trial.index for trial in run.best(2)]
    for format in ("damask", "tiff"):
        for path in export_candidates(run, best, format, Path("runs/insulate-along-z/exports")):
            verify(path)  # read again by another library, voxel by voxel
            print(f"{format}: {path}")


if __name__ == "__main__":
    main()

"""How faithful each model is: PCA, autoencoders, adversarial networks, diffusion, on one set.

    python benchmarks/fidelity.py                                        # synthetic, 64x64
    python benchmarks/fidelity.py --sets synthetic-256
    python benchmarks/fidelity.py --sets micrographs --images DIR        # 256x256 and larger maps
    python benchmarks/fidelity.py --sets sandstone-21 --images FILE      # one large volume
    python benchmarks/fidelity.py --steps 3000 --batch-size 64           # a larger budget
    python benchmarks/fidelity.py --cpu-seconds 3600                     # the same cost for each
    python benchmarks/fidelity.py --cpu-seconds 3600 --models resnet_vae,dcgan,ldm    # the study

Each training is kept in the folder of --out and is not repeated; a killed one goes on. A model
takes --steps of --batch-size images, and of its own stages what it takes by default; ldm begins
with that vae, then come its stages of detail and of the prior, which takes batches of 128 codes.
Seconds are CPU-seconds of one thread, those of ldm without its vae's.

With --cpu-seconds two short trainings of each model tell what a step costs, and the steps follow;
ldm then trains an autoencoder of its own, which counts. Held-out images share no voxel with
training images, and no parent where there are ten or more. A bar chart of each set is written
beside its trainings.
"""

import argparse
import json
import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import tempfile
import time
import warnings
from pathlib import Path
from typing import Any

import torch
from matplotlib.figure import Figure

from latentopt.fidelity.spaces import ALL, evaluate_spaces
from latentopt.training.settings import TrainingSettings
from latentopt.training.train_space import read_split, train_space

PRIOR_BATCH = 128
MODELS = ("pca", "vae", "resnet_vae", "ldm", "lsgm", "dcgan", "gan", "infogan", "stylegan")
TRIAL = (20, 40)  # steps of the trainings that tell what a step costs: both have twenty moments
CHARTED = {  # and what is drawn across the bars: a floor, or where nothing is lost
    "mse": None,
    "two_point_mae": None,
    "interface_ratio": 1.0,
    "frechet_two_point": "frechet_two_point_halves",
    "recall_two_point": 1.0,
    "seconds": None,
}
COLUMNS = {
    "mse": "MSE",
    "ssim": "SSIM",
    "two_point_mae": "two-point MAE",
    "within_6_sigma": "within 6 sigma",
    "lineal_path_mae": "lineal path MAE",
    "interface_ratio": "interface kept",
    "frechet_two_point": "Frechet",
    "frechet_two_point_halves": "(halves)",
    "recall_two_point": "recall",
    "p_samples": "p of samples",
    "seconds": "CPU-s",
}


def sets(images: str | None) -> dict[str, dict[str, Any]]:
    """Settings of the images of each set."""
    files = {"kind": "files", "path": images}
    field = {"kind": "gaussian_random_field", "seed": 2026}
    return {
        "synthetic-64": {**field, "n": 8000, "held_out": 1000, "shape": [64, 64]},
        "synthetic-256": {**field, "n": 2000, "held_out": 200, "shape": [256, 256]},
        "micrographs": {
            **files, "patch": 64, "stride": 8, "fractions": [0.5, 0.25, 0.25],
        },
        "sandstone-21": {**files, "spatial_dims": 3, "patch": 21},
        "sandstone-32": {**files, "spatial_dims": 3, "patch": 32},
    }  # fmt: skip


def settings_of(
    model: str,
    data: dict[str, Any],
    options: argparse.Namespace,
    out: Path,
    steps: int | None = None,
) -> TrainingSettings:
    """What `train_space` is asked for: so many steps of everything, or those of the options."""
    periodic = data.get("kind") == "gaussian_random_field"
    training = {
        "steps": steps or options.steps,
        "batch_size": options.batch_size,
        "augmentation": {"shifts": periodic},
    }
    rest: dict[str, Any] = {}
    if model == "resnet_vae":
        rest = {"options": {"latent_dim": 64}}
    if model in ("gan", "infogan", "stylegan") and periodic:
        rest = {"options": {"padding": "circular"}}
    if model == "ldm":
        scale = (steps or options.steps) / options.steps
        training["stages"] = {
            "detail": {"steps": max(1, round(scale * options.detail_steps))},
            "prior": {
                "steps": max(1, round(scale * options.prior_steps)),
                "batch_size": PRIOR_BATCH,
            },
        }
        rest = {} if steps else {"begin_from": str(out / "vae")}
    if model != "pca":  # which is solved at once
        rest |= {"training": training}
    return TrainingSettings.checked({"data": data, "model": model, **rest})


def measure(name: str, data: dict[str, Any], options: argparse.Namespace) -> None:
    """Train what is missing, evaluate, and print the table of one set."""
    out = options.out / name
    out.mkdir(parents=True, exist_ok=True)
    split, rows = None, {}
    print(f"\n{name}\n| model | {' | '.join(COLUMNS.values())} |")
    print("|---" * (1 + len(COLUMNS)) + "|", flush=True)
    for model in options.models.split(","):
        file = out / f"{model}.json"
        if not file.exists():
            split = split or read_split(settings_of("pca", data, options, out).data)
            steps = None
            if options.cpu_seconds and model != "pca":
                steps = affordable(model, data, options)
            settings = settings_of(model, data, options, out, steps)
            started = time.process_time()
            space = train_space(settings, out / model)
            seconds = time.process_time() - started
            training, _, held_out = split
            (answer,) = evaluate_spaces({model: space}, held_out, training=training)
            (group,) = (group for group in answer.groups if group.name == ALL)
            figures = {**group.figures, "seconds": round(seconds)}
            file.write_text(json.dumps(figures))
        figures = json.loads(file.read_text())
        cells = " | ".join(f"{figures[name]:.4g}" if name in figures else "" for name in COLUMNS)
        print(f"| {model} | {cells} |", flush=True)
        rows[model] = figures
    chart(rows, out / "fidelity.png")


def affordable(model: str, data: dict[str, Any], options: argparse.Namespace) -> int:
    """Steps that take the CPU-seconds of the options, card and all."""
    spent = []
    for steps in TRIAL:
        with tempfile.TemporaryDirectory() as folder:
            settings = settings_of(model, data, options, Path(folder), steps)
            started = time.process_time()
            train_space(settings, Path(folder) / model)
            spent.append(time.process_time() - started)
    step = max(1e-3, (spent[1] - spent[0]) / (TRIAL[1] - TRIAL[0]))
    return max(1, round((options.cpu_seconds - spent[0]) / step) + TRIAL[0])


def chart(rows: dict[str, dict[str, float]], file: Path) -> None:
    """Bars of a model each, a panel of each figure; a dashed line is a floor, or keeps all."""
    figure = Figure(figsize=(3 * len(CHARTED), 3.2), layout="constrained")
    for axis, (name, line) in zip(figure.subplots(1, len(CHARTED)), CHARTED.items(), strict=True):
        axis.bar(list(rows), [row.get(name, 0.0) for row in rows.values()], color="#3b6ea5")
        axis.set_title(COLUMNS[name], fontsize=9)
        axis.tick_params(axis="x", labelrotation=60, labelsize=8)
        floor = max((row.get(line, 0.0) for row in rows.values()), default=0.0)
        if isinstance(line, float) or floor:
            axis.axhline(line if isinstance(line, float) else floor, color="k", ls="--", lw=1)
    figure.savefig(file, dpi=110)
    print(f"wrote {file}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--sets", default="synthetic-64")
    parser.add_argument("--models", default=",".join(MODELS))
    parser.add_argument("--images", help="folder or file of the set that is not synthetic")
    parser.add_argument("--steps", type=int, default=1000)
    parser.add_argument("--cpu-seconds", type=float, help="of each training; sets its steps")
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--detail-steps", type=int, default=500)
    parser.add_argument("--prior-steps", type=int, default=6000)
    parser.add_argument("--out", type=Path, default=Path("runs/benchmark/fidelity"))
    options = parser.parse_args()
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    for name in options.sets.split(","):
        measure(name, sets(options.images)[name], options)


if __name__ == "__main__":
    main()

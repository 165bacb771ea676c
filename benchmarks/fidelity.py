"""How faithful each model is: PCA, VAE, C-VAE, latent diffusion and LSGM on the same images.

    python benchmarks/fidelity.py                                        # synthetic, 64x64
    python benchmarks/fidelity.py --sets synthetic-256
    python benchmarks/fidelity.py --sets micrographs --images DIR        # 256x256 and larger maps
    python benchmarks/fidelity.py --sets sandstone-21 --images FILE      # one large volume
    python benchmarks/fidelity.py --steps 3000 --batch-size 64           # a larger budget

Each training is kept in the folder of --out and is not repeated; a killed one goes on. The vae
takes --steps of --batch-size images; ldm is that vae, then its own stages of detail and of the
prior, which takes batches of 128 codes; lsgm takes half as many steps of both networks together
after as many of the autoencoder. Seconds are CPU-seconds of one thread, those of ldm without its
vae's. Held-out images share no voxel with training images, and no parent where there are ten
or more.
"""

import argparse
import json
import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import time
import warnings
from pathlib import Path
from typing import Any

import torch

from latentopt.fidelity.spaces import ALL, evaluate_spaces
from latentopt.training.settings import TrainingSettings
from latentopt.training.train_space import read_split, train_space

PRIOR_BATCH = 128
MODELS = ("pca", "vae", "resnet_vae", "ldm", "lsgm")
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
    model: str, data: dict[str, Any], options: argparse.Namespace, out: Path
) -> TrainingSettings:
    """What `train_space` is asked for."""
    periodic = data.get("kind") == "gaussian_random_field"
    training = {
        "steps": options.steps,
        "batch_size": options.batch_size,
        "augmentation": {"shifts": periodic},
    }
    rest: dict[str, Any] = {}
    if model == "resnet_vae":
        rest = {"options": {"latent_dim": 64}}
    if model == "ldm":
        training["stages"] = {
            "detail": {"steps": options.detail_steps},
            "prior": {"steps": options.prior_steps, "batch_size": PRIOR_BATCH},
        }
        rest = {"begin_from": str(out / "vae")}
    return TrainingSettings.checked({"data": data, "model": model, "training": training, **rest})


def measure(name: str, data: dict[str, Any], options: argparse.Namespace) -> None:
    """Train what is missing, evaluate, and print the table of one set."""
    out = options.out / name
    out.mkdir(parents=True, exist_ok=True)
    split = None
    print(f"\n{name}\n| model | {' | '.join(COLUMNS.values())} |")
    print("|---" * (1 + len(COLUMNS)) + "|", flush=True)
    for model in options.models.split(","):
        file = out / f"{model}.json"
        if not file.exists():
            split = split or read_split(settings_of("pca", data, options, out).data)
            settings = settings_of(model, data, options, out)
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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--sets", default="synthetic-64")
    parser.add_argument("--models", default=",".join(MODELS))
    parser.add_argument("--images", help="folder or file of the set that is not synthetic")
    parser.add_argument("--steps", type=int, default=1000)
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

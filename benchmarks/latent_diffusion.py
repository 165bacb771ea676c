"""The embedded latent diffusion: its noise space; and, trained here, what conditions obtain.

python benchmarks/latent_diffusion.py                 # minutes: figures of the noise space
python benchmarks/latent_diffusion.py --conditional   # trains a conditional prior first
"""

import argparse
import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

from pathlib import Path

import numpy as np
import torch

from generative.data.synthetic import gaussian_random_field
from latentopt import LatentSpace
from latentopt.noise_space import FIGURES, noise_space_figures
from latentopt.sampling import obtained, sample_points
from latentopt.training import TrainingSettings, train_space

CONDUCTIVITY = {"kind": "effective_conductivity", "conductivity": [1.0, 10.0]}


def noise_space() -> None:
    """Figures of FIGURES on 1,000 structures that no training has seen."""
    space = LatentSpace.default("ldm")
    training, held_out = (
        torch.from_numpy(gaussian_random_field(n, (64, 64), seed=seed))
        for n, seed in ((4000, 31), (1000, 32))
    )
    for name, value in noise_space_figures(space.model, training, held_out).items():
        print(f"{FIGURES[name]:<75}{value:10.4g}")


def conditional(out: Path, steps: int) -> None:
    """Asked for against obtained, for volume fraction and k_xx, at three strengths of guidance."""
    settings = {
        "data": {"kind": "gaussian_random_field", "n": 4000, "held_out": 200},
        "model": "ldm",
        "autoencoder_from": "default",
        "options": {"detail": None},
        "conditions": {"properties": ["volume_fraction", CONDUCTIVITY]},
        "training": {
            "steps": steps,
            "augmentation": {"shifts": True, "flips": False, "rotations": False},
        },
    }
    space = train_space(TrainingSettings.checked(settings), out)
    ranges = space.model.config.conditions.properties
    print(
        f"{'property':<18}{'guidance':>9}{'asked':>9}{'obtained, 5 / 50 / 95 %':>30}{'variety':>9}"
    )
    free = space.decode(space.sample(64, seed=1))
    for name in ("volume_fraction", "k_xx"):
        for guidance in (1.0, 2.0, 4.0):
            for step in (-1, 0, 1):
                wish = {name: ranges[name].mean + step * ranges[name].spread}
                z = sample_points(space, 64, seed=2, properties=wish, guidance=guidance)
                images = space.decode(z)
                low, middle, high = np.quantile(
                    obtained(space, images.numpy(), wish)[name], [0.05, 0.5, 0.95]
                )
                text = f"{low:.3f} / {middle:.3f} / {high:.3f}"
                variety = _spread(images) / _spread(free)
                print(f"{name:<18}{guidance:>9}{wish[name]:>9.3f}{text:>30}{variety:>9.2f}")


def _spread(images: torch.Tensor) -> float:
    """Median distance between two of the structures, voxel by voxel."""
    flat = (images > 0.5).float().flatten(1)
    return float(torch.pdist(flat).median())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--conditional", action="store_true")
    parser.add_argument("--steps", type=int, default=2000)
    parser.add_argument("--out", type=Path, default=Path("runs/benchmark/conditional"))
    options = parser.parse_args()
    torch.set_num_threads(1)
    if options.conditional:
        conditional(options.out, options.steps)
    else:
        noise_space()


if __name__ == "__main__":
    main()

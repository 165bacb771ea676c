"""The embedded latent diffusion: its noise space, its samples; and what conditions obtain.

python benchmarks/latent_diffusion.py                 # minutes: figures of the noise space
python benchmarks/latent_diffusion.py --ensemble      # minutes: samples in the ensemble test
python benchmarks/latent_diffusion.py --frechet 4000  # minutes: how near samples come to structures
python benchmarks/latent_diffusion.py --conditional   # trains a conditional prior first
"""

import argparse
import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import torch

from generative.autoencoders.gaussian_codes import gaussian_codes
from generative.batching import map_rows
from generative.data.synthetic import gaussian_random_field
from latentopt import LatentSpace
from latentopt.fidelity.noise_space import FIGURES, noise_space_figures
from latentopt.training.sampling import obtained, sample_points
from latentopt.training.train_space import TrainingSettings, train_space
from objectives.fidelity import (
    FeatureSpaces,
    ensemble_test,
    lone_voxels,
    shuffled_pixels,
)
from objectives.fidelity.feature_spaces import compare_rows

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


def ensemble() -> None:
    """How often the ensemble test accepts two sets as one, 40 pairs of sets for each size."""
    space, sets = LatentSpace.default("ldm"), 40
    print(f"accepted at 5 % of {sets} pairs\n{'structures a set':<32}{30:>6}{100:>6}{300:>6}")
    most = 300
    real, other = (
        gaussian_random_field(sets * most, (64, 64), seed=seed).reshape(sets, most, 1, 64, 64)
        for seed in (41, 42)
    )
    gaussian = _gaussian(space)
    cases = {
        "held-out structures": lambda i: torch.from_numpy(other[i]),
        "decoded noise": lambda i: space.decode(space.sample(most, seed=i)).round(),
        "the same in the code's Gaussian": lambda i: gaussian(most, i).round(),
        "held-out, pixels shuffled": lambda i: torch.from_numpy(shuffled_pixels(other[i], i)),
    }
    for name, draw in cases.items():
        accepted = dict.fromkeys((30, 100, 300), 0)
        for i in range(sets):
            made = draw(i)
            for n in accepted:
                answer = ensemble_test(torch.from_numpy(real[i][:n]), made[:n], seed=i)
                accepted[n] += answer.p_value >= 0.05
        print(f"{name:<32}" + "".join(f"{k / sets:>6.2f}" for k in accepted.values()), flush=True)


def frechet(n: int, space: LatentSpace, draws: int) -> None:
    """Frechet distances to n structures of as many others, reconstructions and samples.

    In the scores of the model card, and in two-point features of equal weight: volume fraction,
    S_2 at 1 to 31 voxels around and along each axis, and interface along each axis, each over its
    standard deviation. Beside them the lone voxels, by which a decoder can fake interface. Sets of
    other structures differ too, mostly in their mean volume fraction: hence several of each.
    """
    held_out = torch.from_numpy(gaussian_random_field(n, (64, 64), seed=51))
    spaces = FeatureSpaces(held_out)
    real = spaces(held_out)
    code = space.in_coordinates("code")

    def again(images: torch.Tensor) -> torch.Tensor:
        return code.decode(code.encode(images)).round()

    def others(seed: int) -> torch.Tensor:
        return torch.from_numpy(gaussian_random_field(n, (64, 64), seed=52 + seed))

    def drawn(seed: int) -> torch.Tensor:
        return space.decode(space.sample(n, seed=seed)).round()

    sets = {
        **{f"other structures, draw {i}": partial(others, i) for i in range(draws)},
        "reconstructions of the structures": lambda: again(held_out),
        **{f"reconstructions of others {i}": lambda i=i: again(others(i)) for i in range(draws)},
        **{f"decoded noise, draw {i}": partial(drawn, i) for i in range(draws)},
        "the code's Gaussian, decoded": lambda: _gaussian(space)(n, 0).round(),
    }
    print(f"{n} structures{'scores':>35}{'recall':>10}{'features':>10}{'lone voxels':>15}")
    for name, made in sets.items():
        images = made()
        found = compare_rows(spaces(images), real)
        line = (
            f"{name:<35}{found['frechet_two_point']:>10.4f}{found['recall_two_point']:>10.3f}"
            f"{found['frechet_two_point_features']:>10.4f}{lone_voxels(images):>15.6f}"
        )
        print(line, flush=True)


def _gaussian(space: LatentSpace) -> Callable[[int, int], torch.Tensor]:
    """Decoded draws, n of a seed, of the normal distribution with mean and covariance of codes."""
    model = space.model.in_coordinates("code")
    images = torch.from_numpy(gaussian_random_field(4000, (64, 64), seed=31))
    with torch.no_grad():
        codes = map_rows(model.encode, images, images[0].numel())

    def draw(n: int, seed: int) -> torch.Tensor:
        with torch.no_grad():
            return map_rows(model.decode, gaussian_codes(codes, n, seed=seed), images[0].numel())

    return draw


def conditional(out: Path, steps: int) -> None:
    """Asked for against obtained, for volume fraction and k_xx, at three strengths of guidance."""
    settings = {
        "data": {"kind": "gaussian_random_field", "n": 4000, "held_out": 200},
        "model": "ldm",
        "begin_from": "default",
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
    parser.add_argument("--ensemble", action="store_true")
    parser.add_argument("--frechet", type=int, metavar="N")
    parser.add_argument("--draws", type=int, default=3, help="sets of each kind, with --frechet")
    parser.add_argument("--space", help="folder of another space; with --frechet")
    parser.add_argument("--steps", type=int, default=2000)
    parser.add_argument("--out", type=Path, default=Path("runs/benchmark/conditional"))
    options = parser.parse_args()
    torch.set_num_threads(1)
    if options.conditional:
        conditional(options.out, options.steps)
    elif options.frechet:
        space = LatentSpace.load(options.space) if options.space else LatentSpace.default("ldm")
        frechet(options.frechet, space, options.draws)
    elif options.ensemble:
        ensemble()
    else:
        noise_space()


if __name__ == "__main__":
    main()

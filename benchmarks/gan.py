"""Generative adversarial networks: what draws of each are, beside controls that must fail.

python benchmarks/gan.py                         # trains all at a tenth of an hour's steps
python benchmarks/gan.py --steps 8000 --seeds 0 1
python benchmarks/gan.py --only "gan" --figures 4000

Of draws that are cut into phases: Frechet distances in two-point scores and in two-point features
of equal weight, both asked for by the stage of sets; what nothing asks for is the random network
(each response over its spread over structures), lone voxels and thin lines, and how many pairs of
sets of 100 the ensemble test accepts as of one source. Of held-out structures: reconstructions.
"""

import argparse
import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import time
from pathlib import Path

import torch

from generative.data.synthetic import gaussian_random_field
from generative.gans import GAN
from latentopt import LatentSpace
from latentopt.training.train_space import TrainingSettings, train_space
from objectives.fidelity import DrawFigures, ensemble_test, shuffled_pixels
from objectives.fidelity.statistics import two_point_mae

SHAPE = (64, 64)
PAIR = 100  # structures in each set of a pair, of which there are 40 at most
PERIODIC = {"padding": "circular"}
WEAK = {"penalty": {"weight": 0.000024, "last_weight": 0.000005}}
# Model and options; those that end in (control) must fail what the others meet.
RUNS = {
    "gan": ("gan", PERIODIC),
    "gan, game alone": ("gan", PERIODIC | {"sets": None}),
    "dcgan": ("dcgan", {}),
    "gan, penalty over 100 (control)": ("gan", PERIODIC | WEAK | {"sets": None}),
    "sets without a game (control)": ("gan", PERIODIC | {"sets": {"game_weight": 0}}),
}


class Judge:
    """Figures of sets of structures against structures that no training has seen.

    Parameters
    ----------
    n
        How many of each.
    """

    def __init__(self, n: int) -> None:
        self.real, others = (
            torch.from_numpy(gaussian_random_field(n, SHAPE, seed=seed)) for seed in (51, 52)
        )
        self.figures = DrawFigures(self.real, others)
        print(
            f"{n} structures{'scores':>33}{'features':>10}{'network':>9}{'precision':>10}"
            f"{'recall':>8}{'lone':>7}{'thin':>7}{'fraction':>17}{'interface':>10}{'accepted':>9}"
        )
        self.show("other structures (floor)", others)
        self.show("with voxels shuffled (control)", shuffled_pixels(others))

    def show(self, name: str, images: torch.Tensor) -> None:
        """One line of figures of a set; lone voxels in 10,000, thin ones in 1,000."""
        found = self.figures(images)
        amount = images.mean((1, 2, 3))
        jumps, those = (x.diff(dim=2).abs().mean() for x in (images, self.real))
        print(
            f"{name:<42}"
            f"{found['frechet_two_point']:>10.4f}{found['frechet_two_point_features']:>10.4f}"
            f"{found['frechet_random_cnn']:>9.3f}"
            f"{found['precision_two_point']:>10.3f}{found['recall_two_point']:>8.3f}"
            f"{1e4 * found['lone_voxels']:>7.2f}{1e3 * found['thin_voxels']:>7.2f}"
            f"{amount.mean():>9.3f} +- {amount.std():.3f}{jumps / those:>10.3f}"
            f"{self.accepted(images):>9.2f}",
            flush=True,
        )

    def accepted(self, images: torch.Tensor) -> float:
        """Share of pairs of sets whose mean two-point statistics may be of one source."""
        pairs = [
            ensemble_test(real, made)
            for real, made in zip(self.real.split(PAIR), images.split(PAIR), strict=True)
        ]
        return sum(pair.p_value >= 0.05 for pair in pairs[:40]) / len(pairs[:40])


def trained(name: str, seed: int, steps: int, out: Path) -> LatentSpace:
    """The space of a run in a folder of `out`; trained there if it is not yet."""
    model, options = RUNS[name]
    settings = {
        "data": {"kind": "gaussian_random_field", "n": 30000, "shape": SHAPE, "seed": 2026},
        "model": model,
        "options": options,
        "training": {"steps": steps, "seed": seed, "augmentation": {"shifts": True}},
    }
    folder = out / f"{name}-{seed}".replace(" ", "_")
    return train_space(TrainingSettings.checked(settings), folder)


def run(name: str, seed: int, steps: int, judge: Judge, out: Path) -> None:
    """Train one, and judge three sets of its draws and its reconstructions."""
    started = time.process_time()
    space = trained(name, seed, steps, out)
    seconds = time.process_time() - started
    n = len(judge.real)
    for draw in range(3):
        judge.show(
            f"{name}, seed {seed}, draw {draw}", space.decode(space.sample(n, seed=draw)).round()
        )
    z = space.sample(n, seed=0)
    z[:, : space.latent_dim // 4] = 0
    judge.show("  a quarter of its numbers 0", space.decode(z).round())
    judge.show("  one point for all (control)", space.decode(z[:1]).round().expand(n, -1, -1, -1))
    held_out = torch.from_numpy(gaussian_random_field(1000, SHAPE, seed=61))
    again = space.decode(space.encode(held_out))
    z = space.sample(500, seed=9)
    back = space.encode(space.decode(z)) - z
    print(
        f"  {seconds:.0f} CPU-s; reconstructions: MSE {(again - held_out).square().mean():.4f}, "
        f"voxels wrong {(again.round() != held_out).double().mean():.3f}, two-point MAE "
        f"{two_point_mae(held_out, again.round()).mean():.4f}; there and back, rms "
        f"{back.square().mean().sqrt():.2f}; radius {space.radius:.2f}",
        flush=True,
    )


def floors(judge: Judge) -> None:
    """Other structures, which nothing can come nearer than, and sets that must fail."""
    n = len(judge.real)
    judge.show("other structures", torch.from_numpy(gaussian_random_field(n, SHAPE, seed=53)))
    torch.manual_seed(0)
    untrained = LatentSpace.from_prior(GAN((1, *SHAPE)))
    judge.show(
        "untrained generator (control)", untrained.decode(untrained.sample(n, seed=0)).round()
    )
    judge.show("one structure, shifted (control)", _shifted(judge.real[:1], n))


def _shifted(image: torch.Tensor, n: int) -> torch.Tensor:
    shifts = torch.randint(64, (n, 2), generator=torch.Generator().manual_seed(0)).tolist()
    return torch.cat([image.roll(tuple(shift), (2, 3)) for shift in shifts])


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=800)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--figures", type=int, default=4000)
    parser.add_argument("--only", choices=RUNS, action="append")
    parser.add_argument("--out", type=Path, default=Path("runs/gan"))
    asked = parser.parse_args()
    judge = Judge(asked.figures)
    floors(judge)
    for name in asked.only or RUNS:
        for seed in asked.seeds:
            run(name, seed, asked.steps, judge, asked.out)

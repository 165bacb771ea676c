"""What latent inversion gains over the encoder: voxels, two-point statistics, conductivity.

python benchmarks/inversion.py                     # the embedded space, then a gan from each start
python benchmarks/inversion.py --steps 20 50 100 --gan FOLDER

Random structures of 64x64 that the spaces have not seen, on one thread. The gan is trained for
--training-steps, unless the folder of one is given. It begins at the encoder's point, at the origin
or, as a control that must be worse, at a random draw.
"""

import argparse
import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import time
from pathlib import Path

import torch
from gan import trained

from generative.data.synthetic import gaussian_random_field
from latentopt import LatentSpace
from latentopt.space.descent import descend
from latentopt.space.encoding import first_points
from objectives.effective_conductivity import EffectiveConductivity
from objectives.fidelity.statistics import two_point_mae
from objectives.phases import cut_phases

SEED = 777777


class Judge:
    """Structures, and how far the points that are found for them are away.

    Parameters
    ----------
    n
        How many structures.
    """

    def __init__(self, n: int) -> None:
        self.images = torch.from_numpy(gaussian_random_field(n, (64, 64), seed=SEED))
        self.solver = EffectiveConductivity(conductivity=(1, 50))
        self.measured = self.solver(self.images)["k_xx"]
        print(
            f"{n} structures, start and steps    MSE  voxels: mean  median     max"
            "  two-point MAE  error of k_xx: median  norm  CPU-ms each"
        )

    def show(self, space: LatentSpace, name: str, start: torch.Tensor, steps: int) -> None:
        """One line of figures."""
        began = time.process_time()
        z = descend(space.decode, space.project, start, self.images, steps=steps)
        each = 1000 * (time.process_time() - began) / len(z)
        decoded = space.decode(z)
        cut = cut_phases(decoded)
        share = (cut != self.images).double().mean((1, 2, 3))
        error = (self.solver(cut)["k_xx"] - self.measured).abs() / self.measured
        print(
            f"{name:<23}{steps:>5}{(decoded - self.images).square().mean():>10.4f}"
            f"{share.mean():>14.2%}{share.median():>8.2%}{share.max():>8.2%}"
            f"{two_point_mae(self.images, cut).mean():>15.4f}{error.median():>22.2%}"
            f"{z.norm(dim=1).mean():>6.2f}{each:>13.1f}",
            flush=True,
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, nargs="+", default=[0, 20, 50, 100])
    parser.add_argument("--structures", type=int, default=64)
    parser.add_argument("--gan", type=Path, help="folder of the space of a gan")
    parser.add_argument("--training-steps", type=int, default=350)
    parser.add_argument("--out", type=Path, default=Path("runs/inversion"))
    asked = parser.parse_args()
    torch.set_num_threads(1)
    judge, default = Judge(asked.structures), LatentSpace.default()
    for steps in asked.steps:
        judge.show(default, "default, encoder", first_points(default, judge.images), steps)
    if asked.gan is None:
        gan = trained("gan", 0, asked.training_steps, asked.out)
    else:
        gan = LatentSpace.load(asked.gan)
    starts = {
        "encoder": first_points(gan, judge.images),
        "origin": torch.zeros(asked.structures, gan.latent_dim, dtype=torch.float64),
        "draw (control)": gan.sample(asked.structures, seed=0),
    }
    for name, start in starts.items():
        for steps in asked.steps:
            judge.show(gan, f"gan, {name}", start, steps)


if __name__ == "__main__":
    main()

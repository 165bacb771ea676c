"""What latent inversion gains over the encoder: voxels, two-point statistics, conductivity.

python benchmarks/inversion.py [STEPS ...]

64 random structures of 64x64 that the embedded space has not seen, on one thread.
"""

import sys
import time

import torch

from generative.data.synthetic import gaussian_random_field
from latentopt import LatentSpace
from latentopt.space.inversion import InversionConfig, invert
from objectives.effective_conductivity import EffectiveConductivity
from objectives.phases import cut_phases

N, SEED = 64, 777777


def main():
    torch.set_num_threads(1)
    space, solver = LatentSpace.default(), EffectiveConductivity(conductivity=(1, 50))
    images = torch.from_numpy(gaussian_random_field(N, (64, 64), seed=SEED))
    measured = solver(images)["k_xx"]
    print("steps  voxels: mean  median  max    two-point rms  error of k_xx: median  CPU-s each")
    for steps in [int(text) for text in sys.argv[1:]] or [0, 25, 100]:
        start = time.process_time()
        found = invert(space, images, InversionConfig(steps=steps))
        seconds = (time.process_time() - start) / N
        decoded = cut_phases(space.decode(found.z))
        error = (solver(decoded)["k_xx"] - measured).abs() / measured
        share = found.voxels_after
        print(
            f"{steps:5}  {share.mean():12.2%} {share.median():7.2%} {share.max():6.2%}"
            f"  {found.two_point_after.mean():13.4f}  {error.median():21.2%}  {seconds:10.2f}"
        )


if __name__ == "__main__":
    main()

"""Full design rule checks: time, and its ratio to one Euclidean distance transform.

python benchmarks/screen.py            # one thread, a few seconds
"""

import os
import time

os.environ.setdefault("OMP_NUM_THREADS", "1")

from functools import partial

import torch
from scipy import ndimage

from generative.data.synthetic import gaussian_random_field
from objectives.manufacturability import PRESETS, check_design_rules

# Voxels such that the smallest sizes of a preset are about four voxels.
VOXELS = {
    "laser_powder_bed": 100.0,
    "vat_photopolymer": 100.0,
    "resin_transfer_fibre": 1.5,
    "sintered_ceramic": 1.25,
}
MOST = {(256, 256): 0.15, (64, 64, 64): 1.0}  # seconds


def seconds(*functions, repeats=5):
    """Median time of each function, taken in turns so that a busy machine slows all alike."""
    times = [[] for _ in functions]
    for _ in range(repeats):
        for taken, function in zip(times, functions, strict=True):
            start = time.perf_counter()
            function()
            taken.append(time.perf_counter() - start)
    return [sorted(taken)[repeats // 2] for taken in times]


def main():
    torch.set_num_threads(1)
    print(f"{'space':>10} {'preset':>22} periodic   values  seconds   (bar)   in EDTs")
    for space, bar in MOST.items():
        binary = gaussian_random_field(1, space, seed=1)
        grey = ndimage.gaussian_filter(binary, (0, 0, *[0.7] * len(space)), mode="wrap")
        for preset in PRESETS:
            for periodic in (False, True):
                for values, images in (("binary", binary), ("grey", grey)):
                    options = {"voxel_size_um": VOXELS[preset], "periodic": periodic}
                    taken, transform = seconds(
                        partial(check_design_rules, images, preset, **options),
                        partial(ndimage.distance_transform_edt, images[0, 0] > 0.5),
                    )
                    print(
                        f"{'x'.join(map(str, space)):>10} {preset:>22} {periodic!s:>8} "
                        f"{values:>8} {taken:>8.3f} {bar:>7.2f} {taken / transform:>9.1f}"
                    )


if __name__ == "__main__":
    main()

"""Two-point statistics by torch against PyMKS on NumPy: time ratios, side by side in one run.

python benchmarks/two_point.py            # one thread, a minute
"""

import statistics
import time
from functools import partial

import dask
import torch

from objectives.pymks_import import import_pymks
from objectives.two_point import two_point_statistics

CASES = [((21, 21, 21), 64), ((64, 64), 64), ((256, 256), 64), ((64, 64, 64), 8)]


def median_seconds(*functions, repeats=5):
    """Median CPU time of each function, taken in turns so that a busy machine slows all alike."""
    taken = [[] for _ in functions]
    for _ in range(repeats):
        for times, function in zip(taken, functions, strict=True):
            start = time.process_time()
            function()
            times.append(time.process_time() - start)
    return [statistics.median(times) for times in taken]


def main():
    torch.set_num_threads(1)
    dask.config.set(scheduler="single-threaded")  # PyMKS computes by dask
    pymks = import_pymks()
    print(f"{'space':>14} {'batch':>5} periodic  PyMKS ms  float64  float32   (times faster)")
    for space, batch in CASES:
        images = (torch.rand(batch, 1, *space) > 0.5).double()
        array, single, cutoff = images[:, 0].numpy(), images.float(), (min(space) - 1) // 2
        for periodic in (True, False):
            options = {"periodic": periodic, "cutoff": cutoff}
            theirs, double, half = median_seconds(
                partial(pymks.two_point_stats, array, array, periodic_boundary=periodic),
                partial(two_point_statistics, images, **options),
                partial(two_point_statistics, single, **options),
            )
            print(
                f"{'x'.join(map(str, space)):>14} {batch:>5} {periodic!s:>8} {theirs * 1e3:>9.0f} "
                f"{theirs / double:>8.1f} {theirs / half:>8.1f}",
                flush=True,
            )


if __name__ == "__main__":
    main()

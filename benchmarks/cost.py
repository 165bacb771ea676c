"""Time and memory against size, and the exponents in voxels: 2 is quadratic, the most we allow.

python benchmarks/cost.py        # one thread, some minutes, Linux

Each size runs in a process of its own, so that its peak memory is its own. Exponents are fitted
over all sizes, and over the three largest, where overhead no longer hides the growth. Networks grow
in steps: one for sides over 48 in 3-D has another stage, at full resolution.
"""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import math
import multiprocessing
import time
from functools import partial
from pathlib import Path

import numpy as np
import torch

from generative import ConvVAE
from latentopt import LatentSpace
from objectives.homogenize import effective_conductivity, effective_stiffness
from objectives.two_point import two_point_statistics

BATCH, REPEATS, MOST = 4, 3, 2.0
PLANES = [(side, side) for side in (32, 64, 96, 128, 192, 256)]
SOLIDS = [(side,) * 3 for side in (16, 24, 32, 48, 64)]


def structures(space):
    """Two phases with features of about three voxels."""
    noise, pool = torch.rand(BATCH, 1, *space), torch.nn.functional
    blur = pool.avg_pool2d if len(space) == 2 else pool.avg_pool3d
    return (blur(noise, 5, 1, 2, count_include_pad=False) > 0.5).float()


def statistics(space, periodic):
    return partial(two_point_statistics, structures(space), periodic=periodic)


def conductivity(space):
    return partial(effective_conductivity, structures(space), (1.0, 10.0))


def stiffness(space):
    plane = "strain" if len(space) == 2 else None
    return partial(
        effective_stiffness, structures(space), (1.0, 10.0), (0.3, 0.3), plane=plane, tol=1e-4
    )


def encode(space):
    return partial(LatentSpace.from_prior(ConvVAE((1, *space))).encode, structures(space))


def decode(space):
    latent = LatentSpace.from_prior(ConvVAE((1, *space)))
    return partial(latent.decode, latent.sample(BATCH, seed=0))


TASKS = {
    "two-point, periodic": (partial(statistics, periodic=True), PLANES, SOLIDS),
    "two-point, not periodic": (partial(statistics, periodic=False), PLANES, SOLIDS),
    "conductivity, contrast 10": (conductivity, PLANES, SOLIDS),
    "stiffness, contrast 10": (stiffness, PLANES, SOLIDS[:4]),
    "encode": (encode, PLANES, SOLIDS),
    "decode": (decode, PLANES, SOLIDS),
}


def measure(build, space):
    """Best seconds of one call, and the MiB it took at its peak, in a process of its own."""
    context = multiprocessing.get_context("fork")
    ours, theirs = context.Pipe(duplex=False)
    child = context.Process(target=_measure_here, args=(build, space, theirs))
    child.start()
    theirs.close()
    answer = ours.recv()
    child.join()
    return answer


def _measure_here(build, space, answer):
    torch.set_num_threads(1)
    torch.manual_seed(0)
    call = build(space)
    Path("/proc/self/clear_refs").write_text("5")  # the peak starts from here
    before = _mebibytes("VmRSS")
    call()
    peak = _mebibytes("VmHWM") - before
    seconds = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        call()
        seconds.append(time.perf_counter() - start)
    answer.send((min(seconds), peak))


def _mebibytes(name):
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(name)) / 1024


def exponents(voxels, values):
    """Slope of the logarithms over all sizes, and over the three largest."""
    x, y = np.log(voxels), np.log(np.maximum(values, 1e-12))
    return np.polyfit(x, y, 1)[0], np.polyfit(x[-3:], y[-3:], 1)[0]


def main():
    print(f"batches of {BATCH}, one thread; exponents of voxels: all sizes, three largest")
    worst = -math.inf
    for name, (build, *families) in TASKS.items():
        for sizes in families:
            voxels = [math.prod(space) for space in sizes]
            rows = [measure(build, space) for space in sizes]
            times, peaks = zip(*rows, strict=True)
            growth, memory = exponents(voxels, times), exponents(voxels, peaks)
            worst = max(worst, *growth, *memory)
            print(f"\n{name}, {len(sizes[0])}-D")
            print("  side    " + "".join(f"{space[0]:>9}" for space in sizes) + "   exponents")
            fitted = (f"{a:.2f}  {b:.2f}" for a, b in (growth, memory))
            print("  ms      " + "".join(f"{s * 1e3:>9.1f}" for s in times) + f"   {next(fitted)}")
            print("  peak MiB" + "".join(f"{p:>9.1f}" for p in peaks) + f"   {next(fitted)}")
    verdict = "within" if worst <= MOST else "ABOVE"
    print(f"\nlargest exponent {worst:.2f}: {verdict} the bar of {MOST:g}")


if __name__ == "__main__":
    main()

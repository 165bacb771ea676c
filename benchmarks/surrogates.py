"""How well surrogates predict the conductivity of random structures: 800 to learn, 200 held out.

python benchmarks/surrogates.py [KIND ...]       # one thread; all kinds take ten minutes

Structures of 64x64, phase fractions .2 to .8, correlation lengths 1.5 to 4.5 px, anisotropy to 3;
k_xx at contrast 10 and 100, its logarithm modelled, R2 of k_xx itself.
"""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import sys
import time

import torch

from generative import PCA
from generative.data.synthetic import gaussian_random_field
from objectives.homogenize import effective_conductivity
from objectives.pymks_import import pymks_installed
from objectives.surrogates import SURROGATES, accuracy

TRAINING, HELD_OUT = 800, 200
BARS = {("cnn", 10): 0.995, ("cnn", 100): 0.96, ("two_point_gp", 10): 0.975}


def build(kind, images, contrast):
    if kind == "pymks_localization":
        return SURROGATES[kind](log_target=True, conductivity=(1.0, float(contrast)))
    if kind != "latent_gp":
        return SURROGATES[kind](log_target=True)
    # Principal components of the images stand for a latent space.
    latent = PCA(images.shape[1:], components=64).fit(images)
    scale = latent.encode(images).std(0)
    return SURROGATES[kind](log_target=True, encode=lambda x: latent.encode(x) / scale)


def main(kinds):
    torch.set_num_threads(1)
    images = gaussian_random_field(
        TRAINING + HELD_OUT,
        (64, 64),
        seed=0,
        correlation_length_px=(1.5, 4.5),
        volume_fraction=(0.2, 0.8),
    )
    images = torch.from_numpy(images)
    training, held_out = images.split([TRAINING, HELD_OUT])
    for contrast in (10, 100):
        start = time.perf_counter()
        y = effective_conductivity(images, (1.0, float(contrast)), tol=1e-4)[:, 1, 1]
        solver = (time.perf_counter() - start) / len(images)
        print(f"contrast {contrast}: the solver takes {solver * 1e3:.2f} ms an image", flush=True)
        for kind in kinds:
            start = time.perf_counter()
            surrogate = build(kind, training, contrast).fit(training, y[:TRAINING])
            fitted = time.perf_counter()
            prediction = surrogate.predict(held_out)
            asked = (time.perf_counter() - fitted) / HELD_OUT
            (f,) = accuracy(prediction, y[TRAINING:]).values()
            relative = ((prediction.mean - y[TRAINING:]).abs() / y[TRAINING:]).mean()
            bar = BARS.get((kind, contrast))
            print(
                f"  {kind:18} R2 {f.r2:.4f}{f' (bar {bar})' if bar else ''}, error "
                f"{relative:.1%}, within 1 and 2 sigma {f.within_one_sigma:.0%} and "
                f"{f.within_two_sigma:.0%}, fit {fitted - start:.0f} s, an image "
                f"{asked * 1e3:.2f} ms: {solver / asked:.0f}x faster than the solver",
                flush=True,
            )


if __name__ == "__main__":
    every = [kind for kind in SURROGATES if pymks_installed() or not kind.startswith("pymks_")]
    main(sys.argv[1:] or every)
